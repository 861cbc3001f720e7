//! The baseline: the same frames by a program written on quinn, with its CUBIC.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use quinn::{RecvStream, VarInt};
use serde::{Deserialize, Serialize};

use super::node::spent;
use super::{LABEL, TEAM};
use crate::bare::Meter;
use crate::harness::{core_time, median};
use crate::v1::quic::Sides;
use crate::v1::tls::Profile;

/// Small frames are gathered in pieces of this size, as ours are.
const PIECE_BYTES: usize = 32 << 10;

/// Bytes of the length before each frame.
const LENGTH_SIZE: usize = 4;

/// The head of each frame.
#[derive(Serialize, Deserialize)]
enum QuicMessage<'a> {
    Sync,
    ChannelMessage { team_id: [u8; 32], label: &'a str },
}

/// Messages of `size` bytes that the receiver's application gets a second.
pub(super) fn messages(size: usize, time: Duration) -> f64 {
    let (rate, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    Sides::with(Profile::of_quic_channels()).run(
        async |server| {
            let incoming = server.accept().await.expect("nobody closes the endpoint");
            let connection = incoming.await.expect("loopback loses nothing of so little");
            let (_, stream) = connection.accept_bi().await.expect("the connection lives");
            let (began, since) = (core_time(), Instant::now());
            let mut frames = Frames::new(stream);
            let mut meter = Meter::new(time);
            loop {
                let mut messages = 0;
                frames
                    .read(|message| {
                        // Where it lies; a program on quinn need not copy it again.
                        std::hint::black_box(message);
                        messages += 1;
                    })
                    .await;
                if !meter.add(messages) {
                    break;
                }
            }
            is_over.store(true, Ordering::Relaxed);
            rate.store(meter.rate() as u64, Ordering::Relaxed);
            let (cost, busy) = spent(core_time() - began, meter.total as f64, since);
            eprintln!("  quinn: received at {cost:.0} ns of core a message; busy {busy:.0} %");
            connection.close(VarInt::from_u32(0), b"");
            server.wait_idle().await;
        },
        async |client, to| {
            let connecting = client.connect(to, "peer.invalid").expect("good settings");
            let connection = connecting.await.expect("loopback loses nothing of so little");
            let (mut stream, _) = connection.open_bi().await.expect("the connection lives");
            let message = vec![0x5a; size];
            let (began, since) = (core_time(), Instant::now());
            let mut sent: u64 = 0;
            while !is_over.load(Ordering::Relaxed) {
                let (piece, messages) = piece(&message);
                // The receiver closes when it has enough.
                if stream.write_chunk(piece).await.is_err() {
                    break;
                }
                sent += messages;
            }
            let (cost, busy) = spent(core_time() - began, sent as f64, since);
            eprintln!("  quinn: sent at {cost:.0} ns of core a message; busy {busy:.0} %");
            let path = connection.stats().path;
            eprintln!("  quinn: {} of {} packets lost", path.lost_packets, path.sent_packets);
            connection.closed().await;
            client.wait_idle().await;
        },
    );
    rate.into_inner() as f64
}

/// Round trips of messages of `size` bytes: the median, in microseconds.
pub(super) fn pings(size: usize, time: Duration) -> f64 {
    Sides::with(Profile::of_quic_channels()).run(
        async |server| {
            let incoming = server.accept().await.expect("nobody closes the endpoint");
            let connection = incoming.await.expect("loopback loses nothing of so little");
            let (mut back, stream) = connection.accept_bi().await.expect("the connection lives");
            let mut frames = Frames::new(stream);
            let mut answer = Vec::new();
            while frames.read(|message| answer.extend_from_slice(message)).await {
                let mut frame = BytesMut::with_capacity(2 * size + 64);
                if !answer.is_empty() {
                    put(&mut frame, &answer);
                    answer.clear();
                    let _closed = back.write_chunk(frame.freeze()).await;
                }
            }
        },
        async |client, to| {
            let connecting = client.connect(to, "peer.invalid").expect("good settings");
            let connection = connecting.await.expect("loopback loses nothing of so little");
            let (mut stream, back) = connection.open_bi().await.expect("the connection lives");
            let mut frames = Frames::new(back);
            let message = vec![0x5a; size];
            let mut trips = Vec::new();
            let began = Instant::now();
            while began.elapsed() < time {
                let sent_at = Instant::now();
                let mut frame = BytesMut::with_capacity(2 * size + 64);
                put(&mut frame, &message);
                stream.write_chunk(frame.freeze()).await.expect("the connection lives");
                let mut has_come = false;
                while !has_come {
                    assert!(frames.read(|_| has_come = true).await, "the connection lives");
                }
                trips.push(sent_at.elapsed().as_secs_f64() * 1e6);
            }
            connection.close(VarInt::from_u32(0), b"");
            client.wait_idle().await;
            median(trips)
        },
    )
}

/// As many frames as ours would gather, and how many they are.
fn piece(message: &[u8]) -> (Bytes, u64) {
    let mut piece = BytesMut::with_capacity(PIECE_BYTES.max(message.len() + 64));
    let mut messages = 0;
    while messages == 0 || piece.len() + message.len() + 64 <= PIECE_BYTES {
        put(&mut piece, message);
        messages += 1;
    }
    (piece.freeze(), messages)
}

fn put(piece: &mut BytesMut, message: &[u8]) {
    let mut buffer = [0; 64];
    let head = QuicMessage::ChannelMessage { team_id: TEAM, label: LABEL };
    let head = postcard::to_slice(&head, &mut buffer).expect("it fits");
    piece.put_u32((head.len() + message.len()) as u32);
    piece.put_slice(head);
    piece.put_slice(message);
}

/// Frames of one stream: told apart where quinn has them, but for those that lie in two chunks.
struct Frames {
    stream: RecvStream,
    chunks: [Bytes; 32],
    parted: Vec<u8>,
}

impl Frames {
    fn new(stream: RecvStream) -> Frames {
        Frames { stream, chunks: [const { Bytes::new() }; 32], parted: Vec::new() }
    }

    /// Gives `take` the messages that are there; waits for bytes. False at the end.
    async fn read(&mut self, mut take: impl FnMut(&[u8])) -> bool {
        let Ok(Some(count)) = self.stream.read_chunks(&mut self.chunks).await else { return false };
        for chunk in &mut self.chunks[..count] {
            let chunk = std::mem::take(chunk);
            let mut rest = &chunk[..];
            while !self.parted.is_empty() && !rest.is_empty() {
                // As much as the frame begun before is known to have.
                let wanted = whole(&self.parted).unwrap_or(LENGTH_SIZE);
                let (more, after) = rest.split_at(rest.len().min(wanted - self.parted.len()));
                self.parted.extend_from_slice(more);
                rest = after;
                if whole(&self.parted) == Some(self.parted.len()) {
                    take(message_of(&self.parted));
                    self.parted.clear();
                }
            }
            while let Some(len) = whole(rest).filter(|len| *len <= rest.len()) {
                take(message_of(&rest[..len]));
                rest = &rest[len..];
            }
            self.parted.extend_from_slice(rest);
        }
        true
    }
}

/// Bytes of the frame at the front with its length, if that is there.
fn whole(bytes: &[u8]) -> Option<usize> {
    let length = bytes.first_chunk().map(|length| u32::from_be_bytes(*length));
    length.map(|length| LENGTH_SIZE + length as usize)
}

fn message_of(frame: &[u8]) -> &[u8] {
    let (head, message) = postcard::take_from_bytes(&frame[LENGTH_SIZE..]).expect("it was made so");
    match head {
        QuicMessage::ChannelMessage { team_id, label } => {
            std::hint::black_box((team_id, label));
        }
        QuicMessage::Sync => panic!("none was sent"),
    }
    message
}
