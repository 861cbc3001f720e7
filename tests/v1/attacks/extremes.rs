//! Aim: numbers, lengths and limits at their extremes are refused with their code, or change
//! nothing; none of them costs memory or time.
//! Method: a connected peer, which the test plays, sends each field with values of both ends.

use channeler::id::Capabilities;
use channeler::wire::codes::ConnectionCode;
use channeler::wire::frame::{
    AckRate, ChannelClose, ChannelLimit, ChannelReset, DataSkip, Frame, Reason, Source,
};

use super::puppets::{Attack, RELIABLE, data, new, number};
use crate::tools::MILLI;

const HUGE: [u64; 4] = [1 << 32, 1 << 62, u64::MAX - 1, u64::MAX];
const LARGE: &[u8] = &[5; 100];

// spec: 10.1 numbers and fragments, 11.3 receiving
#[test]
fn a_fragment_at_the_end_of_all_offsets_is_too_large() {
    for offset in HUGE {
        let mut attack = Attack::new();
        attack.open(0, RELIABLE);
        attack.say_on(number(0), &[data(0, offset, true, LARGE)]);
        attack.assert_ends(ConnectionCode::TooLarge);
    }
}

// spec: 10.2 reassembly, 11.3 receiving
#[test]
fn a_message_number_far_ahead_costs_no_memory() {
    for capabilities in (0..8).map(Capabilities) {
        for message in HUGE {
            let mut attack = Attack::new();
            attack.open(0, capabilities);
            attack.say_on(number(0), &[data(message, 0, false, LARGE)]);
            attack.world.run_for(20 * MILLI);
            let stats = attack.world.node(0).stats();
            assert!(stats.receive_queue_bytes <= 2 * (100 + 32), "{message}: {stats:?}");
            // Nothing forbids the number itself; a message below it may still come.
            if attack.verdict().is_none() {
                attack.assert_lives(1);
            }
        }
    }
}

// spec: 8.16 MAX_DATA and its kin
#[test]
fn limits_at_their_extremes_neither_wrap_nor_end_anything() {
    let mut attack = Attack::new();
    let channel = super::acks::open(&mut attack);
    let id = attack.world.node(0).channel_info(channel).expect("there").id;
    let ours = channeler::id::ChannelNumber(id.to_wire());
    for limit in [0, 1, u64::MAX - 1, u64::MAX, 0] {
        attack.say(&[
            Frame::MaxData { limit },
            Frame::MaxChannelData(ChannelLimit { channel: ours, limit }),
            Frame::DataBlocked { limit },
            Frame::ChannelDataBlocked(ChannelLimit { channel: ours, limit }),
        ]);
    }
    attack.world.run_for(20 * MILLI);
    attack.world.send(0, channel, b"within u64::MAX").expect("limits only rise");
    attack.puppet.run(&mut attack.world, 50 * MILLI);
    let packets = attack.puppet.take(&mut attack.world);
    let mut frames = packets.iter().flat_map(|packet| packet.frames());
    assert!(frames.any(|frame| matches!(frame, Frame::Data(data) if data.bytes.len() == 15)));
    attack.assert_lives(0);
}

// spec: 8.11 CHANNEL_CLOSE, 9.3 states
#[test]
fn a_close_that_counts_what_cannot_be_is_refused_or_waits_without_memory() {
    for count in HUGE {
        for position in HUGE {
            let mut attack = Attack::new();
            attack.open(0, RELIABLE);
            let close = ChannelClose { channel: number(0), count, position };
            attack.say(&[Frame::ChannelClose(close)]);
            // A final position above the limit can never be reached within it.
            let verdict = attack.verdict();
            assert!(
                verdict.is_none() || verdict == Some(ConnectionCode::FlowControl.code()),
                "{count} {position}: {verdict:?}"
            );
        }
    }
}

// spec: 8.11 CHANNEL_CLOSE
#[test]
fn a_close_below_what_came_and_one_that_differs_are_refused() {
    for (count, position) in [(0, 0), (1, 132), (2, 0)] {
        let mut attack = Attack::new();
        attack.open(0, RELIABLE);
        attack.say_on(number(0), &[data(0, 0, true, LARGE)]);
        attack.say_on(number(0), &[data(1, 0, true, LARGE)]);
        let close = ChannelClose { channel: number(0), count, position };
        attack.say(&[Frame::ChannelClose(close)]);
        let verdict = attack.verdict();
        let codes = [ConnectionCode::ChannelState, ConnectionCode::FlowControl];
        assert!(codes.iter().any(|code| Some(code.code()) == verdict), "{count}: {verdict:?}");
    }
    let mut attack = Attack::new();
    attack.open(0, RELIABLE);
    for count in [3, 4] {
        let close = ChannelClose { channel: number(0), count, position: 3 * 132 };
        attack.say(&[Frame::ChannelClose(close)]);
    }
    attack.assert_ends(ConnectionCode::ChannelState);
}

// spec: 8.15 DATA_SKIP, 11.3 receiving
#[test]
fn a_skip_over_all_numbers_is_refused_unless_its_position_is_within_the_limit() {
    for message in HUGE {
        for position in HUGE {
            let mut attack = Attack::new();
            attack.open(0, Capabilities(0b011));
            let skip = DataSkip { channel: number(0), number: message, position };
            attack.say(&[Frame::DataSkip(skip)]);
            attack.assert_ends(ConnectionCode::FlowControl);
        }
    }
    // Below what was received.
    let mut attack = Attack::new();
    attack.open(0, Capabilities(0b011));
    attack.say_on(number(0), &[data(1, 0, true, LARGE)]);
    let skip = DataSkip { channel: number(0), number: 2, position: 100 };
    attack.say(&[Frame::DataSkip(skip)]);
    attack.assert_ends(ConnectionCode::FlowControl);
}

// spec: 9.5 reset, 11.3 receiving
#[test]
fn a_reset_with_a_position_that_contradicts_is_refused() {
    let reset = |position| {
        let reason = Reason::default();
        let (channel, source) = (number(0), Source::Application);
        Frame::ChannelReset(ChannelReset { channel, source, code: 9, position, reason })
    };
    for position in HUGE.into_iter().chain([0, 131]) {
        let mut attack = Attack::new();
        attack.open(0, RELIABLE);
        attack.say_on(number(0), &[data(0, 0, true, LARGE)]);
        attack.say(&[reset(position)]);
        attack.assert_ends(ConnectionCode::FlowControl);
    }
    let mut attack = Attack::new();
    attack.open(0, RELIABLE);
    attack.say_on(number(0), &[data(0, 0, true, LARGE)]);
    attack.say(&[reset(132)]);
    attack.assert_lives(1);
}

// spec: 8.8 ACK_RATE, 13.3 acknowledging
#[test]
fn the_rarest_acks_that_can_be_asked_for_come_within_the_promised_delay() {
    let mut attack = Attack::new();
    let (packets, delay_us) = (1 << 14, 1 << 40);
    let path = channeler::id::PathId::ZERO;
    attack.say(&[Frame::AckRate(AckRate { path, packets, delay_us })]);
    attack.world.run_for(50 * MILLI);
    attack.puppet.take(&mut attack.world);
    attack.say(&[new(0, RELIABLE)]);
    // ack_delay_max of the node is 25 ms.
    attack.world.run_for(40 * MILLI);
    let answered = attack.puppet.take(&mut attack.world);
    let mut frames = answered.iter().flat_map(|packet| packet.frames());
    assert!(frames.any(|frame| matches!(frame, Frame::Ack(_))), "{answered:?}");
}
