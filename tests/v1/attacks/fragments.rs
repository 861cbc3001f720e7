//! Aim: fragments that overlap, contradict, are crumbs, or never end cost no more than was granted.
//! Method: a connected peer, which the test plays, cuts messages as it likes.

use channeler::id::Capabilities;
use channeler::wire::codes::ConnectionCode;

use super::puppets::{Attack, RELIABLE, data, number};
use crate::tools::MILLI;

// spec: 10.2 reassembly
#[test]
fn of_overlapping_fragments_the_first_bytes_stay_and_the_message_comes_once() {
    for capabilities in (0..8).map(Capabilities) {
        let mut attack = Attack::new();
        let channel = attack.open(0, capabilities);
        let on = number(0);
        attack.say_on(on, &[data(0, 100, false, &[1; 100])]);
        attack.say_on(on, &[data(0, 50, false, &[2; 100])]);
        attack.say_on(on, &[data(0, 150, false, &[3; 100])]);
        attack.say_on(on, &[data(0, 240, true, &[4; 60])]);
        attack.say_on(on, &[data(0, 0, false, &[5; 300])]);
        attack.say_on(on, &[data(0, 0, true, &[6; 300])]);
        attack.world.run_for(20 * MILLI);
        let mut expected = vec![5; 50];
        for (byte, count) in [(2, 50), (1, 100), (3, 50), (4, 50)] {
            expected.extend(vec![byte; count]);
        }
        assert_eq!(attack.world.receive_all(0, channel), [expected], "{capabilities:?}");
        attack.assert_lives(1);
    }
}

// spec: 10.1 numbers and fragments
#[test]
fn a_message_of_two_lengths_is_refused() {
    type Piece = (u64, bool, usize);
    let cases: [(Piece, Piece); 3] = [
        ((100, true, 100), (100, true, 200)),
        ((100, true, 100), (150, false, 100)),
        ((150, false, 100), (64, true, 64)),
    ];
    for (one, other) in cases {
        for (first, second) in [(one, other), (other, one)] {
            let mut attack = Attack::new();
            attack.open(0, RELIABLE);
            for (offset, is_final, len) in [first, second] {
                attack.say_on(number(0), &[data(0, offset, is_final, &vec![7; len])]);
            }
            attack.assert_ends(ConnectionCode::ChannelState);
        }
    }
}

// spec: 10.1 numbers and fragments
#[test]
fn a_fragment_that_is_a_crumb_is_refused_unless_it_is_the_last() {
    let mut attack = Attack::new();
    attack.open(0, RELIABLE);
    attack.say_on(number(0), &[data(0, 0, false, &[7; 64]), data(0, 64, true, &[7; 1])]);
    attack.assert_lives(1);
    attack.say_on(number(0), &[data(1, 0, false, &[7; 63])]);
    attack.assert_ends(ConnectionCode::Protocol);
}

// spec: 10.1 numbers and fragments
#[test]
fn a_message_above_the_largest_is_refused_by_its_first_fragment_that_shows_it() {
    let mut attack = Attack::with(|config| config.message_bytes_max = 10_000);
    attack.open(0, RELIABLE);
    attack.say_on(number(0), &[data(0, 9_900, true, &[7; 100])]);
    attack.assert_lives(1);
    attack.say_on(number(0), &[data(1, 9_901, false, &[7; 100])]);
    attack.assert_ends(ConnectionCode::TooLarge);
}

// spec: 10.2 reassembly, 11.3 receiving
#[test]
fn messages_that_never_end_hold_twice_what_they_cost_at_most() {
    for capabilities in (0..8).map(Capabilities) {
        let mut attack = Attack::new();
        attack.open(0, capabilities);
        let mut charge = 0;
        let mut message = 0;
        // Crumbs of 64 bytes with holes between them, ten a message, until the window is used.
        let window = attack.puppet.params().channel_data_max.min(200_000);
        while charge + 10 * 128 + 32 < window {
            for piece in 0..10 {
                let piece = data(message, piece * 128 + 1, false, &[7; 64]);
                attack.puppet.send(&mut attack.world, number(0), &[piece]);
            }
            charge += 9 * 128 + 65 + 32;
            message += 1;
            attack.world.run_for(MILLI);
        }
        attack.world.run_for(20 * MILLI);
        let held = attack.world.node(0).connection_stats(attack.connection).expect("it lives");
        assert!(held.receive_queue_bytes <= 2 * charge, "{capabilities:?}: {held:?} of {charge}");
        attack.assert_lives(1);
    }
}

// spec: 10.2 reassembly
#[test]
fn fragments_repeated_a_thousand_times_hold_what_one_does() {
    let mut attack = Attack::new();
    attack.open(0, RELIABLE);
    for _ in 0..1_000 {
        attack.say_on(number(0), &[data(3, 100, false, &[7; 1_000])]);
    }
    attack.world.run_for(20 * MILLI);
    let held = attack.world.node(0).connection_stats(attack.connection).expect("it lives");
    assert!(held.receive_queue_bytes <= 2 * (1_100 + 32), "{held:?}");
    attack.assert_lives(1);
}
