//! Engines on real loopback sockets: each way to run, threads, endings, batches, refusals.

mod support;

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use channeler::config::{ChannelConfig, NodeConfig};
use channeler::engine::{Engine, EngineConfig, SOCKETS_MAX};
use channeler::error::Error;
use channeler::id::Capabilities;
use channeler::io::Event;
use channeler::node::DropReason;
use support::*;

#[test]
fn own_threads_exchange_messages_over_ipv4() {
    own_threads_exchange_messages("127.0.0.1:0", "127.0.0.1:0");
}

#[test]
fn own_threads_exchange_messages_over_ipv6() {
    own_threads_exchange_messages("[::1]:0", "[::1]:0");
}

#[test]
fn dual_stack_talks_to_ipv4() {
    own_threads_exchange_messages("[::]:0", "127.0.0.1:0");
}

#[test]
fn ipv4_talks_to_dual_stack() {
    own_threads_exchange_messages("127.0.0.1:0", "[::]:0");
}

#[test]
fn own_threads_exchange_messages_in_v1() {
    exchange_messages(&Peer::v1(1, "127.0.0.1:0"), &Peer::v1(2, "127.0.0.1:0"));
    exchange_messages(&Peer::v1(1, "[::1]:0"), &Peer::v1(2, "[::1]:0"));
}

#[test]
fn a_burst_of_v1_messages_arrives_in_batches() {
    let (a, b) = (Peer::v1(1, "127.0.0.1:0"), Peer::v1(2, "127.0.0.1:0"));
    a.engine.start().expect("start");
    b.engine.start().expect("start");
    // A socket's buffer may be too small for all of them on a busy machine.
    let capabilities = Capabilities::RESEND;
    let config = ChannelConfig { capabilities, ..ChannelConfig::default() };
    let channel = a.dial_as(b.loopback(), &config);
    a.wait(|event| matches!(event, Event::ChannelOpened { .. }));
    for number in 0..300_u16 {
        let mut message = [7; 1_000];
        message[..2].copy_from_slice(&number.to_be_bytes());
        a.send_patiently(channel, &message);
    }
    let mut got: Vec<u16> = (0..300).map(|_| b.wait_message().0).map(number_of).collect();
    got.sort_unstable();
    assert_eq!(got, (0..300).collect::<Vec<_>>());
}

fn number_of(message: Vec<u8>) -> u16 {
    assert_eq!(message[2..], [7; 998]);
    u16::from_be_bytes([message[0], message[1]])
}

fn own_threads_exchange_messages(a: &str, b: &str) {
    exchange_messages(&Peer::new(1, a), &Peer::new(2, b));
}

fn exchange_messages(a: &Peer, b: &Peer) {
    a.engine.start().expect("start");
    b.engine.start().expect("start");
    let channel = a.open(b.loopback());
    a.send(channel, b"question");
    let (heard, answer_on) = b.wait_message();
    assert_eq!(heard, b"question");
    b.send(answer_on, b"answer");
    assert_eq!(a.wait_message().0, b"answer");
}

#[test]
fn one_thread_runs_both_sides() {
    let (a, b) = (Peer::new(1, "127.0.0.1:0"), Peer::new(2, "127.0.0.1:0"));
    let channel = a.dial(b.loopback());
    let turn = || {
        for peer in [&a, &b] {
            peer.engine.process(Some(Duration::from_millis(1))).expect("process");
        }
    };
    a.send(channel, b"question");
    let (_, answer_on) = drive(turn, || b.message());
    b.send(answer_on, b"answer");
    assert_eq!(drive(turn, || a.message()).0, b"answer");
}

#[test]
fn flush_sends_without_a_turn() {
    let (a, b) = (Peer::new(1, "127.0.0.1:0"), Peer::new(2, "127.0.0.1:0"));
    b.engine.start().expect("start");
    let channel = a.dial(b.loopback());
    let turn = || a.engine.process(Some(Duration::from_millis(1))).expect("process");
    drive(turn, || a.heard(|event| matches!(event, Event::ChannelOpened { .. })));
    let turns = a.engine.stats().turns;
    a.send(channel, b"now");
    a.engine.flush().expect("flush");
    assert_eq!(b.wait_message().0, b"now");
    assert_eq!(a.engine.stats().turns, turns);
}

#[cfg(unix)]
#[test]
fn the_callers_own_loop_needs_only_fd_and_timeout() {
    let (a, b) = (Peer::new(1, "127.0.0.1:0"), Peer::new(2, "127.0.0.1:0"));
    b.engine.start().expect("start");
    let channel = a.dial(b.loopback());
    a.send(channel, b"question");
    let (_, answer_on) = drive(|| a.fd_turn(), || b.message());
    b.send(answer_on, b"answer");
    assert_eq!(drive(|| a.fd_turn(), || a.message()).0, b"answer");
}

#[cfg(unix)]
#[test]
fn a_call_from_another_thread_wakes_the_callers_own_loop() {
    let (a, b) = (Peer::new(1, "127.0.0.1:0"), Peer::new(2, "127.0.0.1:0"));
    b.engine.start().expect("start");
    let channel = a.dial(b.loopback());
    drive(|| a.fd_turn(), || a.heard(|event| matches!(event, Event::ChannelOpened { .. })));
    b.wait(|event| matches!(event, Event::ChannelOpened { .. }));
    let fd = a.engine.fd().expect("unix");
    // The loop says that it sleeps, and nothing is on its way: only the send can end that sleep.
    while wait_readable(fd, Duration::ZERO) || a.engine.timeout() == Ok(Some(Duration::ZERO)) {
        a.engine.process(Some(Duration::ZERO)).expect("process");
    }
    thread::scope(|scope| {
        let sender = scope.spawn(|| a.send(channel, b"late"));
        assert!(wait_readable(fd, PATIENCE), "nobody woke the loop");
        sender.join().expect("no panic");
    });
    // A late packet may have ended the wait too; the wake was given all the same.
    assert_eq!(a.engine.stats().wakes, 1);
    assert_eq!(drive(|| a.fd_turn(), || b.message()).0, b"late");
}

#[cfg(unix)]
#[test]
fn a_flooded_node_whose_owner_polls_only_the_fd_still_opens_channels() {
    let (a, b) = (Peer::new(1, "127.0.0.1:0"), Peer::new(2, "127.0.0.1:0"));
    let flood = Flood::start(a.loopback());
    let dropped = || {
        let stats = a.engine.with_node(|node, _| node.stats()).expect("lock");
        stats.dropped(DropReason::UnknownProtocol)
    };
    drive(|| a.fd_turn(), || (dropped() > 1_000).then_some(()));
    b.engine.start().expect("start");
    let channel = b.dial(a.loopback());
    drive(|| a.fd_turn(), || b.heard(|event| matches!(event, Event::ChannelOpened { .. })));
    // The flood may cost messages, never all of them.
    let heard = drive(
        || {
            b.send(channel, b"through");
            a.fd_turn();
        },
        || a.message(),
    );
    assert_eq!(heard.0, b"through");
    let before = dropped();
    drive(|| a.fd_turn(), || (dropped() > before + 1_000).then_some(()));
    flood.stop();
}

#[cfg(target_os = "linux")]
#[test]
fn the_timeout_is_zero_until_every_socket_is_drained() {
    let a = Peer::new(1, "127.0.0.1:0");
    // Of different senders, so that the system does not join them; one batch takes 32 at most.
    for _ in 0..40 {
        let sender = UdpSocket::bind("127.0.0.1:0").expect("bind");
        sender.send_to(b"rubbish", a.loopback()).expect("send");
    }
    a.engine.process(Some(PATIENCE)).expect("process");
    assert_eq!(a.engine.timeout(), Ok(Some(Duration::ZERO)));
    while a.engine.timeout() == Ok(Some(Duration::ZERO)) {
        a.engine.process(Some(PATIENCE)).expect("process");
    }
    assert_eq!(a.engine.stats().datagrams_received, 40);
}

#[test]
fn eight_threads_send_at_once_and_nothing_is_lost() {
    const EACH: usize = 500;
    let (a, b) = (Peer::new(1, "127.0.0.1:0"), Peer::new(2, "127.0.0.1:0"));
    a.engine.start().expect("start");
    b.engine.start().expect("start");
    let channel = a.open(b.loopback());
    let arrived = AtomicUsize::new(0);
    thread::scope(|scope| {
        for thread in 0..8_usize {
            let (a, arrived) = (&a, &arrived);
            scope.spawn(move || {
                for index in 0..EACH {
                    // The loopback loses what finds a full receive buffer: stay within it.
                    let sent = thread * EACH + index;
                    let deadline = Instant::now() + PATIENCE;
                    while arrived.load(Ordering::Relaxed) + 100 * 8 < index * 8 {
                        assert!(Instant::now() < deadline, "stuck at {sent}");
                        thread::yield_now();
                    }
                    a.send(channel, &sent.to_be_bytes());
                }
            });
        }
        let mut seen = vec![false; 8 * EACH];
        for _ in 0..8 * EACH {
            let (bytes, _) = b.wait_message();
            let index = usize::from_be_bytes(bytes.try_into().expect("eight bytes"));
            assert!(!std::mem::replace(&mut seen[index], true), "{index} came twice");
            arrived.fetch_add(1, Ordering::Relaxed);
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn bulk_leaves_and_arrives_in_batches() {
    let (a, b) = (Peer::new(1, "127.0.0.1:0"), Peer::new(2, "127.0.0.1:0"));
    b.engine.start().expect("start");
    let channel = a.dial(b.loopback());
    let turn = || a.engine.process(Some(Duration::from_millis(1))).expect("process");
    drive(turn, || a.heard(|event| matches!(event, Event::ChannelOpened { .. })));
    let (before_a, before_b) = (a.engine.stats(), b.engine.stats());
    for _ in 0..100 {
        a.send(channel, &[7; 1_000]);
    }
    a.engine.flush().expect("flush");
    for _ in 0..100 {
        b.wait_message();
    }
    let (after_a, after_b) = (a.engine.stats(), b.engine.stats());
    let calls = after_a.sends - before_a.sends;
    assert!(calls <= 10, "{calls} calls for 100 packets");
    assert_eq!(after_a.datagrams_sent - before_a.datagrams_sent, 100);
    let buffers = after_b.buffers_received - before_b.buffers_received;
    assert!(buffers <= 10, "{buffers} buffers for 100 packets");
}

#[test]
fn an_engine_may_be_told_not_to_batch() {
    let config = EngineConfig { segments_max: 1, ..EngineConfig::default() };
    let a = Peer::with_config(config, node_config(1), "127.0.0.1:0");
    let b = Peer::new(2, "127.0.0.1:0");
    b.engine.start().expect("start");
    a.engine.start().expect("start");
    let channel = a.open(b.loopback());
    for _ in 0..20 {
        a.send(channel, &[7; 1_000]);
    }
    for _ in 0..20 {
        b.wait_message();
    }
    let stats = a.engine.stats();
    assert_eq!(stats.sends, stats.datagrams_sent);
}

#[test]
fn spinning_engines_talk() {
    let config = EngineConfig { spin: Duration::from_micros(50), ..EngineConfig::default() };
    let a = Peer::with_config(config, node_config(1), "127.0.0.1:0");
    let b = Peer::with_config(config, node_config(2), "127.0.0.1:0");
    a.engine.start().expect("start");
    b.engine.start().expect("start");
    let channel = a.open(b.loopback());
    for _ in 0..100 {
        a.send(channel, b"ping");
        let (_, answer_on) = b.wait_message();
        b.send(answer_on, b"pong");
        a.wait_message();
    }
}

#[test]
fn a_packet_too_large_for_the_interface_reduces_the_packet_size() {
    let config = NodeConfig { packet_size: 65_507, ..node_config(1) };
    let a = Peer::with_config(EngineConfig::default(), config, "[::1]:0");
    let b = Peer::new(2, "[::1]:0");
    a.engine.start().expect("start");
    b.engine.start().expect("start");
    let channel = a.open(b.loopback());
    // The loopback takes 65,536 bytes, of which the headers of IPv6 and UDP are 48.
    let bytes_max = a.engine.with_node(|node, _| {
        let connection = node.channel_info(channel)?.connection;
        Ok::<_, Error>(node.connection_info(connection)?.message_bytes_max)
    });
    a.send(channel, &vec![7; bytes_max.expect("lock").expect("handles")]);
    a.wait(|event| matches!(event, Event::PacketSizeReduced { .. }));
    assert_eq!(a.engine.stats().too_large, 1);
}

#[test]
fn an_address_that_no_socket_reaches_is_reported() {
    let a = Peer::new(1, "127.0.0.1:0");
    a.engine.start().expect("start");
    a.dial("[::1]:9".parse().expect("address"));
    a.wait(|event| matches!(event, Event::PathUnreachable { .. }));
    assert!(a.engine.stats().unreachable >= 1);
}

#[test]
fn timers_run_without_any_packet() {
    let config = NodeConfig {
        handshake_timeout: Duration::from_millis(2),
        handshake_retries: 2,
        ..node_config(1)
    };
    let a = Peer::with_config(EngineConfig::default(), config, "127.0.0.1:0");
    let silent = UdpSocket::bind("127.0.0.1:0").expect("bind");
    a.engine.start().expect("start");
    a.dial(silent.local_addr().expect("address"));
    a.wait(
        |event| matches!(event, Event::ChannelClosed { reason, .. } if *reason == Error::Timeout),
    );
}

#[test]
fn the_handler_accepts_or_refuses() {
    let config = NodeConfig { ask_before_accept: true, ..node_config(2) };
    let b = Peer::with_config(EngineConfig::default(), config, "127.0.0.1:0");
    b.engine.start().expect("start");
    let refused = Peer::new(Recorder::REFUSED, "127.0.0.1:0");
    refused.engine.start().expect("start");
    // v0 has no way to say no: the refused side believes in its channel until it idles, and what it
    // repeats is not worth another question.
    let ignored = refused.open(b.loopback());
    refused.send(ignored, b"let me in");
    let asked = || b.recorder.asked.lock().expect("lock").clone();
    until(|| asked() == [peer_id(Recorder::REFUSED)]);
    let welcome = Peer::new(1, "127.0.0.1:0");
    welcome.engine.start().expect("start");
    let channel = welcome.open(b.loopback());
    welcome.send(channel, b"hello");
    let opened = b.wait(|event| !matches!(event, Event::Connected { .. }));
    assert!(matches!(opened.0, Event::ChannelOpened { .. }), "{opened:?}");
    assert_eq!(b.wait_message().0, b"hello");
    assert_eq!(asked(), [peer_id(Recorder::REFUSED), peer_id(1)]);
}

#[test]
fn wake_ends_a_wait_without_end() {
    let a = Peer::new(1, "127.0.0.1:0");
    thread::scope(|scope| {
        let waiting = scope.spawn(|| a.engine.process(None));
        a.engine.wake();
        waiting.join().expect("no panic").expect("process");
    });
}

#[test]
fn calls_in_a_busy_loops_own_thread_cost_no_wake() {
    let (a, b) = (Peer::new(1, "127.0.0.1:0"), Peer::new(2, "127.0.0.1:0"));
    let channel = a.dial(b.loopback());
    let turn = || {
        for peer in [&a, &b] {
            peer.engine.process(Some(Duration::from_millis(1))).expect("process");
        }
    };
    for _ in 0..10 {
        a.send(channel, b"ping");
        drive(turn, || b.message());
    }
    assert_eq!((a.engine.stats().wakes, b.engine.stats().wakes), (0, 0));
}

#[test]
fn only_one_thread_at_a_time_may_process() {
    let a = Peer::new(1, "127.0.0.1:0");
    a.engine.start().expect("start");
    assert_eq!(a.engine.start(), Err(Error::State));
    assert_eq!(a.engine.process(Some(Duration::ZERO)), Err(Error::State));
    a.engine.stop().expect("stop");
    a.engine.stop().expect("stopping twice is harmless");
    a.engine.process(Some(Duration::ZERO)).expect("its own thread is gone");
    a.engine.start().expect("it may start again");
}

#[test]
fn callbacks_may_call_everything_but_process_and_stop() {
    let (a, b) = (Peer::new(1, "127.0.0.1:0"), Peer::new(2, "127.0.0.1:0"));
    let (report, reports) = channel();
    *b.recorder.hook.lock().expect("lock") = Some(Box::new(move |engine: &Engine| {
        assert!(engine.is_in_callback());
        assert_eq!(engine.process(Some(Duration::ZERO)), Err(Error::State));
        assert_eq!(engine.stop(), Err(Error::State));
        assert_eq!(engine.start(), Err(Error::State));
        engine.bind("127.0.0.1:0".parse().expect("address")).expect("bind");
        engine.with_node(|node, _| node.stats()).expect("with_node");
        engine.flush().expect("flush");
        engine.timeout().expect("timeout");
        engine.fd().expect("fd");
        engine.wake();
        report.send(engine.addresses().len()).expect("the test listens");
    }));
    a.engine.start().expect("start");
    b.engine.start().expect("start");
    a.open(b.loopback());
    let sockets = reports.recv_timeout(PATIENCE).expect("no call failed");
    assert!(sockets >= 2, "{sockets}");
    assert!(!b.engine.is_in_callback());
}

#[test]
fn close_waits_for_the_running_callback_and_nothing_follows() {
    let (a, b) = (Peer::new(1, "127.0.0.1:0"), Peer::new(2, "127.0.0.1:0"));
    let inside = Arc::new(Barrier::new(2));
    let done = Arc::new(AtomicBool::new(false));
    let (hook_inside, hook_done) = (Arc::clone(&inside), Arc::clone(&done));
    *b.recorder.hook.lock().expect("lock") = Some(Box::new(move |_: &Engine| {
        if !hook_done.load(Ordering::Relaxed) {
            hook_inside.wait();
            for _ in 0..1_000 {
                thread::yield_now();
            }
            hook_done.store(true, Ordering::Relaxed);
        }
    }));
    b.engine.start().expect("start");
    a.engine.start().expect("start");
    a.dial(b.loopback());
    inside.wait();
    b.engine.close();
    assert!(done.load(Ordering::Relaxed), "close returned inside a callback");
    assert_eq!(b.recorder.drops.load(Ordering::Relaxed), 1);
    assert_eq!(b.engine.process(Some(Duration::ZERO)), Err(Error::Closed));
    assert_eq!(b.engine.with_node(|_, _| ()), Err(Error::Closed));
    assert_eq!(b.engine.bind("127.0.0.1:0".parse().expect("address")), Err(Error::Closed));
}

#[test]
fn close_inside_a_callback_makes_it_the_last() {
    let (a, b) = (Peer::new(1, "127.0.0.1:0"), Peer::new(2, "127.0.0.1:0"));
    let calls = Arc::new(AtomicUsize::new(0));
    let hook_calls = Arc::clone(&calls);
    *b.recorder.hook.lock().expect("lock") = Some(Box::new(move |engine: &Engine| {
        hook_calls.fetch_add(1, Ordering::Relaxed);
        engine.close();
    }));
    b.engine.start().expect("start");
    a.engine.start().expect("start");
    a.dial(b.loopback());
    until(|| b.recorder.drops.load(Ordering::Relaxed) == 1);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[test]
fn the_last_reference_may_go_inside_a_callback() {
    let (a, b) = (Peer::new(1, "127.0.0.1:0"), Peer::new(2, "127.0.0.1:0"));
    let Peer { engine, recorder, .. } = b;
    let address = engine.addresses()[0];
    engine.start().expect("start");
    let held = Mutex::new(Some(engine));
    *recorder.hook.lock().expect("lock") = Some(Box::new(move |_: &Engine| {
        drop(held.lock().expect("lock").take());
    }));
    a.engine.start().expect("start");
    a.dial(address);
    until(|| recorder.drops.load(Ordering::Relaxed) == 1);
}

#[test]
fn a_panic_under_the_lock_poisons() {
    let a = Peer::new(1, "127.0.0.1:0");
    thread::scope(|scope| {
        let result = scope.spawn(|| a.engine.with_node(|_, _| panic!("on purpose"))).join();
        assert!(result.is_err());
    });
    assert_eq!(a.engine.with_node(|_, _| ()), Err(Error::Poisoned));
    assert_eq!(a.engine.process(Some(Duration::ZERO)), Err(Error::Poisoned));
    assert_eq!(a.engine.timeout(), Err(Error::Poisoned));
    assert_eq!(a.engine.flush(), Err(Error::Poisoned));
    assert_eq!(a.engine.start(), Err(Error::Poisoned));
    a.engine.close();
    assert_eq!(a.recorder.drops.load(Ordering::Relaxed), 1);
}

#[test]
fn sockets_have_a_limit_and_an_occupied_address_is_an_error() {
    let a = Peer::new(1, "127.0.0.1:0");
    let taken = a.engine.bind(a.loopback());
    assert_eq!(taken, Err(Error::Socket));
    assert_ne!(a.engine.stats().last_os_error, 0);
    let any = "127.0.0.1:0".parse().expect("address");
    for _ in 1..SOCKETS_MAX {
        a.engine.bind(any).expect("bind");
    }
    assert_eq!(a.engine.bind(any), Err(Error::Limit));
    assert_eq!(a.engine.addresses().len(), SOCKETS_MAX);
}

#[test]
fn a_socket_bound_while_the_loop_sleeps_is_served() {
    let (a, b) = (Peer::new(1, "127.0.0.1:0"), Peer::new(2, "127.0.0.1:0"));
    a.engine.start().expect("start");
    b.engine.start().expect("start");
    let second = b.engine.bind("[::1]:0".parse().expect("address")).expect("bind");
    a.engine.bind("[::1]:0".parse().expect("address")).expect("bind");
    let channel = a.open(second);
    a.send(channel, b"there");
    let (_, answer_on) = b.wait_message();
    b.send(answer_on, b"and back");
    assert_eq!(a.wait_message().0, b"and back");
}

#[test]
fn settings_out_of_range_are_refused() {
    for config in [
        EngineConfig { segments_max: 0, ..EngineConfig::default() },
        EngineConfig { spin: Duration::from_secs(1), ..EngineConfig::default() },
        EngineConfig { receive_buffer_bytes: usize::MAX, ..EngineConfig::default() },
    ] {
        let result = Engine::with_config(config, node_config(1), None, Box::new(Deaf));
        assert_eq!(result.err(), Some(Error::InvalidArgument), "{config:?}");
    }
}
