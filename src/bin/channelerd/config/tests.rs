//! What a file changes, and that the page has the defaults.

use super::*;

const PAGE: &str = include_str!("../../../../docs/daemon.md");

fn parse(text: &str) -> Config {
    Config::parse("c.toml", text).unwrap_or_else(|wrong| panic!("{wrong}"))
}

#[test]
fn an_empty_file_is_the_defaults_and_they_are_good() {
    let (empty, default) = (parse(""), Config::default());
    assert_eq!(empty.fixed(), default.fixed());
    assert_eq!(empty.clients, default.clients);
    assert_eq!(empty.messages, default.messages);
    assert_eq!(default.check(), Ok(()));
}

#[test]
fn the_page_has_the_defaults() {
    let Config { clients, messages, quic, stop_timeout, socket, .. } = Config::default();
    for (key, value) in [
        ("stop_timeout_ms", stop_timeout.as_millis()),
        ("max", clients.max as u128),
        ("buffer_bytes", clients.buffer_bytes as u128),
        ("stall_timeout_ms", clients.stall_timeout.as_millis()),
        ("request_timeout_ms", clients.request_timeout.as_millis()),
        ("requests_max", clients.requests_max as u128),
        ("input_bytes_max", clients.input_bytes_max as u128),
        ("bytes_max", messages.bytes_max as u128),
        ("count_max", messages.count_max as u128),
        ("loss_tolerance_percent", u128::from(quic.loss_tolerance_percent)),
        ("message_bytes_max", quic.message_bytes_max as u128),
        ("send_queue_bytes_max", quic.send_queue_bytes_max as u128),
        ("idle_timeout_ms", quic.idle_timeout.as_millis()),
        ("keep_alive_ms", quic.keep_alive.as_millis()),
        ("dial_timeout_ms", quic.dial_timeout.as_millis()),
        ("drain_timeout_ms", quic.drain_timeout.as_millis()),
    ] {
        let row = PAGE.lines().find(|line| line.starts_with(&format!("| `{key}` ")));
        let row = row.unwrap_or_else(|| panic!("no row of {key}"));
        assert!(row.contains(&format!("`{value}`")), "{row}");
    }
    assert!(PAGE.contains(&format!("`{:?}`", socket.path)));
    assert!(PAGE.contains(&format!("| `\"{:04o}\"` |", socket.mode)));
    assert!(PAGE.contains("| `[\"[::]:4433\"]` |"));
    assert_eq!(Config::default().listen, ["[::]:4433".parse().expect("an address")]);
    let pairs = [
        (quic.receive_bytes_max, quic.receive_messages_max),
        (quic.connection_receive_bytes_max, quic.connection_receive_messages_max),
    ];
    for (bytes, messages) in pairs {
        assert!(PAGE.contains(&format!("| `{bytes}`, `{messages}` |")), "{bytes}");
    }
}

#[test]
fn every_key_changes_what_it_says() {
    let config = parse(
        "listen = [\"127.0.0.1:1\", \"[::1]:2\"]\nidentity = \"/id\"\naccept_any = true\n\
         peers = [\"0x000102030405060708090a0b0c0d0e0f\"]\naccept_incoming = false\n\
         stop_timeout_ms = 1\n\
         [certificates]\nchain = \"a\"\nkey = \"b\"\nauthorities = \"c\"\nserver_name = \"d\"\n\
         [socket]\npath = \"/s\"\nmode = \"0660\"\nusers = [5]\nany_user = true\n\
         [clients]\nmax = 2\nbuffer_bytes = 5000\nstall_timeout_ms = 0\nrequest_timeout_ms = 4\n\
         requests_max = 5\ninput_bytes_max = 20000000\n\
         [messages]\nbytes_max = 30000000\ncount_max = 6\nwhen_full = \"drop_oldest\"\n\
         [quic]\ncongestion = \"newreno\"\nstreams = \"per_channel\"\nkeep_alive_ms = 7\n\
         application_protocol = \"x/1\"\nmessage_bytes_max = 8\nidle_timeout_ms = 9\n\
         [log]\nlevel = \"debug\"\n",
    );
    assert_eq!(config.listen.len(), 2);
    assert_eq!(config.peers, [PeerId(std::array::from_fn(|index| index as u8))]);
    assert!(config.accept_any && !config.quic.accept_incoming);
    assert_eq!(config.stop_timeout, Duration::from_millis(1));
    let files = config.certificates.as_ref().expect("they are there");
    assert_eq!((files.key.as_path(), files.server_name.as_deref()), (Path::new("b"), Some("d")));
    let socket = SocketConfig { path: "/s".into(), mode: 0o660, users: vec![5], any_user: true };
    assert_eq!(config.socket, socket);
    assert_eq!((config.clients.max, config.clients.requests_max), (2, 5));
    assert_eq!(config.clients.stall_timeout, Duration::ZERO);
    assert_eq!(config.messages.when_full, WhenFull::DropOldest);
    assert_eq!((config.quic.congestion, &config.quic.alpn[..]), (Congestion::NewReno, &b"x/1"[..]));
    assert_eq!((config.quic.streams, config.quic.message_bytes_max), (StreamPolicy::PerChannel, 8));
    assert_eq!(config.quic.keep_alive, Duration::from_millis(7));
    assert_eq!(config.log_level, Level::Debug);
}

#[test]
fn what_a_reload_cannot_change_is_noticed() {
    let before = parse("").fixed();
    for (text, key) in [
        ("listen = [\"127.0.0.1:1\"]", "listen"),
        ("accept_any = true", "accept_any"),
        ("[socket]\npath = \"/x\"", "socket.path"),
        ("[quic]\nkeep_alive_ms = 1", "accept_incoming or [quic]"),
        ("[clients]\ninput_bytes_max = 20000000", "clients.input_bytes_max"),
    ] {
        let after = parse(text).fixed();
        let changed: Vec<&str> = before
            .iter()
            .zip(&after)
            .filter(|(old, new)| old.1 != new.1)
            .map(|(old, _)| old.0)
            .collect();
        assert_eq!(changed, [key], "{text}");
    }
    assert_eq!(parse("peers = []\n[clients]\nmax = 9\n[log]\nlevel = \"error\"").fixed(), before);
}
