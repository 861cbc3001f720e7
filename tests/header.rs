//! The committed C header is what the sources say. Aim: nobody edits one without the other.
//!
//! Method: make it afresh with cbindgen, and compare. `CHANNELER_BLESS=1` writes it instead.

use std::fmt::Write;
use std::path::Path;

use channeler::error::Error;
use channeler::node::DropReason;

#[test]
fn committed_header_is_what_cbindgen_makes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("include/channeler.h");
    let fresh = generate(root);
    if std::env::var_os("CHANNELER_BLESS").is_some() {
        std::fs::write(&path, fresh).expect("the header can be written");
        return;
    }
    let committed = std::fs::read_to_string(&path).expect("include/channeler.h is committed");
    let differs = committed.lines().zip(fresh.lines()).position(|(old, new)| old != new);
    assert!(
        committed == fresh,
        "include/channeler.h is not what src/ffi says (first difference after line {}): run\n    \
         CHANNELER_BLESS=1 cargo test --test header",
        differs.unwrap_or(0),
    );
}

fn generate(root: &Path) -> String {
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml"))
        .expect("cbindgen.toml is there and valid");
    config.after_includes = Some(constants());
    let mut builder = cbindgen::Builder::new().with_config(config);
    // The order of the header: what a reader needs first comes first.
    for noun in [
        "version",
        "peer_id",
        "identity",
        "wire",
        "address",
        "connection",
        "channel",
        "message",
        "reference",
        "options",
        "lifetime",
        "callbacks",
        "stats",
        "node",
        "sans_io",
        "quic_options",
        "quic_events",
        "quic",
        "quic_stats",
    ] {
        builder = builder.with_src(root.join(format!("src/ffi/{noun}.rs")));
    }
    let mut bytes = Vec::new();
    builder.generate().expect("cbindgen understands src/ffi").write(&mut bytes);
    let text = String::from_utf8(bytes).expect("the sources are UTF-8");
    text.replace(" * # Safety\n", " * Pointers:\n")
}

/// What Rust macros hold, which cbindgen does not see through.
fn constants() -> String {
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{text}").expect("a string takes all");
    line("\n/** The version of this header, as text. */".into());
    line(format!("#define CHANNELER_VERSION \"{}\"", env!("CARGO_PKG_VERSION")));
    line("\n/** Success. */\n#define CHANNELER_OK 0".into());
    for error in Error::ALL {
        line(format!("\n/** {}. */", capital(error.text())));
        line(format!("#define CHANNELER_{} {}", error.name(), error.code()));
    }
    line(
        "\n/** Numbers from here on belong to applications: the library never returns them. */"
            .into(),
    );
    line("#define CHANNELER_ERR_USER 1000".into());
    line(
        "\n/** Why something received was dropped: places in channeler_node_counters.dropped. */"
            .into(),
    );
    for (index, reason) in DropReason::ALL.iter().enumerate() {
        line(format!("#define CHANNELER_DROP_{} {index}", reason.name().to_uppercase()));
    }
    line("\n/** How many reasons this header knows. */".into());
    line(format!("#define CHANNELER_DROP_COUNT {}", DropReason::ALL.len()));
    out
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}
