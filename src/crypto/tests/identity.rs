//! Identities as PEM text, and what is refused.

use super::super::{Identity, IdentityError, PublicKey, equal};

/// Written by `openssl genpkey -algorithm ed25519` from the seed 00 01 .. 1f.
const PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n\
    -----END PRIVATE KEY-----\n";

fn example() -> Identity {
    Identity::from_seed(std::array::from_fn(|index| index as u8))
}

// spec: 3.1 keys
#[test]
fn pem_of_openssl_is_read_and_written_byte_for_byte() {
    let identity = Identity::from_pem(PEM.as_bytes()).expect("it is a key");
    assert_eq!(identity.seed(), example().seed());
    assert_eq!(identity.to_pem().as_str(), PEM);
}

#[test]
fn pem_with_other_line_ends_and_text_around_it_is_read() {
    let windows = PEM.replace('\n', "\r\n");
    let commented = format!("my node's key\nkeep it\n{PEM}");
    for text in [windows, commented, PEM.trim_end().to_owned()] {
        let identity = Identity::from_pem(text.as_bytes());
        let identity = identity.unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(identity.peer_id(), example().peer_id());
    }
}

#[test]
fn pem_with_the_public_key_beside_the_private_one_is_read() {
    // PKCS#8 version 2, as ring and aws-lc-rs write it.
    let pair =
        aws_lc_rs::signature::Ed25519KeyPair::from_seed_unchecked(example().seed()).expect("a key");
    let der = pair.to_pkcs8().expect("a document");
    let text = pem_rfc7468::encode_string("PRIVATE KEY", pem_rfc7468::LineEnding::LF, der.as_ref());
    let identity = Identity::from_pem(text.expect("it fits").as_bytes()).expect("it is a key");
    assert_eq!(identity.peer_id(), example().peer_id());
}

#[test]
fn generated_identities_differ_and_come_back_from_their_pem() {
    let [a, b] = [(); 2].map(|()| Identity::generate().expect("the system has randomness"));
    assert_ne!(a.peer_id(), b.peer_id());
    let again = Identity::from_pem(a.to_pem().as_bytes()).expect("it was just written");
    assert_eq!(again.public_key(), a.public_key());
}

#[test]
fn what_is_no_pem_is_refused_with_what_would_be() {
    for text in ["", "MC4CAQAwBQYDK2Vw", "-----BEGIN PRIVATE KEY-----", "\0\u{1}\u{2}"] {
        let error = Identity::from_pem(text.as_bytes()).expect_err(text);
        assert_eq!(error, IdentityError::NotPem, "{text:?}");
        assert!(error.to_string().contains("-----BEGIN PRIVATE KEY-----"));
    }
}

#[test]
fn pem_of_something_else_is_refused_by_its_name() {
    for label in ["ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY", "PUBLIC KEY", "CERTIFICATE"] {
        let text = PEM.replace("PRIVATE KEY", label);
        let error = Identity::from_pem(text.as_bytes()).expect_err(label);
        assert_eq!(error, IdentityError::Label(label.to_owned()));
        assert!(error.to_string().contains(label) && error.to_string().contains("Ed25519"));
    }
}

#[test]
fn damaged_pem_is_refused() {
    for text in [PEM.replace("MC4C", "M*4C"), PEM.replace("HR4f", "HR4")] {
        let error = Identity::from_pem(text.as_bytes()).expect_err("it is damaged");
        assert!(matches!(error, IdentityError::Damaged(_)), "{error:?}");
    }
}

#[test]
fn keys_of_other_algorithms_are_refused() {
    // The same document with the object identifier of X25519, cut short, and far too long.
    let x25519 = PEM.replace("MC4CAQAwBQYDK2Vw", "MC4CAQAwBQYDK2Vu");
    let short = pem_of(&[0x30, 0x00]);
    let long = pem_of(&[0x30; 1200]);
    for text in [x25519, short, long] {
        let error = Identity::from_pem(text.as_bytes()).expect_err("no Ed25519 key");
        assert_eq!(error, IdentityError::NotEd25519);
    }
}

fn pem_of(der: &[u8]) -> String {
    pem_rfc7468::encode_string("PRIVATE KEY", pem_rfc7468::LineEnding::LF, der).expect("it fits")
}

// spec: 3.1 keys
#[test]
fn a_public_key_in_any_other_form_is_refused() {
    let key = example().public_key();
    assert_eq!(PublicKey::from_spki(key.spki()), Ok(key));
    assert_eq!(PublicKey::from_raw(key.raw()), key);
    let spki = key.spki();
    for size in [0, 32, 43] {
        assert_eq!(PublicKey::from_spki(&spki[..size]), Err(IdentityError::PublicKey(size)));
    }
    assert!(PublicKey::from_spki(&[&spki[..], &[0]].concat()).is_err());
    for byte in 0..12 {
        let mut changed = *spki;
        changed[byte] ^= 1;
        assert!(PublicKey::from_spki(&changed).is_err(), "byte {byte}");
    }
}

#[test]
fn the_private_key_is_not_in_debug_output() {
    let text = format!("{:?}", example());
    assert!(text.contains(&example().peer_id().to_string()) && !text.contains("01020304"));
}

#[test]
fn comparison_tells_equal_from_different() {
    assert!(equal(b"", b"") && equal(b"same", b"same"));
    assert!(!equal(b"same", b"sama") && !equal(b"same", b"sam") && !equal(b"", b"x"));
}
