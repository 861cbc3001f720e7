//! Replays the committed corpus of every fuzz target, without a fuzzer.

#[path = "fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "public for the fuzzers, of whose library this is the source")]
mod targets;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let read = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    read.map(|entry| entry.expect("readable").path()).collect()
}

#[test]
fn every_file_of_the_corpus_passes_its_target() {
    for (name, target) in targets::TARGETS {
        let files = entries(&corpus().join(name));
        assert!(files.len() >= 20, "the corpus of {name} has only {} files", files.len());
        for file in files {
            let data = std::fs::read(&file).expect("readable");
            // Printed only when the test fails: the last one is the one that did it.
            println!("{}", file.display());
            target(&data);
        }
    }
}

#[test]
fn every_corpus_has_its_target_and_every_target_its_fuzzer() {
    let names: BTreeSet<String> = targets::TARGETS.iter().map(|(name, _)| (*name).into()).collect();
    let stems = |folder: &Path| -> BTreeSet<String> {
        let stem = |path: PathBuf| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        entries(folder).into_iter().filter_map(stem).collect()
    };
    assert_eq!(stems(&corpus()), names);
    assert_eq!(stems(&corpus().with_file_name("fuzz_targets")), names);
}

/// The fuzzers have a lock file of their own, which cargo brings up to date only when they are
/// built: what ran then would not be what is committed.
#[test]
fn the_lock_of_the_fuzzers_knows_every_dependency_of_the_library() {
    let manifest = include_str!("../Cargo.toml");
    let lock = include_str!("fuzz/Cargo.lock");
    let of_package = |block: &&str| block.trim_start().starts_with("name = \"channeler\"\n");
    let package = lock.split("[[package]]").find(of_package).expect("it is a dependency");
    let sections = manifest.split("\n[").filter(|section| {
        let name = section.lines().next().unwrap_or_default();
        name == "dependencies]" || name.starts_with("target.")
    });
    let lines = sections.flat_map(|section| section.lines().skip(1));
    let names =
        lines.filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(" ="));
    let mut count = 0;
    for (name, _) in names {
        let listed = [format!(" \"{name}\","), format!(" \"{name} ")];
        assert!(listed.iter().any(|text| package.contains(text)), "{name} is not in the lock");
        count += 1;
    }
    assert!(count > 20, "found only {count} dependencies");
}
