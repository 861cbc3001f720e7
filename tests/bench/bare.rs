//! Baselines: what the machine does with the same datagrams and no library.

#![allow(unsafe_code, reason = "sendmmsg, recvmmsg, GSO and GRO are system calls")]

mod ping;

use std::io;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

pub(crate) use ping::{Wait, ping};

use crate::harness::{core_time, pin};

/// Datagrams in one `sendmmsg` or `recvmmsg`.
const MANY: usize = 64;

/// The largest UDP payload over IPv4, and most segments of it: a full GSO batch.
const BATCH_BYTES_MAX: usize = 65_507;
const SEGMENTS_MAX: usize = 64;

/// As the library asks for.
const SOCKET_BUFFER_BYTES: libc::c_int = 4 << 20;

/// Before the receiver counts.
pub(crate) const WARM_UP: Duration = Duration::from_millis(100);

/// How long the receiver waits before it looks whether all is over.
pub(crate) const PATIENCE: Duration = Duration::from_millis(50);

/// Datagrams of `size` bytes received a second: `sendmmsg` to `recvmmsg`.
pub(crate) fn many(size: usize, time: Duration) -> f64 {
    bulk(time, |socket, to, rounds| send_many(socket, to, size, rounds), receive_many)
}

/// The same, sender and receiver with full batches: UDP_SEGMENT to UDP_GRO.
pub(crate) fn segmented(size: usize, time: Duration) -> f64 {
    let send = |socket: &UdpSocket, to, rounds: &Rounds| {
        send_segmented(socket, to, size, rounds, |_batch| {})
    };
    let receive = |socket: &UdpSocket, counted: &mut dyn FnMut(u64) -> bool| {
        receive_segmented(socket, |_packet| {}, counted)
    };
    bulk(time, send, receive)
}

/// The same again, each datagram sealed before it is sent and opened when it has come.
pub(crate) fn sealed(size: usize, time: Duration) -> f64 {
    let send = |socket: &UdpSocket, to, rounds: &Rounds| {
        let mut sealer = Sealer::new();
        send_segmented(socket, to, size, rounds, |batch| {
            batch.chunks_exact_mut(size).for_each(|packet| sealer.seal(packet));
        })
    };
    let receive = |socket: &UdpSocket, counted: &mut dyn FnMut(u64) -> bool| {
        let sealer = Sealer::new();
        receive_segmented(socket, |packet| sealer.open(packet), counted)
    };
    bulk(time, send, receive)
}

/// How far both threads are.
struct Rounds {
    is_over: AtomicBool,
    sent: AtomicU64,
}

fn bulk(
    time: Duration,
    send: impl Fn(&UdpSocket, SocketAddr, &Rounds) -> io::Result<()> + Sync,
    receive: impl Fn(&UdpSocket, &mut dyn FnMut(u64) -> bool) -> io::Result<()> + Sync,
) -> f64 {
    let (sender, receiver) = (socket(), socket());
    receiver.set_read_timeout(Some(PATIENCE)).expect("a valid time");
    let to = receiver.local_addr().expect("it is bound");
    let rounds = Rounds { is_over: AtomicBool::new(false), sent: AtomicU64::new(0) };
    std::thread::scope(|scope| {
        let receiving = scope.spawn(|| {
            pin(1);
            let mut meter = Meter::new(time);
            receive(&receiver, &mut |count| meter.add(count)).expect("loopback receives");
            rounds.is_over.store(true, Ordering::Relaxed);
            (meter.rate(), core_time().as_secs_f64() / meter.total as f64)
        });
        pin(0);
        let began = core_time();
        send(&sender, to, &rounds).expect("loopback sends");
        let cost = (core_time() - began).as_secs_f64() / rounds.sent.load(Ordering::Relaxed) as f64;
        let (rate, receive_cost) = receiving.join().expect("the receiver does not panic");
        let nanos = |seconds: f64| seconds * 1e9;
        eprintln!(
            "  bare: sent at {:.0} ns of core each, received at {:.0} ns",
            nanos(cost),
            nanos(receive_cost)
        );
        rate
    })
}

/// Counts what comes after the warm-up.
pub(crate) struct Meter {
    began: Instant,
    time: Duration,
    count: u64,
    took: Duration,
    /// Warm-up included.
    pub(crate) total: u64,
}

impl Meter {
    pub(crate) fn new(time: Duration) -> Meter {
        Meter { began: Instant::now() + WARM_UP, time, count: 0, took: Duration::ZERO, total: 0 }
    }

    /// Whether more is wanted.
    pub(crate) fn add(&mut self, count: u64) -> bool {
        let now = Instant::now();
        self.total += count;
        if now > self.began {
            self.count += count;
            self.took = now - self.began;
        }
        self.took < self.time
    }

    pub(crate) fn rate(&self) -> f64 {
        self.count as f64 / self.took.as_secs_f64()
    }
}

fn send_many(socket: &UdpSocket, to: SocketAddr, size: usize, rounds: &Rounds) -> io::Result<()> {
    let mut payload = vec![0x5a_u8; size];
    let mut name = sockaddr(to);
    let mut parts = [iovec(&mut payload)];
    let mut headers = [header(&mut name, &mut parts, &mut []); MANY]
        .map(|msg_hdr| libc::mmsghdr { msg_hdr, msg_len: 0 });
    while !rounds.is_over.load(Ordering::Relaxed) {
        let (fd, count) = (socket.as_raw_fd(), MANY as libc::c_uint);
        // SAFETY: all headers point to `name` and `parts`, which point to `payload`; all of them
        // live until the call returns, and the kernel only reads them.
        let sent = unsafe { libc::sendmmsg(fd, headers.as_mut_ptr(), count, 0) };
        rounds.sent.fetch_add(checked(sent as isize)? as u64, Ordering::Relaxed);
    }
    Ok(())
}

fn receive_many(socket: &UdpSocket, counted: &mut dyn FnMut(u64) -> bool) -> io::Result<()> {
    let mut storage = vec![[0_u8; 2048]; MANY];
    let mut names = [sockaddr(any()); MANY];
    let mut parts: Vec<[libc::iovec; 1]> =
        storage.iter_mut().map(|buffer| [iovec(buffer)]).collect();
    let mut headers: Vec<libc::mmsghdr> = parts
        .iter_mut()
        .zip(&mut names)
        .map(|(parts, name)| libc::mmsghdr { msg_hdr: header(name, parts, &mut []), msg_len: 0 })
        .collect();
    loop {
        let (fd, count) = (socket.as_raw_fd(), MANY as libc::c_uint);
        let (headers, no_limit) = (headers.as_mut_ptr(), std::ptr::null_mut());
        // SAFETY: each header points to its own name and buffer, which live until the call returns
        // and which nothing else uses meanwhile.
        let got = unsafe { libc::recvmmsg(fd, headers, count, libc::MSG_WAITFORONE, no_limit) };
        if !counted(received(got as isize)?.unwrap_or(0) as u64) {
            return Ok(());
        }
    }
}

fn send_segmented(
    socket: &UdpSocket,
    to: SocketAddr,
    size: usize,
    rounds: &Rounds,
    mut fill: impl FnMut(&mut [u8]),
) -> io::Result<()> {
    let segments = SEGMENTS_MAX.min(BATCH_BYTES_MAX / size);
    let mut payload = vec![0x5a_u8; segments * size];
    let mut name = sockaddr(to);
    let mut control = [0_u64; 4];
    while !rounds.is_over.load(Ordering::Relaxed) {
        fill(&mut payload);
        let mut parts = [iovec(&mut payload)];
        let mut header = header(&mut name, &mut parts, &mut control);
        put_segment_size(&mut header, u16::try_from(size).expect("a datagram's size"));
        // SAFETY: the header points to `name`, `parts` and `control`, which live until the call
        // returns, and the kernel only reads them.
        let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const header, 0) };
        checked(sent)?;
        rounds.sent.fetch_add(segments as u64, Ordering::Relaxed);
    }
    Ok(())
}

fn receive_segmented(
    socket: &UdpSocket,
    mut take: impl FnMut(&mut [u8]),
    counted: &mut dyn FnMut(u64) -> bool,
) -> io::Result<()> {
    set_option(socket, libc::SOL_UDP, libc::UDP_GRO, 1);
    let mut buffer = vec![0_u8; 65_536];
    let mut name = sockaddr(any());
    let mut control = [0_u64; 8];
    loop {
        let mut parts = [iovec(&mut buffer)];
        let mut header = header(&mut name, &mut parts, &mut control);
        // SAFETY: the header points to `name`, `parts` and `control`, which live until the call
        // returns and which nothing else uses meanwhile.
        let got = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, 0) };
        let datagrams = received(got)?.map_or(0, |len| {
            let size = segment_size(&header, len);
            buffer[..len].chunks_mut(size).for_each(&mut take);
            len.div_ceil(size)
        });
        if !counted(datagrams as u64) {
            return Ok(());
        }
    }
}

/// One key, and numbers as nonces: what any protocol does to a packet at least.
struct Sealer {
    key: LessSafeKey,
    number: u64,
}

impl Sealer {
    /// Bytes before the ciphertext: flags, token, channel, number of two bytes.
    const HEADER: usize = 15;
    const TAG: usize = 16;

    fn new() -> Sealer {
        let key = UnboundKey::new(&AES_256_GCM, &[7; 32]).expect("a key of its length");
        Sealer { key: LessSafeKey::new(key), number: 0 }
    }

    fn nonce(number: [u8; 8]) -> Nonce {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&number);
        Nonce::assume_unique_for_key(nonce)
    }

    fn seal(&mut self, packet: &mut [u8]) {
        let number = self.number.to_be_bytes();
        self.number += 1;
        let (header, rest) = packet.split_at_mut(Self::HEADER);
        header[..8].copy_from_slice(&number);
        let (payload, tag_at) = rest.split_at_mut(rest.len() - Self::TAG);
        let (nonce, aad) = (Self::nonce(number), Aad::from(&*header));
        let tag = self.key.seal_in_place_separate_tag(nonce, aad, payload).expect("it is short");
        tag_at.copy_from_slice(tag.as_ref());
    }

    fn open(&self, packet: &mut [u8]) {
        let (header, rest) = packet.split_at_mut(Self::HEADER);
        let nonce = Self::nonce(header[..8].try_into().expect("eight bytes"));
        let opened = self.key.open_in_place(nonce, Aad::from(&*header), rest);
        opened.expect("loopback changes nothing");
    }
}

pub(crate) fn socket() -> UdpSocket {
    let socket = UdpSocket::bind(any()).expect("a port is free");
    set_option(&socket, libc::SOL_SOCKET, libc::SO_SNDBUF, SOCKET_BUFFER_BYTES);
    set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, SOCKET_BUFFER_BYTES);
    socket
}

fn any() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn set_option(socket: &UdpSocket, level: libc::c_int, name: libc::c_int, value: libc::c_int) {
    let len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the kernel reads `len` bytes of `value`, which lives until the call returns.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), len)
    };
    assert_eq!(result, 0, "option {name} of level {level}: {}", io::Error::last_os_error());
}

fn sockaddr(address: SocketAddr) -> libc::sockaddr_in {
    let SocketAddr::V4(v4) = address else { panic!("{address} is not of the loopback") };
    let ip = u32::from_ne_bytes(SocketAddrV4::ip(&v4).octets());
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: v4.port().to_be(),
        sin_addr: libc::in_addr { s_addr: ip },
        sin_zero: [0; 8],
    }
}

fn iovec(bytes: &mut [u8]) -> libc::iovec {
    libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() }
}

fn header(
    name: &mut libc::sockaddr_in,
    parts: &mut [libc::iovec],
    control: &mut [u64],
) -> libc::msghdr {
    // SAFETY: `msghdr` is plain data, for which all zeros is a value: nothing to send or receive.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_name = std::ptr::from_mut(name).cast();
    header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    header.msg_iov = parts.as_mut_ptr();
    header.msg_iovlen = parts.len();
    if !control.is_empty() {
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(control);
    }
    header
}

/// Asks the kernel to cut what is sent into datagrams of `size` bytes.
fn put_segment_size(header: &mut libc::msghdr, size: u16) {
    // SAFETY: arithmetic on sizes only.
    let space = unsafe { libc::CMSG_SPACE(2) };
    // SAFETY: the same.
    let len = unsafe { libc::CMSG_LEN(2) };
    assert!(header.msg_controllen >= space as usize, "the control buffer takes the option");
    header.msg_controllen = space as usize;
    // SAFETY: the control buffer is aligned as u64 and has room for one header and its data.
    let first = unsafe { libc::CMSG_FIRSTHDR(header) };
    let option = libc::cmsghdr {
        cmsg_len: len as usize,
        cmsg_level: libc::SOL_UDP,
        cmsg_type: libc::UDP_SEGMENT,
    };
    // SAFETY: `first` is the start of the control buffer, which has room for it.
    unsafe { first.write(option) };
    // SAFETY: the data follows the header, in the same buffer.
    let data = unsafe { libc::CMSG_DATA(first) };
    // SAFETY: `CMSG_SPACE(2)` counts these two bytes in; they need not be aligned.
    unsafe { data.cast::<u16>().write_unaligned(size) };
}

/// The size of the datagrams that the kernel joined; `len` when it joined none.
fn segment_size(header: &libc::msghdr, len: usize) -> usize {
    // SAFETY: the kernel has just filled in the control buffer that the header points to.
    let first = unsafe { libc::CMSG_FIRSTHDR(header) };
    if first.is_null() {
        return len.max(1);
    }
    // SAFETY: not null, so a whole header is there.
    let option = unsafe { first.read() };
    assert_eq!((option.cmsg_level, option.cmsg_type), (libc::SOL_UDP, libc::UDP_GRO));
    // SAFETY: the data follows the header, in the same buffer.
    let data = unsafe { libc::CMSG_DATA(first) };
    // SAFETY: UDP_GRO has an int as its data; it need not be aligned.
    let size = unsafe { data.cast::<libc::c_int>().read_unaligned() };
    usize::try_from(size).expect("the kernel's sizes are positive").max(1)
}

/// What a system call returned, or the error.
fn checked(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// What a receiving system call returned; none after waiting in vain.
fn received(result: isize) -> io::Result<Option<usize>> {
    match checked(result) {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
