//! The replay window against a set that forgets nothing, and its edges.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::ReplayWindow;

const SIZE: u64 = ReplayWindow::SIZE;

// spec: 5.6 replay
#[test]
fn a_number_is_new_once() {
    let mut window = ReplayWindow::new();
    assert_eq!(window.largest(), None);
    for number in [0, 1, 5, 3, 70, 2] {
        assert!(window.insert(number), "{number}");
        assert!(!window.insert(number), "{number}");
    }
    assert_eq!(window.largest(), Some(70));
    assert!(window.insert(4));
}

// spec: 5.6 replay
#[test]
fn the_oldest_number_that_counts_is_8191_below_the_largest() {
    let mut window = ReplayWindow::new();
    assert!(window.insert(10 * SIZE));
    assert!(!window.is_too_old(9 * SIZE + 1) && window.insert(9 * SIZE + 1));
    assert!(window.is_too_old(9 * SIZE) && !window.insert(9 * SIZE));
    assert!(window.insert(10 * SIZE + 1));
    assert!(window.is_too_old(9 * SIZE + 1) && !window.insert(9 * SIZE + 1));
    assert!(window.insert(9 * SIZE + 2));
}

// spec: 5.6 replay
#[test]
fn a_jump_beyond_the_window_leaves_nothing_behind() {
    let mut window = ReplayWindow::new();
    for number in (0..SIZE).step_by(2) {
        assert!(window.insert(number));
    }
    assert!(window.insert((1 << 62) - 1));
    for number in (1 << 62) - SIZE..(1 << 62) - 1 {
        assert!(window.insert(number), "{number:#x}");
        assert!(!window.insert(number), "{number:#x}");
    }
}

#[test]
fn numbers_in_order_take_no_memory() {
    let mut window = ReplayWindow::new();
    for number in 0..20_000 {
        assert!(window.insert(number));
    }
    assert_eq!(window.memory(), 0);
    for number in (20_001..60_000).step_by(2) {
        assert!(window.insert(number));
    }
    assert_eq!(window.memory(), 1024);
}

proptest! {
    // spec: 5.6 replay
    #[test]
    fn window_agrees_with_a_set_that_forgets_nothing(
        steps in proptest::collection::vec(
            prop_oneof![
                8 => 0..4i64, 4 => -70..70i64, 2 => -9000..9000i64, 1 => 0..20_000i64
            ],
            1..400,
        )
    ) {
        let mut window = ReplayWindow::new();
        let mut seen = BTreeSet::new();
        for step in steps {
            let largest = seen.last().copied();
            let number = largest.map_or(0, |largest: u64| largest.saturating_add_signed(step));
            let is_old = largest.is_some_and(|largest| number + SIZE <= largest);
            prop_assert_eq!(window.is_too_old(number), is_old);
            let is_new = !is_old && seen.insert(number);
            prop_assert_eq!(window.insert(number), is_new, "{} after {:?}", number, largest);
            prop_assert_eq!(window.largest(), seen.last().copied());
        }
    }
}
