//! Every number of chapter 20, as Python's `cryptography` computed it apart from us.

use rustls::quic::PacketKey;

use super::super::suite::{HeaderKeys, Secret};
use super::super::{
    CookieKeys, Epochs, Identity, LevelKeys, Limits, ReplayWindow, ResetKey, SealInfo, Secrets,
    Suite, TAG_SIZE,
};
use super::{Vectors, at};
use crate::id::{AttemptId, ChannelNumber, PathId, Side, Token};
use crate::time::Time;

const CHANNEL: ChannelNumber = ChannelNumber(2);
const PATH: PathId = PathId(3);

fn example_identity() -> Identity {
    let seed = Vectors::section("Identity").bytes("private key (seed)");
    Identity::from_seed(seed.try_into().expect("32 bytes"))
}

// spec: 3.1, 3.2, 20.1
#[test]
fn spki_and_peer_id_are_those_of_the_specification() {
    let vectors = Vectors::section("Identity");
    let identity = example_identity();
    assert_eq!(identity.public_key().spki().as_slice(), vectors.bytes("SPKI"));
    assert_eq!(identity.peer_id().0.as_slice(), vectors.bytes("peer id"));
}

// spec: 14.6 stateless reset: sending
#[test]
fn reset_value_is_that_of_the_specification() {
    let vectors = Vectors::section("Stateless reset");
    let key = ResetKey::new(&example_identity(), b"");
    let token = Token(vectors.bytes("token").try_into().expect("8 bytes"));
    assert_eq!(key.value(token).as_slice(), vectors.bytes("reset value"));
    let other = ResetKey::new(&example_identity(), b"second instance");
    assert_ne!(other.value(token), key.value(token));
}

// spec: 7.9 cookies
#[test]
fn cookie_is_that_of_the_specification() {
    let vectors = Vectors::section("Cookie for 192.0.2.1:4567 at 1234 s");
    let seed = std::array::from_fn(|index| 0x10 + index as u8);
    let mut keys = CookieKeys::new(seed, at(1000));
    let ids = [0x40, 0x20].map(|first: u8| AttemptId(std::array::from_fn(|i| first + i as u8)));
    let address = "192.0.2.1:4567".parse().expect("an address");
    let cookie = keys.make(at(1234), address, ids[0], ids[1]);
    assert_eq!(cookie.as_slice(), vectors.bytes("cookie"));
}

// spec: 6.1, 4.3
#[test]
fn level_0_packet_of_the_responder_is_that_of_the_specification() {
    let vectors = Vectors::section(
        "A level 0 packet of the responder: number 1, ACK of number 0, CRYPTO \"hello\" at 0",
    );
    let (header, payload) = (vectors.bytes("AAD"), vectors.bytes("payload"));
    let number_offset = header.len() - 4;
    let mut packet = [&header[..number_offset], &[0; 4], &payload, &[0; TAG_SIZE]].concat();
    let keys = initial_keys(Side::Responder);
    keys.local.seal(1, number_offset, &mut packet);
    assert_eq!(packet, vectors.bytes("packet"));

    let peer = initial_keys(Side::Initiator);
    let (number, range) = peer.remote.open(number_offset, Some(0), &mut packet).expect("it opens");
    assert_eq!((number, &packet[range]), (1, payload.as_slice()));
    assert_eq!(packet[..header.len()], header);
}

// spec: 4.3 sealing
#[test]
fn padded_level_0_packet_of_the_initiator_is_that_of_the_specification() {
    let vectors = Vectors::section(
        "A padded level 0 packet of the initiator: number 2, cookie, CRYPTO \"hello\", PADDING",
    );
    let start = vectors.bytes("first 96 bytes");
    let number_offset = 45 + 20;
    let mut packet = [&start[..number_offset], &[0; 4], &[4, 6, 0][..], b"hello"].concat();
    packet.resize(1200, 0);
    initial_keys(Side::Initiator).local.seal(2, number_offset, &mut packet);
    assert_eq!(packet[..96], start);
    assert_eq!(packet[1184..], vectors.bytes("last 16 bytes"));
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &packet);
    assert_eq!(hash.as_ref(), vectors.bytes("SHA-256 of all 1200"));
}

fn initial_keys(side: Side) -> LevelKeys {
    let original = Vectors::section("Level 0 keys").bytes("original id");
    LevelKeys::initial(AttemptId(original.try_into().expect("16 bytes")), side)
}

// spec: 6.2, 6.4
#[test]
fn secrets_and_header_masks_follow_the_chain_of_the_specification() {
    for (suite, name) in SUITES {
        let vectors = Vectors::section(&format!("{name}: initiator's keys"));
        let first = Secret::new(suite, &vectors.bytes("secret[0]"));
        let mut headers = HeaderKeys::new(suite);
        let masks = headers.masks(&first);
        let mut secret = first;
        for (epoch, title) in EPOCHS.iter().enumerate() {
            let vectors = Vectors::section(&format!("{name}: {title}"));
            assert_eq!(secret.as_bytes(), vectors.bytes("secret"), "{name} epoch {epoch}");
            let sample = vectors.bytes("sample").try_into().expect("16 bytes");
            let mask = masks.of(&sample);
            let (number, channel) = (vectors.bytes("number mask"), vectors.bytes("channel mask"));
            // Of its first byte four bits are used.
            assert_eq!(mask.first, number[0] & 0xf, "{name}");
            assert_eq!(mask.number.to_be_bytes(), number[1..], "{name}");
            assert_eq!(mask.channel.to_be_bytes(), channel[1..], "{name}");
            secret = secret.next();
        }
    }
}

// spec: 6.3, 6.5
#[test]
fn channel_keys_seal_with_the_nonce_of_path_and_number() {
    for (suite, name) in SUITES {
        for (title, number) in EPOCHS.iter().zip(NUMBERS) {
            let vectors = Vectors::section(&format!("{name}: {title}"));
            let ours = Secret::new(suite, &vectors.bytes("secret")).channel_key(CHANNEL);
            let header = vectors.bytes("AAD");
            // The same cipher with key and nonce of the specification, by aws-lc-rs alone.
            let theirs = reference_key(suite, &vectors.bytes("key"));
            let nonce: [u8; 12] = vectors.bytes("nonce").try_into().expect("12 bytes");
            let mut expected = vectors.bytes("payload");
            theirs
                .seal_in_place_append_tag(
                    aws_lc_rs::aead::Nonce::assume_unique_for_key(nonce),
                    aws_lc_rs::aead::Aad::from(&header),
                    &mut expected,
                )
                .expect("it seals");
            let mut sealed = vectors.bytes("payload");
            let tag = seal_on_path(&*ours, number, &header, &mut sealed);
            sealed.extend(tag);
            assert_eq!(sealed, expected, "{name} {title}");
            let iv_path = [PATH.0.to_be_bytes().as_slice(), &number.to_be_bytes()].concat();
            let mixed: Vec<u8> =
                vectors.bytes("iv").iter().zip(iv_path).map(|(a, b)| a ^ b).collect();
            assert_eq!(mixed, nonce);
        }
    }
}

fn seal_on_path(key: &dyn PacketKey, number: u64, header: &[u8], payload: &mut [u8]) -> Vec<u8> {
    let tag = key.encrypt_in_place_for_path(PATH.0, number, header, payload).expect("it seals");
    tag.as_ref().to_vec()
}

fn reference_key(suite: Suite, key: &[u8]) -> aws_lc_rs::aead::LessSafeKey {
    let algorithm = match suite {
        Suite::Aes256Gcm => &aws_lc_rs::aead::AES_256_GCM,
        Suite::ChaCha20Poly1305 => &aws_lc_rs::aead::CHACHA20_POLY1305,
    };
    let key = aws_lc_rs::aead::UnboundKey::new(algorithm, key).expect("32 bytes");
    aws_lc_rs::aead::LessSafeKey::new(key)
}

// spec: 5.1, 5.2, 5.3, 6.6
#[test]
fn short_packets_of_both_epochs_are_those_of_the_specification() {
    for (suite, name) in SUITES {
        let first = Vectors::section(&format!("{name}: initiator's keys")).bytes("secret[0]");
        let epochs = |side| {
            let secrets = Secrets::from_bytes(suite, &first, &vec![7; suite.hash_size()]);
            Epochs::new(secrets, side, Limits::of(suite), 0)
        };
        let (mut sender, mut receiver) = (epochs(Side::Initiator), epochs(Side::Responder));
        sender.confirm();
        let mut window = ReplayWindow::new();
        for (epoch, title) in EPOCHS.iter().enumerate() {
            let vectors = Vectors::section(&format!("{name}: {title}"));
            let (header, payload) = (vectors.bytes("AAD"), vectors.bytes("payload"));
            if epoch == 1 {
                // As if the peer had followed every rule of 6.7.
                sender.on_acked(Time::ZERO, 0, 0).expect("the same epoch");
                sender.ask_update();
                assert!(sender.handle_timeout(at(1), std::time::Duration::ZERO));
                let mut own = super::layout(1, &[0; 4]);
                let info = SealInfo { channel: CHANNEL, path: PATH, number: 0, number_len: 1 };
                receiver.seal(&info, &mut own).expect("room");
                // So that one byte of number is enough to tell 0x1abcdef.
                assert!(window.insert(NUMBERS[1] - 1));
            }
            let number_len = header.len() - 13;
            let mut packet = super::layout(number_len, &payload);
            packet[..9].copy_from_slice(&header[..9]);
            packet[0] = 0;
            let info =
                SealInfo { channel: CHANNEL, path: PATH, number: NUMBERS[epoch], number_len };
            assert_eq!(sender.seal(&info, &mut packet), Ok(epoch as u32));
            assert_eq!(packet, vectors.bytes("packet"), "{name} epoch {epoch}");

            let opened = receiver
                .open(at(2), PATH, &mut window, &mut packet, |channel| channel == CHANNEL)
                .expect("it opens");
            assert_eq!((opened.number, opened.epoch), (NUMBERS[epoch], epoch as u32));
            assert_eq!(packet[opened.payload], payload);
            assert_eq!(packet[..header.len()], header, "unmasked");
        }
    }
}

const SUITES: [(Suite, &str); 2] = [
    (Suite::Aes256Gcm, "TLS_AES_256_GCM_SHA384"),
    (Suite::ChaCha20Poly1305, "TLS_CHACHA20_POLY1305_SHA256"),
];

const EPOCHS: [&str; 2] = [
    "epoch 0, channel 00000002, path 3, number 0x1234",
    "epoch 1, channel 00000002, path 3, number 0x1abcdef",
];

const NUMBERS: [u64; 2] = [0x1234, 0x1ab_cdef];
