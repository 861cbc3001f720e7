//! Challenges and what they decide: real moves, copied packets, floods.

use super::*;

const PTO: Duration = Duration::from_millis(400);
const NOW: Time = Time::from_nanos(1_000_000_000);

// spec: 12.7 address changes, 12.4 validation
#[test]
fn a_peer_that_moved_is_followed_when_the_new_address_answers_and_the_old_one_does_not() {
    let mut validation = Validation::default();
    assert!(validation.on_elsewhere(&sighting(2, 1200), ends(1), PTO));
    let asked = ask(&mut validation, NOW, ends(1));
    assert_eq!(asked.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [ends(1), ends(2)]);
    let (_, answer) = asked[1];
    let later = NOW + Duration::from_millis(50);
    let verdict = validation.on_answer(later, answer, PTO);
    assert_eq!(verdict, Verdict::Moved(ends(2), Duration::from_millis(50)));
    assert_eq!(validation.on_answer(later, answer, PTO), Verdict::None, "again");
    let over = validation.poll_timeout().expect("the old address has its time");
    validation.handle_timeout(over, PTO);
    assert!(validation.is_idle(over));
}

// spec: 12.7 address changes
#[test]
fn an_old_address_that_answers_wins_before_and_after_a_move() {
    for is_late in [false, true] {
        let mut validation = Validation::default();
        validation.on_elsewhere(&sighting(2, 1200), ends(1), PTO);
        let asked = ask(&mut validation, NOW, ends(1));
        if is_late {
            let moved = validation.on_answer(NOW, asked[1].1, PTO);
            assert_eq!(moved, Verdict::Moved(ends(2), Duration::ZERO));
        }
        let verdict = validation.on_answer(NOW, asked[0].1, PTO);
        assert_eq!(verdict, if is_late { Verdict::Back(ends(1)) } else { Verdict::None });
        let again = |at| Sighting { now: at, ..sighting(2, 1200) };
        let soon = NOW + (IGNORED_FOR - Duration::from_nanos(1));
        assert!(!validation.on_elsewhere(&again(soon), ends(1), PTO), "passed over");
        assert!(validation.on_elsewhere(&again(NOW + IGNORED_FOR), ends(1), PTO));
    }
}

// spec: 12.7 address changes
#[test]
fn only_the_newest_packet_begins_a_change_and_one_is_examined_at_a_time() {
    let mut validation = Validation::default();
    let late = Sighting { is_newest: false, ..sighting(2, 1200) };
    assert!(!validation.on_elsewhere(&late, ends(1), PTO));
    assert!(validation.is_idle(NOW));
    assert!(validation.on_elsewhere(&sighting(2, 1200), ends(1), PTO));
    assert!(!validation.on_elsewhere(&sighting(3, 1200), ends(1), PTO));
    let asked = ask(&mut validation, NOW, ends(1));
    assert!(asked.iter().all(|(to, _)| *to != ends(3)));
}

// spec: 12.4 validation, 15.1 table
#[test]
fn challenges_are_repeated_twice_and_old_answers_mean_nothing() {
    let mut validation = Validation::default();
    validation.on_elsewhere(&sighting(2, 10_000), ends(1), PTO);
    let (mut now, mut asked, mut times) = (NOW, Vec::new(), Vec::new());
    while !validation.is_idle(now) {
        let more = ask(&mut validation, now, ends(1));
        if !more.is_empty() {
            times.push(now.since(NOW));
        }
        asked.extend(more);
        now = validation.poll_timeout().unwrap_or(now + IGNORED_FOR);
        validation.handle_timeout(now, PTO);
    }
    assert_eq!(times, [Duration::ZERO, PTO, 3 * PTO]);
    assert_eq!(asked.len(), 6);
    assert_eq!(now.since(NOW), 7 * PTO);
    let mut validation = Validation::default();
    validation.on_elsewhere(&sighting(2, 1200), ends(1), PTO);
    let asked = ask(&mut validation, NOW, ends(1));
    let late = NOW + 3 * PTO + Duration::from_nanos(1);
    assert_eq!(validation.on_answer(late, asked[1].1, PTO), Verdict::None);
    assert_eq!(validation.on_answer(NOW, [9; CHALLENGE_LEN], PTO), Verdict::None);
}

// spec: 7.8 amplification, 18.3 attacks on resources
#[test]
fn an_address_that_is_not_proven_gets_three_times_what_came_from_there() {
    for size in [33, 50, 200, 1200] {
        let mut validation = Validation::default();
        let (mut received, mut sent) = (0, 0);
        let mut now = NOW;
        for round in 0..200_u64 {
            now = now + PTO / 7;
            received += size;
            validation.on_elsewhere(&Sighting { now, ..sighting(2, size) }, ends(1), PTO);
            validation.on_challenge(round.to_be_bytes(), ends(2), size);
            validation.handle_timeout(now, PTO);
            while let Some(probe) = validation.poll(ends(1)) {
                if probe.to == ends(2) {
                    sent += probe.size_max;
                }
                let challenge = probe.has_challenge.then_some([round as u8; CHALLENGE_LEN]);
                validation.on_sent(now, probe.to, probe.size_max, challenge);
            }
            assert!(sent <= 3 * received, "{sent} for {received}");
        }
        assert!(sent > 0);
    }
}

// spec: 8.18 PATH_CHALLENGE, 18.3 attacks on resources
#[test]
fn a_flood_of_challenges_is_answered_four_at_a_time() {
    let mut validation = Validation::default();
    for round in 0..1_000_u64 {
        validation.on_challenge(round.to_be_bytes(), ends(1), 1200);
    }
    let probe = validation.poll(ends(1)).expect("an answer is owed");
    let newest: Vec<Challenge> = (996..1_000_u64).map(u64::to_be_bytes).collect();
    assert_eq!((probe.answers, probe.size_max), (newest, 1200));
    assert_eq!(validation.poll(ends(1)), None);
}

// spec: 12.4 validation
#[test]
fn an_answer_goes_to_where_its_challenge_came_from() {
    let mut validation = Validation::default();
    validation.on_challenge([1; CHALLENGE_LEN], ends(2), 50);
    validation.on_challenge([2; CHALLENGE_LEN], ends(1), 50);
    let stranger = validation.poll(ends(1)).expect("an answer is owed");
    assert_eq!((stranger.to, stranger.size_max), (ends(2), 150));
    let known = validation.poll(ends(1)).expect("an answer is owed");
    assert_eq!((known.to, known.size_max), (ends(1), 1200));
}

/// Everything that is to leave now; challenges with where they go.
fn ask(validation: &mut Validation, now: Time, current: Ends) -> Vec<(Ends, Challenge)> {
    let mut asked = Vec::new();
    while let Some(probe) = validation.poll(current) {
        assert!(probe.has_challenge);
        let bytes = [asked.len() as u8 + now.as_nanos() as u8; CHALLENGE_LEN];
        validation.on_sent(now, probe.to, probe.size_max, Some(bytes));
        asked.push((probe.to, bytes));
    }
    asked
}

fn sighting(from: u8, size: usize) -> Sighting {
    Sighting { now: NOW, ends: ends(from), size, is_newest: true }
}

fn ends(host: u8) -> Ends {
    Ends { remote: SocketAddr::from(([192, 0, 2, host], 7)), local: Local::default() }
}
