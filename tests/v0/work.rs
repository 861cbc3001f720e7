//! Aim: what a datagram makes us do is bounded by its bytes, however its messages are chosen.
//! Method: datagrams of the size that costs most, counted by what they can cause.

use channeler::node::DropReason;

use crate::tools::{dropped, one_node};
use crate::v0::{DEFAULT, Message, Peer};

#[test]
fn a_datagram_has_few_guesses_at_a_cookie() {
    let mut world = one_node();
    let peer = Peer::new(&mut world, 1, 0);
    let (id, cookie2) = peer.ask_new(&mut world, 7).expect("answered");
    let finalize = |cookie2| Message::Finalize { id, cookie2, capabilities: 0 };
    let mut guesses: Vec<Message> = (1..=20).map(|guess| finalize(cookie2 ^ guess)).collect();
    guesses.push(finalize(cookie2));
    peer.ask(&mut world, DEFAULT, &guesses);
    assert_eq!(world.node(0).stats().channels, 0, "no guess behind many wrong ones counts");
    assert_eq!(dropped(&world, 0, DropReason::BadCookie), 21);
    peer.ask(&mut world, DEFAULT, &guesses[18..]);
    assert_eq!(world.node(0).stats().channels, 1, "one behind a few does");
}
