//! Aim: sealing and opening of packets allocates nothing once a channel's keys are there, and costs
//! little more than the cipher; an idle connection's keys are small.
//! Method: allocations are counted; the costs are printed by a test that is run by hand:
//! `cargo test --release --test crypto_cost -- --ignored --nocapture`.

#[path = "bench/alloc.rs"]
mod alloc;

use std::hint::black_box;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use channeler::crypto::{
    AttemptIds, CryptoLevel, Epochs, Identity, Limits, ReplayWindow, SealInfo, Secrets, Session,
    Suite, TlsContext, TlsOptions, TlsOutput,
};
use channeler::id::{AttemptId, ChannelNumber, PathId, Side};
use channeler::time::Time;

#[global_allocator]
static COUNTING: alloc::Counting = alloc::Counting;

/// Bytes that live are those of all threads: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

const PATH: PathId = PathId(0);

fn pair(suite: Suite) -> [Epochs; 2] {
    let size = suite.hash_size();
    [Side::Initiator, Side::Responder].map(|side| {
        let secrets = Secrets::from_bytes(suite, &[1; 48][..size], &[2; 48][..size]);
        Epochs::new(secrets, side, Limits::of(suite), 0)
    })
}

fn info(channel: u32, number: u64) -> SealInfo {
    SealInfo { channel: ChannelNumber(channel), path: PATH, number, number_len: 2 }
}

// spec: 6.3 channel keys
#[test]
fn packets_of_known_channels_are_sealed_and_opened_without_allocation() {
    let _alone = alone();
    for suite in Suite::ALL {
        let [mut a, mut b] = pair(suite);
        let mut window = ReplayWindow::new();
        let mut packet = [0; 1200];
        let mut send = |number: u64| {
            // Every tenth number is skipped, so that the window has to remember holes.
            let info = info(2 * (number as u32 % 5), number * 10 / 9);
            a.seal(&info, &mut packet).expect("room");
            b.open(Time::ZERO, PATH, &mut window, &mut packet, |_| true).expect("it opens");
        };
        (0..10_000).for_each(&mut send);
        let before = alloc::allocations();
        (10_000..20_000).for_each(&mut send);
        assert_eq!(alloc::allocations() - before, 0, "{suite:?}");
    }
}

// spec: 6.3 channel keys
#[test]
fn keys_of_an_idle_connection_are_small() {
    // So many that what other threads free meanwhile is nothing beside it.
    const COUNT: usize = 1_000;
    let _alone = alone();
    let before = live_bytes();
    let mut kept = Vec::with_capacity(COUNT);
    for _ in 0..COUNT {
        let [mut epochs, mut peer] = pair(Suite::Aes256Gcm);
        let mut packet = [0; 100];
        peer.seal(&info(2, 0), &mut packet).expect("room");
        let mut window = ReplayWindow::new();
        epochs.open(Time::ZERO, PATH, &mut window, &mut packet, |_| true).expect("it opens");
        epochs.seal(&info(2, 0), &mut packet).expect("room");
        while epochs.drop_idle_keys() {}
        kept.push((epochs, window));
    }
    let bytes = (live_bytes() - before) / kept.len();
    println!("idle connection: {bytes} bytes, of which {} are inline", size_of_val(&kept[0]));
    assert!(bytes < 3_000, "{bytes} bytes");
}

/// Without this each thread has an arena of its own, and `mallinfo2` sees the first thread's only.
#[cfg(target_env = "gnu")]
#[used]
#[allow(unsafe_code, reason = "it must run before the first thread does")]
// SAFETY: the C library calls what stands there before `main`, and that calls nothing else.
#[unsafe(link_section = ".init_array")]
static ONE_ARENA: extern "C" fn() = {
    extern "C" fn set() {
        // SAFETY: it sets a number.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    }
    set
};

/// What is allocated: what aws-lc asks the C library for is not seen by Rust's allocator, while
/// that asks the C library too.
fn live_bytes() -> usize {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: it reads counters of the C library.
        #[allow(unsafe_code, reason = "the only way to see what aws-lc allocates")]
        let info = unsafe { libc::mallinfo2() };
        info.uordblks + info.hblkhd
    }
    #[cfg(not(target_env = "gnu"))]
    alloc::live_bytes()
}

/// Nanoseconds of one call, the least of many short samples: what the machine can do between the
/// interruptions.
fn nanoseconds(mut call: impl FnMut(u64)) -> f64 {
    let mut number = 0;
    let mut best = Duration::MAX;
    const CALLS: u32 = 400;
    for _ in 0..2_000 {
        let begin = Instant::now();
        for _ in 0..CALLS {
            number += 1;
            call(number);
        }
        best = best.min(begin.elapsed());
    }
    best.as_nanos() as f64 / f64::from(CALLS)
}

#[test]
#[ignore = "a measurement: run it in release mode, on a quiet machine"]
fn cost_beside_the_bare_cipher() {
    let _alone = alone();
    println!("ns a packet                seal  bare    x   open  bare    x");
    for (suite, algorithm) in
        [(Suite::Aes256Gcm, &AES_256_GCM), (Suite::ChaCha20Poly1305, &CHACHA20_POLY1305)]
    {
        for size in [1200, 64 + 31] {
            let [mut a, mut b] = pair(suite);
            let mut packet = vec![0; size];
            let seal = nanoseconds(|number| {
                a.seal(&info(2, number), black_box(&mut packet)).expect("room");
            });
            let key = LessSafeKey::new(UnboundKey::new(algorithm, &[1; 32]).expect("32 bytes"));
            let sealed_bare = nanoseconds(|number| bare_seal(&key, number, black_box(&mut packet)));

            let mut window = ReplayWindow::new();
            // So that two bytes are enough of the numbers that follow.
            assert!(window.insert(1_000_000_000));
            let mut copy = packet.clone();
            let open = nanoseconds(|number| {
                let number = 1_000_000_000 + number;
                a_seal(&mut a, number, &mut copy);
                b.open(Time::ZERO, PATH, &mut window, black_box(&mut copy), |_| true)
                    .expect("it opens");
            }) - nanoseconds(|number| a_seal(&mut a, 2_000_000_000 + number, &mut copy));
            let opened_bare = nanoseconds(|number| {
                bare_seal(&key, number, &mut copy);
                bare_open(&key, number, black_box(&mut copy));
            }) - nanoseconds(|number| bare_seal(&key, number, &mut copy));
            println!(
                "{suite:?} {size:>5}:{:>pad$}{seal:6.0}{sealed_bare:6.0} {:4.2} {open:6.0}\
                 {opened_bare:6.0} {:4.2}",
                "",
                seal / sealed_bare,
                open / opened_bare,
                pad = 19 - format!("{suite:?}").len(),
            );
        }
    }
}

fn a_seal(a: &mut Epochs, number: u64, packet: &mut [u8]) {
    a.seal(&info(2, number), packet).expect("room");
}

fn nonce(number: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

fn bare_seal(key: &LessSafeKey, number: u64, packet: &mut [u8]) {
    let (header, rest) = packet.split_at_mut(15);
    let (payload, tag) = rest.split_at_mut(rest.len() - 16);
    let sealed = key
        .seal_in_place_separate_tag(nonce(number), Aad::from(header), payload)
        .expect("it seals");
    tag.copy_from_slice(sealed.as_ref());
}

fn bare_open(key: &LessSafeKey, number: u64, packet: &mut [u8]) {
    let (header, payload) = packet.split_at_mut(15);
    key.open_in_place(nonce(number), Aad::from(header), payload).expect("it opens");
}

#[test]
#[ignore = "a measurement: run it in release mode, on a quiet machine"]
fn cost_of_a_handshake() {
    let _alone = alone();
    let [a, b] = [1, 2].map(|seed| Identity::from_seed([seed; 32]));
    for post_quantum in [true, false] {
        let context = |identity| {
            TlsContext::new(identity, TlsOptions { post_quantum, ..TlsOptions::default() })
        };
        let (initiator, responder) = (context(&a), context(&b));
        for (name, asked) in [("full", None), ("resumed", Some(b.peer_id()))] {
            let mut times: Vec<_> = (0..500)
                .map(|_| {
                    let begin = Instant::now();
                    let sessions = handshake(&initiator, &responder, asked);
                    let elapsed = begin.elapsed();
                    assert_eq!(sessions[0].is_resumed(), asked.is_some());
                    elapsed
                })
                .collect();
            times.sort();
            println!("X25519MLKEM768 {post_quantum}, {name}: {:?} both sides", times[250]);
        }
        let before = live_bytes();
        let kept: Vec<_> = (0..100).map(|_| handshake(&initiator, &responder, None)).collect();
        println!("two complete sessions: {} bytes", (live_bytes() - before) / kept.len());
    }
}

fn handshake(a: &TlsContext, b: &TlsContext, asked: Option<channeler::id::PeerId>) -> [Session; 2] {
    let now = Time::from_nanos(1);
    let mut sessions = [
        Session::initiator(a, now, asked, vec![1; 40]).expect("it begins"),
        Session::responder(b, now, vec![2; 60]).expect("it begins"),
    ];
    let mut from = 0;
    while sessions.iter().any(|session| !session.is_complete()) {
        let mut flight = Vec::new();
        while let Some(output) = sessions[from].write() {
            if let TlsOutput::Bytes(level, bytes) = output {
                flight.push((level, bytes));
            }
        }
        from ^= 1;
        for (level, bytes) in flight {
            sessions[from].read(now, level, &bytes).expect("a good handshake");
        }
    }
    let tickets = sessions[1].tickets(now);
    sessions[0].read(now, CryptoLevel::Short, &tickets).expect("good tickets");
    let ids = AttemptIds {
        original: AttemptId([1; 16]),
        initiator: AttemptId([2; 16]),
        responder: AttemptId([3; 16]),
    };
    assert!(sessions.iter().all(|session| session.secrets(&ids).is_some()));
    sessions
}
