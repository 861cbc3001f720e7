//! Round trips between two bare sockets, one thread and one core a side.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{PATIENCE, checked, socket};
use crate::harness::{median, pin};

/// How both sides wait for what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// In the call that receives.
    Block,
    /// In `epoll_wait`, as whoever has timers and several sockets must; then they receive.
    Epoll,
    /// Not at all: they receive until there is something.
    Spin,
}

/// Round trips of `size` bytes there and back: the median, in microseconds.
pub(crate) fn ping(size: usize, time: Duration, wait: Wait) -> f64 {
    let (ours, theirs) = (Waiting::new(wait), Waiting::new(wait));
    let to = theirs.socket.local_addr().expect("it is bound");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pin(1);
            let mut buffer = [0; 2048];
            while !is_over.load(Ordering::Relaxed) {
                if let Some((len, from)) = theirs.receive(&mut buffer) {
                    theirs.socket.send_to(&buffer[..len], from).expect("loopback sends");
                }
            }
        });
        pin(0);
        let message = vec![0x5a; size];
        let mut buffer = [0; 2048];
        let mut trips = Vec::new();
        let began = Instant::now();
        while began.elapsed() < time {
            let sent_at = Instant::now();
            ours.socket.send_to(&message, to).expect("loopback sends");
            while ours.receive(&mut buffer).is_none() {}
            trips.push(sent_at.elapsed().as_secs_f64() * 1e6);
        }
        is_over.store(true, Ordering::Relaxed);
        median(trips)
    })
}

/// A socket, and what it waits with.
struct Waiting {
    socket: UdpSocket,
    epoll: Option<libc::c_int>,
}

impl Waiting {
    fn new(wait: Wait) -> Waiting {
        let socket = socket();
        match wait {
            Wait::Block => socket.set_read_timeout(Some(PATIENCE)).expect("a valid time"),
            Wait::Epoll | Wait::Spin => socket.set_nonblocking(true).expect("any socket can"),
        }
        let epoll = (wait == Wait::Epoll).then(|| epoll(&socket).expect("it can be watched"));
        Waiting { socket, epoll }
    }

    /// What came; none after a while, or at once if it spins.
    fn receive(&self, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        if let Some(epoll) = self.epoll {
            let mut event = libc::epoll_event { events: 0, u64: 0 };
            // SAFETY: the kernel writes one event at most, which lives until the call returns.
            unsafe { libc::epoll_wait(epoll, &raw mut event, 1, PATIENCE.as_millis() as i32) };
        }
        match self.socket.recv_from(buffer) {
            Ok(received) => Some(received),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => panic!("receiving: {error}"),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(epoll) = self.epoll {
            // SAFETY: the descriptor is ours, and nothing uses it after this.
            unsafe { libc::close(epoll) };
        }
    }
}

/// An epoll, edge-triggered as ours, that watches a socket.
fn epoll(socket: &UdpSocket) -> io::Result<libc::c_int> {
    // SAFETY: no pointers.
    let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    checked(epoll as isize)?;
    let events = (libc::EPOLLIN | libc::EPOLLET).cast_unsigned();
    let mut event = libc::epoll_event { events, u64: 0 };
    let (add, fd) = (libc::EPOLL_CTL_ADD, socket.as_raw_fd());
    // SAFETY: the kernel reads one event, which lives until the call returns.
    let result = unsafe { libc::epoll_ctl(epoll, add, fd, &raw mut event) };
    checked(result as isize).map(|_| epoll)
}
