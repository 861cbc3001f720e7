//! One direction, fed by hand.

use super::*;

const MESSAGE_MAX: u64 = 100_000;
const WINDOW: u32 = 50_000;
const NOTHING: Arrival = Arrival::Nothing;
const DELIVER: Arrival = Arrival::Deliver { skipped: 0 };

/// The eight modes, by the bits of their capabilities: close on loss, ordered, resend.
const UNORDERED: [u16; 4] = [0b000, 0b001, 0b100, 0b101];
const HOLDING: [u16; 3] = [0b011, 0b110, 0b111];
const DROPS_LATE: u16 = 0b010;

/// A direction with all that it needs.
struct Fed {
    receiving: Receiving,
    intake: Intake,
    spares: Spares,
    node_unfinished: u64,
}

impl Fed {
    fn new(mode: u16) -> Fed {
        Fed::with(mode, WINDOW, WINDOW)
    }

    fn with(mode: u16, window: u32, connection: u32) -> Fed {
        Fed {
            receiving: Receiving::new(Capabilities(mode), window),
            intake: Intake::new(connection),
            spares: Spares::default(),
            node_unfinished: 0,
        }
    }

    fn call<T>(&mut self, call: impl FnOnce(&mut Receiving, &mut Desk<'_>) -> T) -> T {
        let Fed { receiving, intake, spares, node_unfinished } = self;
        let mut desk = Desk { intake, spares, node_unfinished, message_max: MESSAGE_MAX };
        let result = call(receiving, &mut desk);
        assert_eq!(self.intake.unfinished, self.receiving.unfinished());
        assert_eq!(self.node_unfinished, self.receiving.unfinished());
        assert_eq!(self.intake.credit.held(), self.receiving.credit.held());
        assert_eq!(self.intake.credit.received(), self.receiving.credit.received());
        if let Some(apart) = &self.receiving.apart {
            let partials = apart.partials.iter().filter(|(_, one)| one.is_begun());
            let partials: u64 = partials.map(|(_, one)| charge_of(one.high())).sum();
            let held: u64 = apart.held.iter().map(|(_, one)| charge_of(one.len() as u64)).sum();
            assert_eq!(apart.waiting, partials + held);
        }
        result
    }

    fn data(&mut self, data: Data<'_>) -> Result<Arrival, Fault> {
        self.call(|receiving, desk| receiving.arrive(&data, desk))
    }

    /// A message in one piece.
    fn whole(&mut self, number: u64, bytes: &[u8]) -> Result<Arrival, Fault> {
        self.data(Data { number, offset: 0, is_final: true, bytes })
    }

    /// One piece of a message that is all of one byte.
    fn piece(&mut self, number: u64, offset: u64, len: usize, is_final: bool) -> Arrival {
        let bytes = vec![number as u8; len];
        self.data(Data { number, offset, is_final, bytes: &bytes }).expect("no rule is broken")
    }

    fn release(&mut self, skipped_to: u64) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.receiving.release(skipped_to, &mut self.spares)).collect()
    }

    fn skip(&mut self, number: u64, position: u64) -> Result<u64, Fault> {
        self.call(|receiving, desk| receiving.skip(number, position, desk))
    }

    fn close(&mut self, count: u64, position: u64) -> Result<(), Fault> {
        self.call(|receiving, desk| receiving.close(count, position, desk))
    }

    fn held(&self) -> u64 {
        self.receiving.credit.held()
    }

    fn received(&self) -> u64 {
        self.receiving.credit.received()
    }
}

// spec: 10.3 modes
#[test]
fn unordered_modes_take_every_number_once_in_any_order() {
    for mode in UNORDERED {
        let mut fed = Fed::new(mode);
        for number in [0, 3, 1, 5, 2, 4] {
            assert_eq!(fed.whole(number, b"12345678"), Ok(DELIVER), "mode {mode:03b}");
            assert_eq!(fed.whole(number, b"12345678"), Ok(NOTHING));
        }
        assert_eq!((fed.receiving.floor, fed.received(), fed.held()), (6, 240, 0));
        assert!(fed.receiving.apart.is_none(), "nothing is remembered");
    }
}

// spec: 10.3 modes
#[test]
fn holding_modes_deliver_only_the_next_number() {
    for mode in HOLDING {
        let mut fed = Fed::new(mode);
        assert_eq!(fed.whole(2, b"two"), Ok(NOTHING));
        assert_eq!(fed.whole(1, b"one"), Ok(NOTHING));
        assert_eq!(fed.whole(1, b"one"), Ok(NOTHING), "a duplicate");
        assert_eq!(fed.release(0), Vec::<Vec<u8>>::new());
        assert_eq!((fed.received(), fed.held()), (70, 70));
        assert_eq!(fed.whole(0, b"zero"), Ok(DELIVER));
        assert_eq!(fed.release(0), [b"one".to_vec(), b"two".to_vec()]);
        assert_eq!((fed.received(), fed.held()), (106, 70), "until they are read");
        assert!(fed.receiving.apart.is_none());
        assert_eq!(fed.whole(1, b"one"), Ok(NOTHING));
        assert_eq!(fed.whole(3, b"three"), Ok(DELIVER));
    }
}

// spec: 10.3 modes
#[test]
fn the_mode_that_drops_what_is_late_counts_it_all_the_same() {
    let mut fed = Fed::new(DROPS_LATE);
    assert_eq!(fed.whole(0, b"12345678"), Ok(DELIVER));
    assert_eq!(fed.whole(3, b"12345678"), Ok(Arrival::Deliver { skipped: 2 }));
    assert_eq!(fed.whole(2, b"12345678"), Ok(NOTHING), "late");
    assert_eq!(fed.whole(4, b"12345678"), Ok(DELIVER));
    assert_eq!((fed.receiving.floor, fed.received(), fed.held()), (1, 160, 0));
    // The last one comes in pieces, too late: the peer sees it acknowledged, and so it counts.
    assert_eq!(fed.piece(1, 0, 64, false), NOTHING);
    assert_eq!(fed.piece(1, 64, 64, true), NOTHING);
    assert_eq!((fed.receiving.floor, fed.received(), fed.held()), (5, 320, 0));
    assert!(fed.receiving.apart.is_none());
}

// spec: 10.3 modes
#[test]
fn a_message_in_pieces_that_a_later_one_overtakes_is_dropped_by_mode_010() {
    let mut fed = Fed::new(DROPS_LATE);
    assert_eq!(fed.piece(0, 0, 1_000, false), NOTHING);
    assert_eq!(fed.whole(1, b"12345678"), Ok(Arrival::Deliver { skipped: 1 }));
    assert_eq!(fed.piece(0, 1_000, 1_000, true), NOTHING);
    assert_eq!((fed.receiving.floor, fed.received(), fed.held()), (2, 2_072, 0));
}

// spec: 10.2 reassembly
#[test]
fn pieces_make_one_message_in_every_mode() {
    for mode in 0..8 {
        let mut fed = Fed::new(mode);
        assert_eq!(fed.piece(0, 2_000, 500, true), NOTHING);
        assert_eq!((fed.received(), fed.held()), (2_532, 2_532), "by its highest byte");
        assert_eq!(fed.piece(0, 0, 1_200, false), NOTHING);
        assert_eq!(fed.piece(0, 900, 1_000, false), NOTHING, "cut differently");
        assert_eq!(fed.receiving.unfinished(), 2_400);
        let bytes = vec![0; 2_500];
        assert_eq!(fed.piece(0, 1_800, 300, false), Arrival::Assembled { bytes, skipped: 0 });
        assert_eq!((fed.received(), fed.held()), (2_532, 2_532), "until it is read");
        assert_eq!(fed.piece(0, 0, 1_200, false), NOTHING, "a duplicate");
        assert_eq!(fed.receiving.floor, 1);
        let Fed { receiving, intake, .. } = &mut fed;
        receiving.let_go(2_532, intake);
        assert_eq!(fed.held(), 0);
    }
}

// spec: 10.2 reassembly, 10.3 modes
#[test]
fn messages_in_pieces_wait_for_their_turn_where_the_mode_says_so() {
    for mode in HOLDING {
        let mut fed = Fed::new(mode);
        assert_eq!(fed.piece(1, 0, 1_000, false), NOTHING);
        assert_eq!(fed.piece(1, 1_000, 1_000, true), NOTHING);
        assert_eq!(fed.piece(0, 0, 64, false), NOTHING);
        let bytes = vec![0; 128];
        assert_eq!(fed.piece(0, 64, 64, true), Arrival::Assembled { bytes, skipped: 0 });
        assert_eq!(fed.release(0), [vec![1; 2_000]]);
    }
    for mode in UNORDERED {
        let mut fed = Fed::new(mode);
        assert_eq!(fed.piece(1, 0, 1_000, false), NOTHING);
        let bytes = vec![1; 2_000];
        assert_eq!(fed.piece(1, 1_000, 1_000, true), Arrival::Assembled { bytes, skipped: 0 });
    }
}

// spec: 10.1 numbers and fragments
#[test]
fn pieces_that_break_a_rule_are_told_apart() {
    let data = |offset, is_final, bytes| Data { number: 0, offset, is_final, bytes };
    let large = [1; 64];
    for (data, fault) in [
        (data(0, false, &large[..63]), Fault::Protocol),
        (data(MESSAGE_MAX - 63, false, &large), Fault::TooLarge),
        (data(u64::MAX, true, &large[..1]), Fault::TooLarge),
        (data(60_000, false, &large), Fault::FlowControl),
    ] {
        assert_eq!(Fed::new(0).data(data), Err(fault), "{} {}", data.offset, data.is_final);
    }
    let mut fed = Fed::new(0);
    assert_eq!(fed.piece(0, 64, 64, true), NOTHING);
    assert_eq!(fed.data(data(64, true, &large[..1])), Err(Fault::ChannelState));
    assert_eq!(fed.data(data(128, true, &large[..1])), Err(Fault::ChannelState));
}

// spec: 11.3 receiving
#[test]
fn the_limits_of_channel_and_connection_hold_to_the_byte() {
    let mut fed = Fed::with(0, 100, 1_000);
    assert_eq!(fed.whole(0, &[1; 68]), Ok(DELIVER));
    assert_eq!(
        fed.receiving.arrive(&empty(1), &mut desk(&mut Fed::new(0))),
        Err(Fault::FlowControl)
    );
    let mut fed = Fed::with(0, 1_000, 99);
    let data = Data { number: 0, offset: 0, is_final: true, bytes: &[1; 68] };
    let Fed { receiving, intake, spares, node_unfinished } = &mut fed;
    let mut desk = Desk { intake, spares, node_unfinished, message_max: 1_000 };
    assert_eq!(receiving.arrive(&data, &mut desk), Err(Fault::FlowControl));
}

fn empty(number: u64) -> Data<'static> {
    Data { number, offset: 0, is_final: true, bytes: &[] }
}

fn desk(fed: &mut Fed) -> Desk<'_> {
    let Fed { intake, spares, node_unfinished, .. } = fed;
    Desk { intake, spares, node_unfinished, message_max: MESSAGE_MAX }
}

// spec: 10.1 numbers and fragments, 11.3 receiving
#[test]
fn a_number_that_the_limit_cannot_have_come_to_is_refused_at_once() {
    for mode in 0..8 {
        // 1000 bytes are 31 messages without a byte.
        let mut fed = Fed::with(mode, 1_000, 1_000);
        assert!(fed.whole(30, &[]).is_ok());
        assert!(fed.whole(29, &[]).is_ok());
        for number in [31, 1 << 40, u64::MAX] {
            let mut fed = Fed::with(mode, 1_000, 1_000);
            assert_eq!(fed.whole(number, &[]), Err(Fault::FlowControl), "{number}");
        }
    }
}

// spec: 10.5 skipping, 11.3 receiving
#[test]
fn skipping_gives_back_the_credit_of_what_was_lost() {
    for mode in [0b000, 0b001] {
        let mut fed = Fed::new(mode);
        assert_eq!(fed.whole(2, &[1; 68]), Ok(DELIVER));
        assert_eq!(fed.piece(1, 0, 64, false), NOTHING);
        assert_eq!(fed.skip(2, 50), Err(Fault::FlowControl), "less than what came below 2");
        assert_eq!(fed.skip(2, 1_000), Ok(2), "0, and 1 that was not whole");
        assert_eq!((fed.receiving.floor, fed.received(), fed.held()), (3, 1_100, 0));
        assert_eq!(fed.skip(1, 900), Ok(0), "nothing new");
        assert_eq!(fed.whole(1, b"late"), Ok(NOTHING));
        assert_eq!(fed.skip(u64::MAX, 2_000), Err(Fault::FlowControl), "each costs 32");
        assert_eq!(fed.skip(4, u64::from(WINDOW) + 1), Err(Fault::FlowControl));
    }
    let mut fed = Fed::new(DROPS_LATE);
    assert_eq!(fed.whole(2, &[1; 68]), Ok(Arrival::Deliver { skipped: 2 }));
    assert_eq!(fed.skip(2, 500), Ok(0), "they were reported");
    assert_eq!((fed.receiving.floor, fed.received(), fed.held()), (3, 600, 0));
    assert_eq!(fed.skip(5, 700), Ok(2));
    assert_eq!((fed.receiving.floor, fed.received()), (5, 700));
    assert!(fed.receiving.apart.is_none());
}

// spec: 10.5 skipping
#[test]
fn skipping_lets_go_what_was_held_for_it() {
    let mut fed = Fed::new(0b011);
    for number in [1, 3, 5] {
        assert_eq!(fed.whole(number, &[number as u8; 8]), Ok(NOTHING));
    }
    assert_eq!(fed.piece(2, 0, 64, false), NOTHING);
    assert_eq!(fed.skip(3, 300), Ok(2), "0 and 2");
    assert_eq!(fed.release(3), [vec![1; 8], vec![3; 8]]);
    assert_eq!((fed.receiving.floor, fed.received(), fed.held()), (4, 380, 120));
    assert_eq!(fed.whole(4, &[4; 8]), Ok(DELIVER));
    assert_eq!(fed.release(0), [vec![5; 8]]);
    assert!(fed.receiving.apart.is_none());
}

// spec: 10.5 skipping
#[test]
fn modes_that_close_on_loss_know_no_skipping() {
    for mode in [0b100, 0b110, 0b101, 0b111] {
        assert_eq!(Fed::new(mode).skip(1, 100), Err(Fault::ChannelState));
    }
}

// spec: 10.5 skipping, 11.3 receiving
#[test]
fn a_skip_into_the_middle_of_what_came_never_counts_too_much_and_ends_exact() {
    let mut fed = Fed::new(0b001);
    for number in 1..100 {
        assert_eq!(fed.whole(number, &[1; 68]), Ok(DELIVER));
    }
    // Number 0 cost 1000, and was given up; the acknowledgements of 50 and later are on the way.
    assert_eq!(fed.skip(50, 1_000 + 49 * 100), Ok(1));
    let exact = 1_000 + 99 * 100;
    assert!((9_900..=exact).contains(&fed.received()), "{}", fed.received());
    assert_eq!(fed.receiving.floor, 100);
    assert_eq!(fed.whole(101, &[1; 68]), Ok(DELIVER));
    assert_eq!(fed.skip(101, exact + 32), Ok(1));
    assert_eq!(fed.received(), exact + 132);
}

// spec: 8.11 CHANNEL_CLOSE
#[test]
fn a_close_holds_the_peer_to_its_word() {
    let mut fed = Fed::new(0);
    assert_eq!(fed.whole(1, &[1; 8]), Ok(DELIVER));
    assert_eq!(fed.close(1, 80), Err(Fault::ChannelState), "number 1 was there");
    assert_eq!(fed.close(2, 39), Err(Fault::FlowControl));
    assert_eq!(fed.close(2, u64::from(WINDOW) + 1), Err(Fault::FlowControl));
    assert_eq!(fed.close(2, 80), Ok(()));
    assert_eq!(fed.close(2, 80), Ok(()), "repeated");
    assert_eq!(fed.close(3, 80), Err(Fault::ChannelState));
    assert_eq!(fed.whole(2, &[1; 8]), Err(Fault::ChannelState));
    assert_eq!(fed.skip(3, 120), Err(Fault::ChannelState));
    assert!(!fed.receiving.is_ended());
    assert_eq!(fed.skip(2, 80), Ok(1));
    assert!(fed.receiving.is_ended() && fed.receiving.has_end());
}

// spec: 9.5 reset
#[test]
fn a_reset_cannot_deny_what_came_and_its_position_counts() {
    let mut fed = Fed::new(0b111);
    assert_eq!(fed.whole(1, &[1; 100]), Ok(NOTHING));
    assert_eq!(fed.piece(2, 0, 100, false), NOTHING);
    let reset =
        |fed: &mut Fed, position| fed.call(|receiving, desk| receiving.reset(position, desk));
    assert_eq!(reset(&mut fed, 263), Err(Fault::FlowControl));
    assert_eq!(reset(&mut fed, u64::from(WINDOW) + 1), Err(Fault::FlowControl));
    assert_eq!(reset(&mut fed, 1_000), Ok(()));
    assert_eq!(reset(&mut fed, 1_001), Err(Fault::FlowControl));
    fed.call(|receiving, desk| receiving.discard(desk));
    assert_eq!(fed.call(|receiving, desk| receiving.count_rest(desk.intake)), Ok(()));
    assert_eq!((fed.received(), fed.held()), (1_000, 0));
    assert!(fed.receiving.has_end() && !fed.receiving.is_ended());
}

// spec: 11.3 receiving
#[test]
fn a_message_larger_than_the_window_comes_to_its_end() {
    for mode in 0..8 {
        let mut fed = Fed::with(mode, 2_000, 2_000);
        let (mut offset, mut limit, mut connection) = (0, 2_000, 2_000);
        let arrival = loop {
            let room = limit.min(connection) - fed.received() - if offset == 0 { 32 } else { 0 };
            let len = room.min(20_000 - offset).min(700) as usize;
            assert!(len > 0, "stopped for ever at {offset}");
            let arrival = fed.piece(0, offset, len.max(64), offset + len as u64 == 20_000);
            offset += len as u64;
            if fed.receiving.is_due() {
                limit = fed.receiving.raise();
            }
            if fed.intake.is_due() {
                connection = fed.intake.raise();
            }
            if arrival != NOTHING {
                break arrival;
            }
        };
        assert_eq!(arrival, Arrival::Assembled { bytes: vec![0; 20_000], skipped: 0 });
        assert!(limit <= 2_000 + 20_000, "no more than what is held is lent");
    }
}

// spec: 10.2 reassembly, 16.1 table
#[test]
fn gaps_are_bounded_and_what_would_make_more_is_refused() {
    let mut fed = Fed::with(0b001, 1 << 30, 1 << 30);
    let gaps = super::super::ledger::RUNS_MAX as u64;
    for number in 0..gaps {
        assert_eq!(fed.whole(2 * number + 1, &[1; 4_096]), Ok(DELIVER));
    }
    assert_eq!(fed.whole(2 * gaps + 1, &[1; 8]), Ok(Arrival::Refuse));
    assert_eq!(fed.whole(0, &[1; 8]), Ok(DELIVER), "what closes one is welcome");
    assert_eq!(fed.whole(2 * gaps + 1, &[1; 8]), Ok(DELIVER));
}

// spec: 10.2 reassembly
#[test]
fn the_steady_state_takes_its_memory_from_what_was_given_back() {
    let mut fed = Fed::with(0b111, 1 << 30, 1 << 30);
    let mut places = std::collections::BTreeSet::new();
    for number in 0..100 {
        for at in 0..45 {
            let arrival = fed.piece(number, at * 1_400, 1_400, at == 44);
            if let Arrival::Assembled { bytes, .. } = arrival {
                assert_eq!(bytes.len(), 63_000);
                if number > 10 {
                    places.insert(bytes.as_ptr());
                }
                fed.spares.buffers.put(bytes, 0);
            }
        }
    }
    assert_eq!(places.len(), 1, "one buffer serves them all");
}
