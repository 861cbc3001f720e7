//! Transport parameters, against bytes written by hand.

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::wire::is_grease;

const TOKEN_BYTES: [u8; 10] = [9, 8, 1, 2, 3, 4, 5, 6, 7, 8];
const OWN: Token = Token([1, 2, 3, 4, 5, 6, 7, 8]);

fn decode(parts: &[&[u8]], sender: Side) -> Result<Params, ParamsError> {
    Params::decode(&parts.concat(), sender)
}

/// Id and body of each parameter.
fn split(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut parts = Vec::new();
    while !bytes.is_empty() {
        let mut reader = Reader::new(bytes);
        let (id, len) = (reader.varint().expect("an id"), reader.varint().expect("a length"));
        parts.push((id, reader.bytes(len as usize).expect("a body").to_vec()));
        bytes = &bytes[reader.position()..];
    }
    parts
}

// spec: 7.11 transport parameters
#[test]
fn defaults_are_those_of_the_page() {
    let params =
        decode(&[&TOKEN_BYTES], Side::Initiator).expect("the token is all that is required");
    assert_eq!(params, Params::new(OWN));
    assert_eq!((params.idle_timeout_ms, params.datagram_max), (60_000, 65_527));
    assert_eq!((params.data_max, params.channel_data_max, params.channels_max), (0, 0, 0));
    assert_eq!((params.message_max, params.ack_delay_max_us), (16 * 1024 * 1024, 25_000));
    assert_eq!((params.paths_max, params.token, params.reset), (16, OWN, None));
}

// spec: 7.11 transport parameters
#[test]
fn each_has_its_id_and_comes_back() {
    let bytes = [
        &[1, 1, 0][..],
        &[2, 2, 0x88, 0x30],
        &[3, 1, 3],
        &[4, 1, 4],
        &[5, 1, 5],
        &[6, 1, 6],
        &[7, 1, 7],
        &[8, 1, 8],
        &TOKEN_BYTES,
        &[&[10, 16][..], &[0xab; 16]].concat(),
    ];
    let params = decode(&bytes, Side::Responder).expect("each is in its range");
    let expected = Params {
        idle_timeout_ms: 0,
        datagram_max: 1200,
        data_max: 3,
        channel_data_max: 4,
        channels_max: 5,
        message_max: 6,
        ack_delay_max_us: 7,
        paths_max: 8,
        token: OWN,
        reset: Some([0xab; 16]),
    };
    assert_eq!(params, expected);
    // A generator whose first number is even adds nothing.
    let without_grease =
        (0..).map(ChaCha8Rng::seed_from_u64).map(|mut rng| params.encode(&mut rng));
    let shortest = without_grease.take(20).min_by_key(Vec::len).expect("20 of them");
    assert_eq!(shortest, bytes.concat());
}

// spec: 7.11, 1.4
#[test]
fn unknown_ones_are_ignored_and_grease_is_sent_now_and_then() {
    for unknown in [&[11, 1, 0xff][..], &[63, 0], &[64, 3, 1, 2, 3], &[95, 0, 95, 0]] {
        let params = decode(&[unknown, &TOKEN_BYTES, unknown_again(unknown)], Side::Initiator);
        assert_eq!(params, Ok(Params::new(OWN)), "{unknown:x?}");
    }
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut greased = 0;
    for _ in 0..200 {
        let bytes = Params::new(OWN).encode(&mut rng);
        assert_eq!(Params::decode(&bytes, Side::Initiator), Ok(Params::new(OWN)));
        for (id, body) in split(&bytes).into_iter().filter(|(id, _)| *id >= OWN_IDS_END) {
            assert!(is_grease(id) && body.len() <= GREASE_LEN_MAX);
            greased += 1;
        }
    }
    assert!((50..150).contains(&greased), "{greased} of 200");
}

/// The same once more, where that is allowed.
fn unknown_again(unknown: &[u8]) -> &[u8] {
    if u64::from(unknown[0]) < OWN_IDS_END { &[] } else { unknown }
}

// spec: 7.11 transport parameters
#[test]
fn twice_missing_cut_and_misplaced_are_refused() {
    for (bytes, error) in [
        (&[][..], ParamsError::Missing(9)),
        (&[1, 1, 5], ParamsError::Missing(9)),
        (&[1, 1, 5, 1, 1, 5], ParamsError::Twice(1)),
        (&[12, 0, 12, 0], ParamsError::Twice(12)),
        (&[9, 7, 1, 2, 3, 4, 5, 6, 7], ParamsError::BadLength(9)),
        (&[9, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9], ParamsError::BadLength(9)),
        (&[10, 1, 0], ParamsError::BadLength(10)),
        (&[3, 0], ParamsError::BadLength(3)),
        (&[3, 2, 1, 1], ParamsError::BadLength(3)),
        (&[3, 1, 0x80], ParamsError::BadLength(3)),
        (&[3], ParamsError::Malformed),
        (&[3, 2, 1], ParamsError::Malformed),
        (&[0x80], ParamsError::Malformed),
    ] {
        assert_eq!(Params::decode(bytes, Side::Responder), Err(error), "{bytes:x?}");
    }
    let twice = decode(&[&TOKEN_BYTES, &TOKEN_BYTES], Side::Responder);
    assert_eq!(twice, Err(ParamsError::Twice(9)));
    let reset = [&[10, 16][..], &[1; 16]].concat();
    let by_initiator = decode(&[&TOKEN_BYTES, &reset], Side::Initiator);
    assert_eq!(by_initiator, Err(ParamsError::NotAllowed(10)));
}

// spec: 7.11 transport parameters
#[test]
fn values_outside_of_their_ranges_are_refused() {
    for number in NUMBERS {
        let (least, largest) = (*number.range.start(), *number.range.end());
        for (value, is_allowed) in [
            (Some(least), true),
            (Some(largest), true),
            (least.checked_sub(1), false),
            (largest.checked_add(1), false),
        ] {
            let Some(value) = value else { continue };
            let mut bytes = TOKEN_BYTES.to_vec();
            let (body, start) = varint::encode(value);
            push(&mut bytes, number.id, &body[start..]);
            let decoded = Params::decode(&bytes, Side::Initiator);
            assert_eq!(decoded.is_ok(), is_allowed, "{} = {value}", number.name);
            assert!(is_allowed || decoded == Err(ParamsError::OutOfRange(number.id)));
        }
    }
}

// spec: 7.13 early data
#[test]
fn lower_than_before_is_found_in_those_kept_with_tickets_alone() {
    for number in NUMBERS {
        let before = Params::new(OWN);
        let mut lower = before.clone();
        (number.set)(&mut lower, number.default.wrapping_sub(1));
        let is_kept_and_not_0 = number.is_kept && number.default > 0;
        assert_eq!(lower.is_lower_than(&before), is_kept_and_not_0, "{}", number.name);
    }
}

#[test]
fn debug_text_keeps_the_reset_value_to_itself() {
    let params = Params { reset: Some([0x5a; 16]), ..Params::new(OWN) };
    assert!(!format!("{params:?}").contains("90"), "{params:?}");
}

proptest! {
    #[test]
    fn what_encodes_decodes_to_itself(
        values in prop::array::uniform8(any::<u64>()),
        token in any::<[u8; 8]>(),
        reset in prop::option::of(any::<[u8; 16]>()),
        seed in any::<u64>(),
    ) {
        let mut params = Params { reset, ..Params::new(Token(token)) };
        for (number, value) in NUMBERS.iter().zip(values) {
            let (least, largest) = (*number.range.start(), *number.range.end());
            let width = (largest - least).saturating_add(1);
            (number.set)(&mut params, least + value % width);
        }
        let bytes = params.encode(&mut ChaCha8Rng::seed_from_u64(seed));
        prop_assert_eq!(Params::decode(&bytes, Side::Responder), Ok(params.clone()));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(prop_oneof![0..12_u8, any::<u8>()], 0..60)) {
        let _ = Params::decode(&bytes, Side::Initiator);
        let _ = Params::decode(&[&TOKEN_BYTES[..], &bytes].concat(), Side::Responder);
    }
}
