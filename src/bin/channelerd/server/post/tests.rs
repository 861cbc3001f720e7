//! Who gets which message, by the rules of the page.

use std::time::Duration;

use super::*;
use crate::config::WhenFull;

const LIMITS: MessagesConfig =
    MessagesConfig { bytes_max: 10_000, count_max: 5, when_full: WhenFull::Hold };

fn came<'a>(label: &'a str, message: &'a [u8]) -> Waiting<'a> {
    Waiting {
        address: SocketAddr::from(([10, 0, 0, 1], 7)),
        peer: PeerId([1; 16]),
        team_id: TeamId([2; 32]),
        label,
        message,
    }
}

fn all() -> Filter {
    Filter { syncs: false, address: None, team: None, label: Label::Any }
}

fn labelled(label: &str) -> Filter {
    Filter { label: Label::Is(label.to_owned()), ..all() }
}

fn asker(client: usize) -> Asker {
    Asker { client: ClientId(client), number: 1 }
}

/// A post and what it gave out, as texts: who, how, what.
struct Office {
    post: Post,
    out: Vec<Delivery>,
    serials: u64,
}

impl Office {
    fn new() -> Office {
        Office { post: Post::new(), out: Vec::new(), serials: 0 }
    }

    fn serial(&mut self) -> Serial {
        self.serials += 1;
        Serial(self.serials)
    }

    fn arrive(&mut self, label: &str, message: &str) {
        self.post.arrive(came(label, message.as_bytes()), false, &mut self.out);
    }

    fn follow(&mut self, client: usize, filter: Filter) -> Serial {
        let serial = self.serial();
        self.post.follow(serial, asker(client), filter, &mut self.out);
        serial
    }

    fn receive(&mut self, client: usize, filter: Filter, capacity: usize) -> bool {
        let serial = self.serial();
        self.post.receive(serial, asker(client), filter, capacity, &mut self.out)
    }

    fn given(&mut self) -> Vec<String> {
        self.take().iter().map(text).collect()
    }

    fn take(&mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.out)
    }
}

fn text(delivery: &Delivery) -> String {
    let body = |parcel: &Parcel| String::from_utf8_lossy(&parcel.message.body).into_owned();
    let client = delivery.to.client.0;
    match &delivery.what {
        What::Followed(parcel) => format!("{client} follows {}", body(parcel)),
        What::Received(parcel) => format!("{client} receives {}", body(parcel)),
        What::TooLong(length) => format!("{client} finds {length} too long"),
    }
}

#[test]
fn every_follower_gets_it_and_then_no_receiver() {
    let mut office = Office::new();
    assert!(!office.receive(1, all(), 9));
    office.follow(2, all());
    office.follow(3, labelled("a"));
    office.arrive("a", "x");
    office.arrive("b", "y");
    assert_eq!(office.given(), ["2 follows x", "3 follows x", "2 follows y"]);
    assert_eq!(office.post.waiting(), (0, 0));
}

#[test]
fn the_oldest_receiver_that_takes_it_gets_it() {
    let mut office = Office::new();
    assert!(!office.receive(1, labelled("b"), 9));
    assert!(!office.receive(2, all(), 1));
    assert!(!office.receive(3, all(), 9));
    assert!(!office.receive(4, all(), 9));
    office.arrive("a", "xx");
    office.arrive("b", "y");
    assert_eq!(office.given(), ["2 finds 2 too long", "3 receives xx", "1 receives y"]);
    office.arrive("a", "z");
    office.arrive("a", "w");
    assert_eq!(office.given(), ["4 receives z"]);
    assert_eq!(office.post.waiting(), (1, 1));
}

#[test]
fn what_waits_is_given_oldest_first_and_what_is_too_long_stays() {
    let mut office = Office::new();
    for (label, message) in [("a", "1"), ("b", "22"), ("a", "3"), ("b", "4")] {
        office.arrive(label, message);
    }
    assert_eq!(office.post.waiting(), (4, 5));
    assert!(office.receive(1, labelled("b"), 1));
    assert!(office.receive(1, labelled("b"), 2));
    assert_eq!(office.given(), ["1 finds 2 too long", "1 receives 22"]);
    office.follow(2, labelled("a"));
    assert_eq!(office.given(), ["2 follows 1", "2 follows 3"]);
    assert_eq!(office.post.waiting(), (1, 1));
}

#[test]
fn what_a_client_did_not_get_goes_to_others_or_waits_in_its_order() {
    let mut office = Office::new();
    let serial = office.follow(1, all());
    for message in ["1", "2", "3"] {
        office.arrive("a", message);
    }
    let parcels: Vec<Parcel> = office
        .take()
        .into_iter()
        .filter_map(|delivery| match delivery.what {
            What::Followed(parcel) => Some(parcel),
            What::Received(_) | What::TooLong(_) => None,
        })
        .collect();
    parcels[0].message.note_taken();
    office.post.cancel(serial);
    office.arrive("a", "4");
    assert!(!office.receive(2, labelled("b"), 9));
    let mut out = Vec::new();
    office.post.give_back(parcels, &mut out);
    assert!(out.is_empty());
    office.follow(3, all());
    assert_eq!(office.given(), ["3 follows 2", "3 follows 3", "3 follows 4"]);
}

#[test]
fn what_another_client_still_has_is_not_given_twice() {
    let mut office = Office::new();
    office.follow(1, all());
    office.follow(2, all());
    office.arrive("a", "1");
    let mut out = office.take();
    let What::Followed(parcel) = out.remove(0).what else { panic!("it was followed") };
    let mut given = Vec::new();
    office.post.give_back(vec![parcel], &mut given);
    assert!(given.is_empty());
    assert_eq!(office.post.waiting().0, 0);
}

#[test]
fn syncs_and_messages_do_not_mix() {
    let mut office = Office::new();
    office.follow(1, all());
    office.post.arrive(came("", b"sync"), true, &mut office.out);
    assert_eq!(office.given(), [""; 0]);
    office.follow(2, Filter { syncs: true, ..all() });
    assert_eq!(office.given(), ["2 follows sync"]);
    office.arrive("a", "x");
    assert_eq!(office.given(), ["1 follows x"]);
}

#[test]
fn filters_look_at_address_team_and_label() {
    let mut office = Office::new();
    let address = SocketAddr::from(([10, 0, 0, 1], 7));
    let starts = Label::StartsWith("te".to_owned());
    let good = Filter {
        syncs: false,
        address: Some(address),
        team: Some(TeamId([2; 32])),
        label: starts.clone(),
    };
    office.follow(1, good.clone());
    office.follow(2, Filter { address: Some(([10, 0, 0, 2], 7).into()), ..good.clone() });
    office.follow(3, Filter { team: Some(TeamId([3; 32])), ..good.clone() });
    office.follow(4, Filter { label: Label::StartsWith("tex".to_owned()), ..good });
    office.arrive("tele", "x");
    assert_eq!(office.given(), ["1 follows x"]);
}

#[test]
fn room_ends_at_the_limits_and_comes_back_with_what_is_dropped() {
    let mut office = Office::new();
    let message = "x".repeat(3_000);
    assert!(office.post.has_room(100_000, &LIMITS), "one may always come, whatever its length");
    for _ in 0..2 {
        assert!(office.post.has_room(message.len(), &LIMITS));
        office.arrive("a", &message);
    }
    assert!(office.post.has_room(3_000, &LIMITS));
    assert!(!office.post.has_room(3_100, &LIMITS), "two have 6640 bytes of 10000");
    for _ in 0..3 {
        office.arrive("a", "");
    }
    assert!(!office.post.has_room(0, &LIMITS), "five are the limit");
    office.follow(1, all());
    assert!(!office.post.has_room(0, &LIMITS), "they are in a queue now, and still here");
    drop(office.take());
    assert!(office.post.has_room(9_000, &LIMITS));
    assert_eq!(office.post.totals.bytes.get(), 0);
    assert!(!office.post.drop_oldest(), "nothing waits");
}

#[test]
fn a_queue_of_many_followers_counts() {
    let mut office = Office::new();
    for client in 0..100 {
        office.follow(client, all());
    }
    office.arrive("a", "x");
    assert!(!office.post.has_room(0, &LIMITS), "a hundred places cost more than the message");
}

#[test]
fn random_askers_lose_nothing_and_get_nothing_twice() {
    let began = std::time::Instant::now();
    let mut state = 7_u32;
    let mut random = move |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % below
    };
    let mut office = Office::new();
    let mut sent = 0;
    let mut got = Vec::new();
    for _ in 0..20_000 {
        match random(4) {
            0 | 1 => {
                office.arrive(["a", "b"][random(2) as usize], &sent.to_string());
                sent += 1;
            }
            _ => {
                let filter = [all(), labelled("a"), labelled("b")][random(3) as usize].clone();
                office.receive(1, filter, 9);
            }
        }
        for delivery in office.take() {
            let What::Received(parcel) = &delivery.what else { panic!("all are short") };
            if random(3) == 0 {
                // This client dies before it reads.
                let What::Received(parcel) = delivery.what else { unreachable!() };
                office.post.give_back(vec![parcel], &mut office.out);
            } else {
                parcel.message.note_taken();
                got.push(text(&delivery));
            }
        }
    }
    for delivery in office.take() {
        got.push(text(&delivery));
    }
    office.follow(1, all());
    got.extend(office.given());
    let mut numbers: Vec<u32> = got
        .iter()
        .map(|text| text.rsplit(' ').next().expect("a word").parse().expect("a number"))
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..sent).collect::<Vec<u32>>());
    assert!(began.elapsed() < Duration::from_secs(60));
}
