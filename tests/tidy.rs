//! Holds the rules of the house that a machine can hold: floors, sizes, `unsafe`, leftovers.
//!
//! Method: comments and the insides of strings are blanked out of every source file, and the rules
//! are then read from what is left, without a parser of Rust. The floors come from the table at the
//! top of `src/lib.rs`. Each rule has a bad sample below that it must refuse.
//!
//! The specification, `docs/protocol.md`, is held to its tests: each chapter's status line says
//! what of it is built, and each section that is built must be cited (`spec: 5.3`) by a test.

#[path = "tidy/specification.rs"]
mod specification;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_COLUMNS_MAX: usize = 100;

/// Folders whose sources people read; of `include/`, channeler.h is generated.
const FOLDERS: &[&str] = &[
    "src",
    "tests",
    "bindings",
    "examples-c",
    "examples-cpp",
    "include/channeler",
    "scripts",
    "build.rs",
];

/// Extensions that have the column limit; the other rules are for Rust.
const EXTENSIONS: &[&str] = &["rs", "c", "h", "cpp", "hpp", "py", "sh", ""];

/// Where `unsafe` may be, besides `src/ffi/`.
const UNSAFE_FILES: &[&str] = &["src/engine/os.rs"];

type Floors = BTreeMap<String, u32>;

#[test]
fn every_source_file_keeps_the_rules_of_the_house() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lib = std::fs::read_to_string(root.join("src/lib.rs")).expect("src/lib.rs is there");
    let floors = floors(&lib);
    let mut files = Vec::new();
    for folder in FOLDERS {
        collect(&root.join(folder), &mut files);
    }
    assert!(files.len() > 10, "found only {files:?}");
    let mut faults = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("sources are UTF-8 text");
        let name = file.strip_prefix(root).expect("it was found below root").to_string_lossy();
        faults.extend(check(&name, &text, &floors));
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn floor_table_is_read_from_the_crate_documentation() {
    let floors = sample_floors();
    assert_eq!(floors.get("engine"), Some(&7));
    assert_eq!(floors.get("sim"), Some(&7));
    assert_eq!(floors.get("path"), Some(&4));
    assert_eq!(floors.get("config"), Some(&0));
}

#[test]
fn imports_from_above_or_beside_are_refused() {
    for (file, line) in [
        ("src/wire/packet.rs", "use crate::node::Node;"),
        ("src/wire/packet.rs", "use crate::{error::Error, node::{self, Node}};"),
        ("src/wire/packet.rs", "fn f() -> crate::engine::Engine { g() }"),
        ("src/wire/mod.rs", "use super::node::Node;"),
        ("src/wire/packet.rs", "use super::super::node::Node;"),
        ("src/wire/packet.rs", "mod tests { use super::super::super::node::Node; }"),
        ("src/channel/mod.rs", "use crate::path::Path;"),
        ("src/sim/mod.rs", "use crate::engine::Engine;"),
        ("src/id.rs", "use crate::wire::Packet;"),
        ("src/wire/packet.rs", "use crate::*;"),
        ("src/wire/packet.rs", "use crate::nowhere::Node;"),
        ("src/nowhere/mod.rs", "use crate::id::PeerId;"),
    ] {
        let faults = check_line(file, line);
        assert!(faults.iter().any(|fault| fault.contains("floor")), "{line}: {faults:?}");
    }
}

#[test]
fn imports_from_below_and_from_the_own_floor_pass() {
    for (file, line) in [
        ("src/node/mod.rs", "use crate::wire::Packet;"),
        ("src/node/mod.rs", "use crate::{channel::Channel, id::{ChannelId, PeerId}};"),
        ("src/node/accept.rs", "use super::Node;"),
        ("src/node/accept.rs", "use crate::node::stats::DropReason;"),
        ("src/node/mod.rs", "mod tests { use super::*; }"),
        ("src/node/accept.rs", "mod tests { use super::super::Node; }"),
        ("src/config.rs", "use crate::id::PeerId;"),
        ("src/wire/packet.rs", "// crate::node is above"),
        ("src/wire/packet.rs", "const TEXT: &str = \"crate::node\";"),
        ("src/wire/packet.rs", "pub(crate) const A: u8 = 1;"),
    ] {
        assert_eq!(check_line(file, line), Vec::<String>::new(), "{line}");
    }
}

#[test]
fn unsafe_outside_its_rooms_is_refused() {
    let line = "fn f() { unsafe { g() } }";
    assert!(check_line("src/node/mod.rs", line)[0].contains("unsafe"));
    assert!(check_line("src/engine/mod.rs", line)[0].contains("unsafe"));
    for free in ["src/ffi/mod.rs", "src/engine/os.rs", "tests/c_api.rs"] {
        assert_eq!(check_line(free, line), Vec::<String>::new());
    }
    assert_eq!(check_line("src/node/mod.rs", "// unsafe is for others"), Vec::<String>::new());
}

#[test]
fn leftovers_are_refused() {
    for line in ["fn f() { todo!() }", "fn f() { unimplemented!() }", "fn f() { dbg!(1); }"] {
        assert!(check_line("src/node/mod.rs", line)[0].contains("leftover"), "{line}");
    }
    assert_eq!(check_line("src/id.rs", "const A: &str = \"todo!()\";"), Vec::<String>::new());
}

#[test]
fn sizes_past_their_limits_are_refused() {
    let wide = format!("const A: &str = \"{}\";", "x".repeat(LINE_COLUMNS_MAX));
    assert!(check_line("src/id.rs", &wide)[0].contains("columns"));
    assert!(check("tests/c/api_node.c", &wide, &sample_floors())[0].contains("columns"));

    let body = "    g();\n\n    // why\n".repeat(FUNCTION_LINES_MAX - 2);
    assert_eq!(check_line("src/id.rs", &format!("fn f() {{\n{body}}}")), Vec::<String>::new());
    let body = body + "    g();\n";
    assert!(check_line("src/id.rs", &format!("fn f() {{\n{body}}}"))[0].contains("function f"));

    let items = "const A: u8 = 1;\n\n/// Why.\n".repeat(FILE_LINES_MAX);
    assert_eq!(check_line("src/id.rs", &items), Vec::<String>::new());
    let items = items + "const A: u8 = 1;\n";
    assert!(check_line("src/id.rs", &items)[0].contains("code lines"));
}

#[test]
fn file_without_an_opening_line_is_refused() {
    let faults = check("src/id.rs", "use std::fmt;\n", &sample_floors());
    assert!(faults[0].contains("//!"), "{faults:?}");
}

#[test]
fn comments_strings_and_lifetimes_are_told_apart() {
    let text = r###"a 'x' '\'' '"' b<'a> "q\"//" r#"raw " }"# /* in /* out */ */ c // d
e"###;
    let clean = scrub(text);
    assert_eq!(clean.len(), text.len(), "positions stay");
    let words: Vec<&str> = clean.split_whitespace().collect();
    assert_eq!(
        words,
        ["a", "'_'", "'__'", "'_'", "b<'a>", "\"_____\"", "r#\"_______\"#", "c", "e"]
    );
}

fn sample_floors() -> Floors {
    floors(
        "//! | 8 | `ffi`: the C API |\n\
         //! | 7 | `engine`: sockets; `sim`: virtual ones |\n\
         //! | 6 | `node`: the sans-IO endpoint |\n\
         //! | 4 | `channel`, `path` |\n\
         //! | 1 | `wire`: bytes |\n\
         //! | 0 | `id`, `error`, `config`, `io`, `time` |\n",
    )
}

fn check_line(file: &str, line: &str) -> Vec<String> {
    check(file, &format!("//! A sample.\n{line}\n"), &sample_floors())
}

/// Rows `//! | floor | words |`: each word in backquotes is a module of that floor.
fn floors(lib: &str) -> Floors {
    let mut floors = Floors::new();
    for line in lib.lines() {
        let mut cells = line.strip_prefix("//! |").unwrap_or_default().split('|');
        let (Some(number), Some(words)) = (cells.next(), cells.next()) else {
            continue;
        };
        let Ok(floor) = number.trim().parse() else {
            continue;
        };
        for module in words.split('`').skip(1).step_by(2) {
            floors.insert(module.to_owned(), floor);
        }
    }
    floors
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        let entries = path.read_dir().expect("the folder can be read");
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        let built = ["target", "corpus", "artifacts", "vectors", "__pycache__", "build"];
        paths.retain(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            !name.starts_with('.') && !built.contains(&&*name) && !name.ends_with("egg-info")
        });
        paths.iter().for_each(|path| collect(path, files));
    } else if path.is_file() {
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        if EXTENSIONS.contains(&&*extension) {
            files.push(path.to_owned());
        }
    }
}

/// Every rule on one file; `file` is its path in the repository.
fn check(file: &str, text: &str, floors: &Floors) -> Vec<String> {
    let mut faults = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let columns = line.chars().count();
        if columns > LINE_COLUMNS_MAX {
            faults.push(format!("{file}:{}: {columns} columns", index + 1));
        }
    }
    if !file.ends_with(".rs") {
        return faults;
    }
    if !text.starts_with("//!") {
        faults.push(format!("{file}:1: does not open with a //! line saying what it is for"));
    }
    let code = scrub(text);
    let lines = code_lines(&code);
    if lines > FILE_LINES_MAX {
        faults.push(format!("{file}: {lines} code lines; at most {FILE_LINES_MAX}"));
    }
    faults.extend(check_functions(file, &code));
    if file.starts_with("src/") {
        faults.extend(check_words(file, &code));
        faults.extend(check_imports(file, &code, floors));
    }
    faults
}

fn check_functions(file: &str, code: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for at in words(code, "fn") {
        let name = identifier(code[at + 2..].trim_start());
        let lines = item_end(&code[at..]).map_or(0, |end| code_lines(&code[at..at + end]));
        // A name is missing where `fn` is a type.
        if !name.is_empty() && lines > FUNCTION_LINES_MAX {
            let line = line_of(code, at);
            faults.push(format!(
                "{file}:{line}: function {name} has {lines} lines; at most {FUNCTION_LINES_MAX}"
            ));
        }
    }
    faults
}

fn check_words(file: &str, code: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if !file.starts_with("src/ffi/") && !UNSAFE_FILES.contains(&file) {
        for at in words(code, "unsafe") {
            faults.push(format!("{file}:{}: unsafe outside ffi", line_of(code, at)));
        }
    }
    for word in ["todo", "unimplemented", "dbg"] {
        for at in words(code, word).filter(|at| code[at + word.len()..].starts_with('!')) {
            faults.push(format!("{file}:{}: leftover {word}!", line_of(code, at)));
        }
    }
    faults
}

/// Everything that `file` names from the root of the crate must be on a lower floor.
fn check_imports(file: &str, code: &str, floors: &Floors) -> Vec<String> {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    let own = path.split('/').next().unwrap_or_default();
    if own == "lib" || own == "bin" {
        return Vec::new();
    }
    let mut faults = Vec::new();
    let Some(own_floor) = floors.get(own) else {
        return vec![format!("{file}:1: {own} has no row in the floor table of src/lib.rs")];
    };
    for (at, module) in root_paths(code, path.split('/').count()) {
        let line = line_of(code, at);
        match floors.get(&module) {
            _ if module == own => {}
            Some(floor) if floor < own_floor || (*floor == 0 && *own_floor == 0) => {}
            Some(floor) => faults.push(format!(
                "{file}:{line}: {own} is floor {own_floor} and must not use {module}, floor {floor}"
            )),
            None => faults.push(format!("{file}:{line}: crate::{module} names no floor")),
        }
    }
    faults
}

/// The first name after the root of the crate, wherever code names it: by `crate::`, or by as many
/// `super::` as it takes from a file `depth` modules below the root.
fn root_paths(code: &str, depth: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for at in words(code, "crate") {
        if let Some(rest) = code[at + 5..].strip_prefix("::") {
            found.extend(first_names(rest).into_iter().map(|name| (at, name)));
        }
    }
    for at in words(code, "super") {
        if code[..at].ends_with("::") {
            continue;
        }
        let mut rest = &code[at..];
        let mut supers = 0;
        while let Some(next) = rest.strip_prefix("super::") {
            rest = next;
            supers += 1;
        }
        if supers > 0 && supers >= depth + inline_modules(code, at) {
            found.extend(first_names(rest).into_iter().map(|name| (at, name)));
        }
    }
    found
}

/// `a` of `a::b`, or `a` and `c` of `{a::b, c::{d, e}}`; `*` for anything else.
fn first_names(path: &str) -> Vec<String> {
    let name = |text: &str| match identifier(text.trim_start()) {
        "" => "*".to_owned(),
        name => name.to_owned(),
    };
    let Some(group) = path.strip_prefix('{') else {
        return vec![name(path)];
    };
    let mut names = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                let part = group[start..at].trim();
                if !part.is_empty() {
                    names.push(name(part));
                }
                start = at + 1;
                if letter == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    names
}

/// How many `mod name { .. }` of this file are around `at`.
fn inline_modules(code: &str, at: usize) -> usize {
    let around = |start: &usize| {
        let head = code[*start..].find(['{', ';']).map(|offset| start + offset);
        let opens = head.is_some_and(|head| code[head..].starts_with('{') && head < at);
        opens && item_end(&code[*start..]).is_some_and(|end| start + end > at)
    };
    words(code, "mod").filter(around).count()
}

/// The length of the item that `code` begins with: to the end of its body, or to its `;`.
fn item_end(code: &str) -> Option<usize> {
    let (mut brackets, mut braces) = (0, 0);
    for (at, letter) in code.char_indices() {
        match letter {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            '{' => braces += 1,
            '}' if braces == 1 => return Some(at + 1),
            '}' => braces -= 1,
            ';' if brackets == 0 && braces == 0 => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Where `word` stands as a word of its own.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = code[..*at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

fn identifier(text: &str) -> &str {
    let end = text.find(|letter| !is_word(letter)).unwrap_or(text.len());
    &text[..end]
}

fn is_word(letter: char) -> bool {
    letter == '_' || letter.is_alphanumeric()
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// Lines that are neither blank nor comment.
fn code_lines(code: &str) -> usize {
    code.lines().filter(|line| !line.trim().is_empty()).count()
}

/// The same text with comments as blanks and the insides of strings as `_`; newlines stay. Letters
/// outside ASCII become as many fillers as they have bytes.
fn scrub(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut clean = Vec::with_capacity(bytes.len());
    while clean.len() < bytes.len() {
        let at = clean.len();
        let rest = &bytes[at..];
        let (head, inside, tail, filler) = if rest.starts_with(b"//") {
            let inside = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            (0, inside, 0, b' ')
        } else if rest.starts_with(b"/*") {
            (0, block_comment(rest), 0, b' ')
        } else if let Some((head, inside)) = raw_string(&bytes[..at], rest) {
            (head, inside, head - 1, b'_')
        } else if rest[0] == b'"' {
            (1, quoted(&rest[1..], b'"'), 1, b'_')
        } else if rest[0] == b'\'' && is_letter_literal(rest) {
            (1, quoted(&rest[1..], b'\''), 1, b'_')
        } else {
            (1, 0, 0, b' ')
        };
        clean.extend(&rest[..head]);
        let inside = &rest[head..(head + inside).min(rest.len())];
        clean.extend(inside.iter().map(|byte| if *byte == b'\n' { b'\n' } else { filler }));
        let end = clean.len() - at;
        clean.extend(&rest[end..(end + tail).min(rest.len())]);
    }
    String::from_utf8_lossy(&clean).into_owned()
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            (at, depth) = (at + 2, depth + 1);
        } else if rest[at..].starts_with(b"*/") {
            (at, depth) = (at + 2, depth - 1);
        } else {
            at += 1;
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// Of `r##".."##` the length of the opening (4 here) and of what is inside.
fn raw_string(before: &[u8], rest: &[u8]) -> Option<(usize, usize)> {
    let prefix = before.iter().rev().take_while(|byte| is_word(char::from(**byte))).count();
    let starts = prefix == 0 || (prefix == 1 && before.ends_with(b"b") | before.ends_with(b"c"));
    if rest[0] != b'r' || !starts {
        return None;
    }
    let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return None;
    }
    let end = [b"\"".as_slice(), &rest[1..1 + hashes]].concat();
    let body = &rest[2 + hashes..];
    let inside = body.windows(end.len()).position(|window| window == end);
    Some((2 + hashes, inside.unwrap_or(body.len())))
}

/// Bytes before the closing quote; a backslash takes the next byte with it.
fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 0;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    at.min(rest.len())
}

/// Tells `'x'` from the lifetime `'x`.
fn is_letter_literal(rest: &[u8]) -> bool {
    match rest.get(1) {
        None => false,
        Some(b'\\') => true,
        Some(first) => {
            let size = match first {
                0..0x80 => 1,
                0x80..0xe0 => 2,
                0xe0..0xf0 => 3,
                0xf0.. => 4,
            };
            rest.get(1 + size) == Some(&b'\'')
        }
    }
}
