//! What is wrong with a configuration or a command line is said with file and line.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use super::world::{Folder, Setup};

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_channelerd"));
    command.args(arguments).output().expect("channelerd starts")
}

fn check(folder: &Folder, text: &str) -> (Option<i32>, String) {
    let file = folder.write("c.toml", text);
    let output = run(&["--config", &file.display().to_string(), "--check"]);
    let told = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(told).expect("text"))
}

#[test]
fn a_wrong_configuration_is_refused_with_file_line_and_what_is_allowed() {
    let folder = Folder::new();
    let identity = format!("identity = \"{}\"\n", folder.path("id.pem").display());
    for (text, line, part) in [
        ("listen = [\n", 2, ""),
        ("listen = [\"127.0.0.1:1\",\n\"localhost:1\"]", 3, "\"localhost:1\" is not allowed"),
        ("peer = []", 2, "peer: not known; known here are listen, identity"),
        ("peers = [\"12\"]", 2, "32 hexadecimal digits"),
        ("[socket]\nmode = \"rw\"", 3, "socket.mode: \"rw\" is not allowed"),
        ("[sockets]\n", 2, "[sockets] is not known"),
        ("[clients]\nmax = 0", 3, "clients.max: 0 is not allowed; allowed is a number from 1"),
        ("[clients]\n\nmax = -1", 4, "clients.max: -1"),
        ("[clients]\nmax = \"many\"", 3, "clients.max: \"many\""),
        ("[quic]\nidle_timeout_ms = 1000\nkeep_alive_ms = 1000", 4, "quic.keep_alive_ms: 1000"),
        ("[quic]\ncongestion = \"reno\"", 3, "\"bbr2\", \"cubic\", \"newreno\""),
        ("[quic]\nmessage_bytes_max = 100000000", 3, "bytes_max: 67108864"),
        ("[messages]\nbytes_max = 1000", 3, "messages.bytes_max: 1000 is not allowed"),
        ("[messages]\nwhen_full = \"cry\"", 3, "\"hold\", \"drop_oldest\""),
        ("[log]\nlevel = \"loud\"", 3, "\"error\", \"warning\""),
        ("[certificates]\nchain = \"x\"", 2, "certificates.key: missing"),
    ] {
        let (status, told) = check(&folder, &format!("{identity}{text}"));
        assert_eq!(status, Some(2), "{text}: {told}");
        let place = format!("{}:{line}: ", folder.path("c.toml").display());
        assert!(told.contains(&place) && told.contains(part), "{text}: {told}");
    }
}

#[test]
fn files_that_it_names_are_checked_too() {
    let folder = Folder::new();
    let pem = folder.write("bad.pem", "not a key");
    let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/quic");
    for (text, line, part) in [
        (format!("identity = \"{}\"", pem.display()), 1, "identity: "),
        (
            format!(
                "\n[certificates]\nchain = \"{vectors}/one.pem\"\nkey = \"{vectors}/two.key\"\n\
                 authorities = \"{vectors}/first.pem\""
            ),
            3,
            "certificates.chain: the certificate or its key cannot be used",
        ),
        (
            format!(
                "[certificates]\nchain = \"{vectors}/one.pem\"\nkey = \"/nowhere\"\n\
                 authorities = \"{vectors}/first.pem\""
            ),
            3,
            "certificates.key: /nowhere: No such file",
        ),
    ] {
        let (status, told) = check(&folder, &text);
        let place = format!("{}:{line}: ", folder.path("c.toml").display());
        assert_eq!(status, Some(2), "{told}");
        assert!(told.contains(&place) && told.contains(part), "{told}");
    }
}

#[test]
fn an_identity_is_made_once_for_its_owner_alone_and_found_again() {
    let setup = Setup::new();
    let file = setup.write().display().to_string();
    let first = run(&["--config", &file, "--peer-id"]);
    let again = run(&["--config", &file, "--peer-id"]);
    assert_eq!(first.status.code(), Some(0));
    assert_eq!((first.stdout.len(), &first.stdout), (35, &again.stdout));
    let metadata = std::fs::metadata(setup.folder.path("id.pem")).expect("it was made");
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    let daemon = setup.start();
    assert_eq!(daemon.peer, String::from_utf8_lossy(&first.stdout).trim());
}

#[test]
fn an_address_that_cannot_be_had_is_named_with_its_line() {
    let setup = Setup { listen: "192.0.2.1:4433".to_owned(), ..Setup::new() };
    let output = setup.command().output().expect("channelerd starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("c.toml:1: listen: 192.0.2.1:4433: "), "{told}");
    assert!(!setup.socket().exists(), "nothing is left behind");
}

#[test]
fn the_command_line_is_explained_and_checked() {
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let page = include_str!("../../docs/daemon.md");
    for option in ["--config FILE", "--check", "--peer-id", "--version", "--help"] {
        assert!(help.contains(option) && page.contains(option), "{option}");
    }
    let version = run(&["--version"]).stdout;
    assert_eq!(version, concat!("channelerd ", env!("CARGO_PKG_VERSION"), "\n").as_bytes());
    let wrong = run(&["--what"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("--what is not understood"));
    let missing = run(&["--config", "/nowhere.toml"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("/nowhere.toml: cannot be read"));
}

#[test]
fn every_key_is_on_the_page() {
    let folder = Folder::new();
    let page = include_str!("../../docs/daemon.md");
    for table in ["", "[socket]\n", "[clients]\n", "[messages]\n", "[quic]\n", "[log]\n"] {
        let (_, told) = check(&folder, &format!("{table}unknown = 1"));
        let (_, known) = told.split_once("known here are ").expect("they are listed");
        for key in known.trim().split(", ") {
            assert!(page.contains(&format!("`{key}`")), "{key} of {table} is not on the page");
        }
    }
}
