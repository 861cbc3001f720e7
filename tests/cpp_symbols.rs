//! The C++ API has all that the C header has. Aim: nobody adds to one and forgets the other.
//!
//! Method: each function, constant and struct field of channeler.h must be a word in the code (not
//! the comments) of the headers in include/channeler/net, or be listed here with the reason.

use std::collections::BTreeSet;
use std::path::Path;

/// What C++ programs need not find there, and why. A name that ends in `*` stands for all that
/// begin so.
const LEFT_OUT: &[(&str, &str)] = &[
    ("CHANNELER_H", "the guard of the header"),
    ("CHANNELER_DROP_COUNT", "drop_reason_name is empty past the last one"),
    ("CHANNELER_DROP_PLACES", "the size of an array that is taken over whole"),
    ("CHANNELER_QUIC_DROP_PLACES", "as CHANNELER_DROP_PLACES"),
    ("reserved", "always 0"),
    // For the drop-in headers of the reference, which stand beside these:
    ("channeler_wire_*", "its codec"),
    ("CHANNELER_WIRE_*", "its codec"),
    ("CHANNELER_PROFILE_*", "its behaviour, byte for byte; new programs want the node's own"),
    ("profile", "as CHANNELER_PROFILE_*"),
    ("CHANNELER_EVENT_PACKET", "only with CHANNELER_PROFILE_REFERENCE"),
    ("channeler_node_set_secret", "only with CHANNELER_PROFILE_REFERENCE"),
    ("channeler_node_supply_halves", "only with CHANNELER_PROFILE_REFERENCE"),
    ("channeler_channel_find", "ids on the wire are the reference's way to name channels"),
    ("channeler_channel_adopt", "as channeler_channel_find"),
    ("channeler_channel_complete", "as channeler_channel_find"),
    ("channeler_channel_new_pending", "as channeler_channel_find"),
    ("channeler_channel_reset", "channel::reset is channeler_channel_reset_with"),
    ("channeler_channel_send_buffer", "channel::send_owned is channeler_channel_send_buffer_with"),
    ("CHANNELER_LIFETIME_OF_CHANNEL", "an empty std::optional"),
];

#[test]
fn cpp_headers_have_all_that_the_c_header_has() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let c = code(&read(&root.join("include/channeler.h")));
    let mut cpp = String::new();
    let folder = root.join("include/channeler/net");
    for entry in std::fs::read_dir(folder).expect("include/channeler/net is there") {
        cpp += &code(&read(&entry.expect("its entries can be read").path()));
    }
    let names = names(&c, &cpp);
    assert!(names.len() > 150, "found only {names:?}");
    let missing = missing(&names, &cpp);
    assert!(
        missing.is_empty(),
        "in channeler.h, but not in include/channeler/net/*.hpp: {missing:?}\n\
         Wrap them there, or list them in tests/cpp_symbols.rs with the reason."
    );
}

#[test]
fn what_is_only_in_a_comment_or_part_of_a_word_is_missing() {
    let c = code(
        "#define CHANNELER_NEW 1 /* not CHANNELER_OLD */\n\
         typedef struct channeler_thing {\n    uint64_t size_ns;\n    uint8_t id[16];\n\
         } channeler_thing;\n\
         typedef struct channeler_sums {\n    uint64_t total;\n} channeler_sums;\n\
         typedef void (*channeler_some_fn)(void *user_data);\n\
         int32_t channeler_thing_make(struct channeler_thing *out,\n    size_t length);\n",
    );
    let cpp = "using sums = channeler_sums; // CHANNELER_NEW\nchanneler_thing_maker(a.size_ns2);";
    let cpp = code(cpp);
    let names = names(&c, &cpp);
    let all = ["CHANNELER_NEW", "channeler_thing_make", "id", "size_ns"];
    assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), all);
    assert_eq!(missing(&names, &cpp), all);
    let cpp = "CHANNELER_NEW; channeler_thing_make(raw.id, raw.size_ns);";
    assert_eq!(missing(&names, cpp), Vec::<&str>::new());
}

/// The functions and constants of the header, and the fields of those structs that C++ does not
/// take over whole (`using x = channeler_x;`).
fn names(c: &str, cpp: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut is_struct_to_wrap = false;
    for line in c.lines() {
        let words: Vec<&str> = words(line).collect();
        if line.starts_with("#define ") {
            found.extend(words.get(1).map(|name| (*name).to_owned()));
        } else if let Some(rest) = line.strip_prefix("typedef struct ") {
            let name = rest.split([' ', ';']).next().unwrap_or_default();
            is_struct_to_wrap = rest.ends_with('{') && !cpp.contains(&format!("= {name};"));
            is_struct_to_wrap &= !is_left_out(name);
        } else if line.starts_with('}') {
            is_struct_to_wrap = false;
        } else if line.starts_with("    ") && line.ends_with(';') && is_struct_to_wrap {
            let declared = line.split('[').next().unwrap_or_default();
            found.extend(self::words(declared).last().map(str::to_owned));
        } else if line.starts_with(|first: char| first.is_ascii_alphabetic()) {
            let before = line.split_once('(').map(|(before, _)| before).unwrap_or_default();
            let name = self::words(before).last().filter(|name| name.starts_with("channeler_"));
            found.extend(name.map(str::to_owned));
        }
    }
    found
}

/// Those names that are no word of the code, and not left out on purpose.
fn missing<'a>(names: &'a BTreeSet<String>, cpp: &str) -> Vec<&'a str> {
    let there: BTreeSet<&str> = words(cpp).collect();
    let is_missing = |name: &&str| !there.contains(name) && !is_left_out(name);
    names.iter().map(String::as_str).filter(is_missing).collect()
}

fn is_left_out(name: &str) -> bool {
    LEFT_OUT.iter().any(|(left_out, _)| match left_out.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == *left_out,
    })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The text without its comments.
fn code(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("/*").into_iter().chain(rest.find("//")).min() {
        out += &rest[..start];
        let is_block = rest[start..].starts_with("/*");
        let end = if is_block { "*/" } else { "\n" };
        let after = rest[start + 2..].find(end).map_or(rest.len(), |at| start + 2 + at);
        rest = &rest[(after + if is_block { 2 } else { 0 }).min(rest.len())..];
    }
    out + rest
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("headers are UTF-8 text")
}
