//! What happens when nobody disturbs.

use super::*;

// spec: 7.1 one round trip; 7.3, 7.4 states
#[test]
fn handshake_takes_one_round_trip_and_three_datagrams() {
    let mut pair = pair(classical);
    let began = pair.now;
    pair.run_out(&mut carry_all);
    assert_agreed(&mut pair);
    assert_eq!(pair.initiator.completed_at, Some(began + 2 * DELAY));
    assert_eq!(pair.responder.completed_at, Some(began + 3 * DELAY));
    // The second of the responder is its first short packet.
    assert_eq!((pair.initiator.datagrams, pair.responder.datagrams), (2, 2));
    assert!(pair.initiator.handshake().is_over() && pair.responder.handshake().is_over());
}
