//! Wrong keys and certificates: the client hears why, on either side.

use channeler::daemon::{Answer, Request};
use channeler::error::Error;

use super::world::{Setup, TEAM};

fn code(error: Error) -> u32 {
    error.code().unsigned_abs()
}

fn refusal(of: &super::world::Daemon, to: &str) -> (u32, String) {
    let mut client = of.client();
    client.ask_with(&Request::Send { address: to, team: TEAM, label: "x" }, b"hello");
    let (_, told, text) = client.answer().error();
    (told, text)
}

fn believing(peers: &str) -> Setup {
    Setup { root: format!("peers = [{peers}]\n"), ..Setup::new() }
}

#[test]
fn a_peer_that_we_do_not_list_is_named() {
    let (first, second) = (believing("").start(), Setup::new().start());
    let (told, text) = refusal(&first, &second.address());
    assert_eq!(told, code(Error::Refused), "{text}");
    assert!(text.contains(&second.peer) && text.contains("not one of our `peers`"), "{text}");
}

#[test]
fn a_peer_that_does_not_list_us_says_so() {
    let (first, mut second) = (Setup::new().start(), believing("").start());
    let (told, text) = refusal(&first, &second.address());
    assert_eq!(told, code(Error::Refused), "{text}");
    assert!(text.contains("refused us: your peer id is not known here"), "{text}");
    let line = second.expect("not one of our `peers`");
    assert!(line.contains(&first.peer), "{line}");
}

#[test]
fn peers_that_list_each_other_are_believed() {
    let first = believing("").start();
    let second = believing(&format!("\"{}\"", first.peer)).start();
    // The first learns the second's id only now.
    let mut first = first;
    first.setup.root = format!("peers = [\"{}\"]\n", second.peer);
    first.setup.write();
    first.signal(rustix::process::Signal::HUP);
    first.expect("was read again");
    first.client().send(&second.address(), "x", b"hello");
    assert_eq!(second.client().receive().1, b"hello");
}

#[test]
fn a_connect_that_names_the_peer_takes_that_one_alone() {
    let (first, second) = (believing("").start(), Setup::new().start());
    let to = second.address();
    let mut client = first.client();
    client.ask(&Request::Connect { address: &to, peer: Some([1; 16]) });
    let (_, told, text) = client.answer().error();
    assert_eq!(told, code(Error::Identity), "{text}");
    let peer: channeler::id::PeerId = second.peer.parse().expect("it is one");
    client.ask(&Request::Connect { address: &to, peer: Some(peer.0) });
    assert_eq!(client.answer().read().1, Answer::Connected { peer: peer.0 });
    client.send(&to, "x", b"hello");
    client.ask(&Request::Connect { address: &to, peer: Some([1; 16]) });
    assert_eq!(client.answer().error().1, code(Error::Identity));
}

#[test]
fn nobody_there_is_told_after_the_dial_timeout() {
    let first = Setup::with("[quic]\ndial_timeout_ms = 300\n").start();
    let (told, text) = refusal(&first, "127.0.0.1:9");
    assert_eq!(told, code(Error::Timeout), "{text}");
}

/// With the test certificates, which are for 10.0.0.x or for the name `node.test`.
fn certified(name: &str, authority: &str) -> Setup {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/quic");
    let tables = format!(
        "[certificates]\nchain = \"{folder}/{name}.pem\"\nkey = \"{folder}/{name}.key\"\n\
         authorities = \"{folder}/{authority}.pem\"\nserver_name = \"node.test\"\n"
    );
    Setup { root: String::new(), ..Setup::with(&tables) }
}

#[test]
fn certificates_of_one_authority_are_believed_and_others_refused_with_the_reason() {
    let (first, second) = (certified("one", "first").start(), certified("two", "first").start());
    first.client().send(&second.address(), "x", b"hello");
    assert_eq!(second.client().receive().1, b"hello");

    let other = certified("three", "second").start();
    let (told, text) = refusal(&other, &second.address());
    assert_eq!(told, code(Error::Identity), "{text}");
    assert!(text.contains("UnknownIssuer"), "{text}");
    let (told, text) = refusal(&second, &other.address());
    assert_eq!(told, code(Error::Identity), "{text}");
    assert!(text.contains("UnknownIssuer"), "{text}");
}

#[test]
fn raw_keys_and_certificates_do_not_mix_and_the_client_hears_of_it() {
    let (first, second) = (Setup::new().start(), certified("two", "first").start());
    let (told, text) = refusal(&first, &second.address());
    assert!([code(Error::Crypto), code(Error::Identity)].contains(&told), "{told} {text}");
    assert!(text.len() > 20, "{text}");
}
