//! Real sockets on the loopback: families, addresses, batches, refusals.

use std::time::{Duration, Instant};

use mio::{Events, Poll};
use quinn_udp::BATCH_SIZE;

use super::*;

const BUFFER_BYTES: usize = 65_536;

#[test]
fn ipv4_datagrams_arrive_with_both_addresses() {
    let mut pair = Pair::bind("127.0.0.1:0", "127.0.0.1:0");
    let got = pair.exchange(b"hello", 5);
    assert_eq!(got.bytes, b"hello");
    assert_eq!(got.origins[0].from, pair.sender.address());
    assert_eq!(got.origins[0].local.ip, Some([127, 0, 0, 1].into()));
    assert_eq!(got.origins[0].stride, 5);
}

#[test]
fn ipv6_datagrams_arrive_with_both_addresses() {
    let mut pair = Pair::bind("[::1]:0", "[::1]:0");
    let got = pair.exchange(b"hello", 5);
    assert_eq!(got.origins[0].from, pair.sender.address());
    assert_eq!(got.origins[0].local.ip, Some("::1".parse().expect("address")));
}

#[test]
fn marks_of_congestion_leave_and_arrive_in_both_families() {
    for (sender, receiver) in [
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("[::1]:0", "[::1]:0"),
        ("[::]:0", "127.0.0.1:0"),
        ("127.0.0.1:0", "0.0.0.0:0"),
    ] {
        let mut pair = Pair::bind(sender, receiver);
        pair.to = SocketAddr::new(to_ip(receiver), pair.receiver.address().port());
        for ecn in [EcnMark::None, EcnMark::Ect0, EcnMark::Ect1, EcnMark::Ce] {
            pair.ecn = ecn;
            let got = pair.exchange(&[7; 3_000], 1_000);
            assert!(got.origins.iter().all(|origin| origin.ecn == ecn), "{:?}", got.origins);
        }
    }
}

#[test]
fn who_has_not_the_turn_names_each_mark_and_leaves_that_of_the_socket_alone() {
    for has_turn in [false, true] {
        let mut pair = Pair::bind("127.0.0.1:0", "127.0.0.1:0");
        (pair.has_turn, pair.ecn) = (has_turn, EcnMark::Ect0);
        for _ in 0..2 * MARKED_OTHERWISE_MAX {
            assert_eq!(pair.exchange(b"hello", 5).origins[0].ecn, EcnMark::Ect0);
        }
        pair.ecn = EcnMark::None;
        assert_eq!(pair.exchange(b"hello", 5).origins[0].ecn, EcnMark::None);
        let changes = has_turn && cfg!(target_os = "linux");
        assert_eq!(pair.sender.default_mark.load(Ordering::Relaxed) != 0, changes);
    }
}

#[test]
fn a_call_for_one_buffer_tells_the_same_as_one_for_several() {
    for (sender, receiver) in [
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("[::1]:0", "[::1]:0"),
        ("[::1]:0", "[::]:0"),
        ("127.0.0.1:0", "[::]:0"),
        ("127.0.0.1:0", "0.0.0.0:0"),
    ] {
        let mut pair = Pair::bind(sender, receiver);
        pair.to = SocketAddr::new(to_ip(sender), pair.receiver.address().port());
        for (ecn, size) in [(EcnMark::None, 1_000), (EcnMark::Ect0, 2_000), (EcnMark::Ce, 3_000)] {
            pair.ecn = ecn;
            let [several, one] = [false, true].map(|is_single| {
                pair.is_single = is_single;
                pair.exchange(&[7; 5_000], size)
            });
            let told = |got: &Got| -> Vec<_> {
                let told =
                    |origin: &Receive| (origin.from, origin.local, origin.stride, origin.ecn);
                got.origins.iter().map(told).collect()
            };
            assert_eq!((&several.bytes, told(&several)), (&one.bytes, told(&one)));
        }
    }
}

fn to_ip(receiver: &str) -> IpAddr {
    let address: SocketAddr = receiver.parse().expect("address");
    if address.is_ipv4() { [127, 0, 0, 1].into() } else { address.ip() }
}

#[test]
fn dual_stack_socket_sends_to_ipv4() {
    let mut pair = Pair::bind("[::]:0", "127.0.0.1:0");
    let got = pair.exchange(b"hello", 5);
    assert!(got.origins[0].from.is_ipv4(), "{:?}", got.origins[0]);
    assert_eq!(got.origins[0].from.port(), pair.sender.address().port());
}

#[test]
fn dual_stack_socket_sees_ipv4_senders_as_ipv4() {
    let mut pair = Pair::bind("127.0.0.1:0", "[::]:0");
    pair.to = SocketAddr::new([127, 0, 0, 1].into(), pair.receiver.address().port());
    let got = pair.exchange(b"hello", 5);
    assert_eq!(got.origins[0].from, pair.sender.address());
    assert_eq!(got.origins[0].local.ip, Some([127, 0, 0, 1].into()));
}

#[test]
fn answers_leave_from_the_address_that_was_spoken_to() {
    let mut pair = Pair::bind("[::]:0", "127.0.0.1:0");
    pair.local.ip = Some([127, 9, 9, 9].into());
    let got = pair.exchange(b"hello", 5);
    assert_eq!(got.origins[0].from.ip(), IpAddr::from([127, 9, 9, 9]));
}

#[test]
fn a_source_that_is_not_ours_is_left_out_and_segmentation_kept() {
    let mut pair = Pair::bind("0.0.0.0:0", "127.0.0.1:0");
    pair.local.ip = Some([192, 0, 2, 200].into());
    let before = pair.sender.segments_max();
    let got = pair.exchange(&[7; 3_000], 1_000);
    assert_eq!(got.bytes.len(), 3_000);
    assert_eq!(pair.counters.read().source_failures, 1);
    assert_eq!(pair.sender.segments_max(), before);
}

#[cfg(target_os = "linux")]
#[test]
fn a_batch_takes_one_call_and_arrives_joined() {
    let mut pair = Pair::bind("127.0.0.1:0", "127.0.0.1:0");
    let data: Vec<u8> = (0..50_300).map(|index| (index / 1_000) as u8).collect();
    let got = pair.exchange(&data, 1_000);
    assert_eq!(got.bytes, data);
    let stats = pair.counters.read();
    assert_eq!((stats.sends, stats.datagrams_sent), (1, 51));
    assert_eq!(got.origins.len(), 1, "GRO joins what GSO sent");
    assert_eq!(got.origins[0].stride, 1_000);
}

#[test]
fn without_segmentation_every_datagram_takes_a_call() {
    let mut pair = Pair::bind("127.0.0.1:0", "127.0.0.1:0");
    pair.sender.segments_max.store(1, Ordering::Relaxed);
    let got = pair.exchange(&[7; 2_500], 1_000);
    assert_eq!(got.bytes.len(), 2_500);
    let stats = pair.counters.read();
    assert_eq!((stats.sends, stats.datagrams_sent), (3, 3));
}

#[test]
fn a_batch_refused_for_another_reason_keeps_segmentation() {
    // From the loopback address the kernel refuses any other network: `EINVAL`, as for a batch.
    let pair = Pair::bind("127.0.0.1:0", "127.0.0.1:0");
    let before = pair.sender.segments_max();
    let to = "240.0.0.1:9".parse().expect("address");
    assert_eq!(pair.send_to(to, &[7; 2_000], 1_000), Outcome::Done);
    assert_eq!(pair.counters.read().socket_errors, 1);
    assert_eq!(pair.sender.segments_max(), before);
}

#[test]
fn a_datagram_larger_than_the_interface_is_reported_as_too_large() {
    let pair = Pair::bind("[::1]:0", "[::1]:0");
    // The loopback takes 65,536 bytes, of which the headers of IPv6 and UDP are 48.
    let bytes = [0; 65_500];
    let outcome = pair.send_to(pair.to, &bytes, bytes.len());
    assert_eq!(outcome, Outcome::Failed(SendError::TooLarge));
    assert_eq!(pair.counters.read().too_large, 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_network_without_a_route_is_reported_as_unreachable() {
    let pair = Pair::bind("[::]:0", "[::1]:0");
    let socket = socket2::SockRef::from(&pair.sender.io);
    socket.bind_device(Some(b"lo")).expect("allowed since Linux 5.7");
    let to = "[2001:db8::1]:9".parse().expect("address");
    assert_eq!(pair.send_to(to, b"hello", 5), Outcome::Failed(SendError::Unreachable));
    assert_eq!(pair.counters.read().unreachable, 1);
    assert_ne!(pair.counters.read().last_os_error, 0);
}

#[test]
fn addresses_that_cannot_be_sources_are_not_kept() {
    for ip in ["255.255.255.255", "224.0.0.251", "ff02::1", "0.0.0.0", "::"] {
        assert!(!can_be_source(ip.parse().expect("address")), "{ip}");
    }
    assert!(can_be_source([192, 0, 2, 1].into()));
}

/// Two sockets and a poll for both.
struct Pair {
    sender: Socket,
    receiver: Socket,
    poll: Poll,
    counters: Counters,
    to: SocketAddr,
    local: Local,
    ecn: EcnMark,
    /// Whether one buffer is received at a time.
    is_single: bool,
    has_turn: bool,
}

struct Got {
    bytes: Vec<u8>,
    origins: Vec<Receive>,
}

impl Pair {
    fn bind(sender: &str, receiver: &str) -> Pair {
        let poll = Poll::new().expect("poll");
        let bind = |index, address: &str| {
            let address = address.parse().expect("address");
            Socket::bind(index, address, &EngineConfig::default(), poll.registry()).expect("bind")
        };
        let (sender, receiver) = (bind(0, sender), bind(1, receiver));
        let (to, local) = (receiver.address(), Local::default());
        Pair {
            sender,
            receiver,
            poll,
            counters: Counters::default(),
            to,
            local,
            ecn: EcnMark::None,
            is_single: false,
            has_turn: true,
        }
    }

    fn send_to(&self, to: SocketAddr, bytes: &[u8], segment_size: usize) -> Outcome {
        let transmit = Transmit {
            to,
            local: self.local,
            len: bytes.len(),
            segment_size,
            ecn: self.ecn,
            connection: None,
        };
        self.sender.send(&transmit, bytes, self.has_turn, &self.counters)
    }

    /// Sends, then receives as many bytes.
    fn exchange(&mut self, bytes: &[u8], segment_size: usize) -> Got {
        assert_eq!(self.send_to(self.to, bytes, segment_size), Outcome::Done);
        let mut got = Got { bytes: Vec::new(), origins: Vec::new() };
        let mut storage = vec![0; BATCH_SIZE * BUFFER_BYTES];
        let mut meta = [RecvMeta::default(); BATCH_SIZE];
        let deadline = Instant::now() + Duration::from_secs(5);
        while got.bytes.len() < bytes.len() {
            assert!(Instant::now() < deadline, "{} bytes came", got.bytes.len());
            let received = if self.is_single {
                let (buffer, meta) = (&mut storage[..BUFFER_BYTES], &mut meta[0]);
                self.receiver.receive_one(buffer, meta).map(|()| 1)
            } else {
                let (chunks, _) = storage.as_chunks_mut::<BUFFER_BYTES>();
                let mut buffers: Vec<_> =
                    chunks.iter_mut().map(|chunk| IoSliceMut::new(chunk)).collect();
                self.receiver.receive(&mut buffers, &mut meta)
            };
            let Ok(count) = received else {
                let wait = Some(Duration::from_millis(100));
                self.poll.poll(&mut Events::with_capacity(4), wait).expect("poll");
                continue;
            };
            let (chunks, _) = storage.as_chunks::<BUFFER_BYTES>();
            for (meta, bytes) in meta[..count].iter().zip(chunks) {
                got.bytes.extend_from_slice(&bytes[..meta.len]);
                got.origins.push(self.receiver.origin(meta));
            }
        }
        got
    }
}
