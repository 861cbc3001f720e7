//! The specification names what is built, and tests name what of it they hold.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{FOLDERS, collect, words};

#[test]
fn every_built_section_of_the_specification_is_cited_by_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/protocol.md")).expect("it is there");
    let sections = sections(&page);
    assert!(sections.len() > 100, "found only {} sections", sections.len());
    let mut files = Vec::new();
    for folder in FOLDERS {
        collect(&root.join(folder), &mut files);
    }
    let mut cited = BTreeSet::new();
    let mut faults = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("sources are UTF-8 text");
        let name = file.strip_prefix(root).expect("it was found below root").to_string_lossy();
        let own = name == "tests/tidy.rs";
        for section in citations(&text).into_iter().filter(|_| !own) {
            if !sections.contains_key(&section) {
                faults.push(format!("{name}: cites section {section}, which does not exist"));
            }
        }
        if !own {
            cited.extend(citations(test_part(&name, &text)));
        }
    }
    for (section, is_built) in &sections {
        if *is_built && !cited.contains(section) {
            faults.push(format!("docs/protocol.md: no test cites section {section}"));
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn status_lines_say_which_sections_are_built() {
    let page = "## 1 A\nStatus: built.\n### 1.1 a\n### 1.2 b\n## 2 B\nStatus: built except 2.2,\n\
                2.3. The rest: see 2.1.\n\n### 2.1 a\n### 2.2 b\n### 2.3 c\n## 3 C\n\
                Status: built: 3.1; the others not yet.\n### 3.1 a\n### 3.2 b\n## 4 D\n\
                Status: specified; not built yet.\n### 4.1 a\n";
    let built: Vec<String> =
        sections(page).into_iter().filter(|(_, built)| *built).map(|(name, _)| name).collect();
    assert_eq!(built, ["1.1", "1.2", "2.1", "3.1"]);
    assert_eq!(sections(page).len(), 8);
}

#[test]
fn citations_are_read_with_their_lists_and_only_from_tests() {
    let text = "// spec: 5.3 masks\n#[cfg(test)]\n// spec: 7.10, 8.4 and 9.1\n// inspec: 1.1\n";
    assert_eq!(citations(text), ["5.3", "7.10", "8.4", "9.1"]);
    assert_eq!(citations(test_part("src/a.rs", text)), ["7.10", "8.4", "9.1"]);
    assert_eq!(citations(test_part("src/a/key_tests.rs", text)).len(), 4);
    assert_eq!(citations(test_part("tests/v1/a.rs", text)).len(), 4);
}

/// The sections of the specification, and whether their chapter's status line says that they are
/// built: `built.`, `built except 2.2, 2.3.` or `built: 2.1, 2.2; ..`.
fn sections(page: &str) -> BTreeMap<String, bool> {
    let mut sections = BTreeMap::new();
    let mut status = String::new();
    let mut is_status = false;
    for line in page.lines() {
        if line.starts_with("## ") {
            status.clear();
        } else if let Some(section) = line.strip_prefix("### ") {
            let number = number_at(section).unwrap_or_default();
            sections.insert(number.to_owned(), is_built(&status, number));
        }
        is_status = line.starts_with("Status: ") || (is_status && !line.is_empty());
        if is_status && !line.starts_with('#') {
            status.push_str(line);
            status.push(' ');
        }
    }
    sections
}

fn is_built(status: &str, section: &str) -> bool {
    let Some(rest) = status.strip_prefix("Status: built") else { return false };
    let listed = |list: &str| {
        let end = list.find(". ").or(list.find(';')).unwrap_or(list.len());
        list[..end.min(list.find(';').unwrap_or(end))]
            .split([' ', ','])
            .any(|word| word.trim_end_matches('.') == section)
    };
    match (rest.strip_prefix(" except "), rest.strip_prefix(": ")) {
        (Some(list), _) => !listed(list),
        (None, Some(list)) => listed(list),
        (None, None) => true,
    }
}

/// The sections that `text` cites: `spec: 5.3`, `spec: 5.3, 5.4 and 6.1`.
fn citations(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for at in words(text, "spec") {
        let Some(mut rest) = text[at + 4..].strip_prefix(": ") else { continue };
        while let Some(number) = number_at(rest) {
            found.push(number.to_owned());
            rest = &rest[number.len()..];
            let Some(next) = rest.strip_prefix(", ").or(rest.strip_prefix(" and ")) else { break };
            rest = next;
        }
    }
    found
}

/// The `5.3` that `text` begins with.
fn number_at(text: &str) -> Option<&str> {
    let is_part = |letter: char| letter.is_ascii_digit() || letter == '.';
    let end = text.find(|letter| !is_part(letter)).unwrap_or(text.len());
    let number = text[..end].trim_end_matches('.');
    let (chapter, section) = number.split_once('.')?;
    let is_number = |part: &str| !part.is_empty() && !part.contains('.');
    (is_number(chapter) && is_number(section)).then_some(number)
}

/// What of a file is a test.
fn test_part<'a>(file: &str, text: &'a str) -> &'a str {
    if !file.starts_with("src/") || file.ends_with("tests.rs") || file.contains("/tests/") {
        return text;
    }
    text.find("#[cfg(test)]").map_or("", |at| &text[at..])
}
