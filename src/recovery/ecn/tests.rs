//! ECN counts that add up, and those that do not.

use super::{EcnCounts, EcnMark, EcnValidation};

// spec: 13.5 congestion control; RFC 9000 13.4.2
#[test]
fn counts_that_add_up_keep_marking_and_tell_new_congestion() {
    let mut ecn = sent(20);
    assert_eq!(ecn.on_ack(10, counts(8, 0, 2)), 2);
    assert_eq!(ecn.on_ack(5, counts(13, 0, 2)), 0);
    // The ACK of some packets was lost: more are counted than are newly acknowledged.
    assert_eq!(ecn.on_ack(1, counts(14, 0, 5)), 3);
    assert!(ecn.is_marking());
}

// spec: 13.5 congestion control; RFC 9000 13.4.2.1
#[test]
fn counts_that_cannot_be_true_end_marking() {
    for (name, first, second) in [
        ("no counts", counts(5, 0, 0), None),
        ("marks cleared on the way", counts(5, 0, 0), counts(6, 0, 0)),
        ("counted down", counts(5, 0, 0), counts(4, 0, 6)),
        ("CE counted down", counts(5, 0, 2), counts(12, 0, 1)),
        ("ECT(1) never left", counts(5, 0, 0), counts(10, 1, 0)),
        ("more than were sent", counts(5, 0, 0), counts(21, 0, 0)),
        ("counts that overflow", counts(5, 0, 0), counts(u64::MAX, 0, u64::MAX)),
    ] {
        let mut ecn = sent(20);
        ecn.on_ack(5, first);
        assert!(ecn.is_marking(), "{name}");
        assert_eq!(ecn.on_ack(5, second), 0, "{name}");
        assert!(!ecn.is_marking(), "{name}");
        assert_eq!(ecn.on_ack(0, counts(20, 0, 9)), 0, "{name}: believed no more");
    }
}

// spec: 13.5 congestion control; RFC 9000 13.4.2
#[test]
fn a_path_that_lets_none_of_the_first_through_is_marked_no_more() {
    let mut ecn = sent(10);
    (0..9).for_each(|_| ecn.on_lost());
    assert!(ecn.is_marking());
    ecn.on_lost();
    assert!(!ecn.is_marking());
    let mut acked = sent(20);
    acked.on_ack(1, counts(1, 0, 0));
    (0..10).for_each(|_| acked.on_lost());
    assert!(acked.is_marking());
}

// spec: 8.5 ACK, ACK_ECN
#[test]
fn each_mark_is_counted_by_itself() {
    let mut counts = EcnCounts::default();
    for mark in [EcnMark::None, EcnMark::Ect0, EcnMark::Ect0, EcnMark::Ect1, EcnMark::Ce] {
        super::count(mark, &mut counts);
    }
    assert_eq!(counts, EcnCounts { ect0: 2, ect1: 1, ce: 1 });
}

fn sent(packets: u64) -> EcnValidation {
    let mut ecn = EcnValidation::default();
    (0..packets).for_each(|_| ecn.on_sent());
    ecn
}

fn counts(ect0: u64, ect1: u64, ce: u64) -> Option<EcnCounts> {
    Some(EcnCounts { ect0, ect1, ce })
}
