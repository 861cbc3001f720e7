//! What only the operating system knows, and the few calls that need `unsafe`.

#![expect(unsafe_code, reason = "two system calls that no crate of ours wraps")]

use std::net::UdpSocket;

use crate::error::Error;

/// Whether a batch of fewer datagrams than asked for was all there was: so with `recvmmsg`, and not
/// where each call receives one.
pub(super) const SHORT_BATCH_IS_THE_LAST: bool =
    cfg!(any(target_os = "linux", target_os = "android"));

/// 32 bytes of the system's randomness, for a node's seed.
pub(super) fn seed() -> Result<[u8; 32], Error> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| Error::Unexpected)?;
    Ok(seed)
}

/// The descriptor that becomes readable when `poll` has something to report.
#[cfg(unix)]
pub(super) fn poll_fd(poll: &mio::Poll) -> Option<i32> {
    use std::os::fd::AsRawFd;
    Some(poll.as_raw_fd())
}

/// Elsewhere there is none.
#[cfg(not(unix))]
pub(super) fn poll_fd(_poll: &mio::Poll) -> Option<i32> {
    None
}

/// Turns off the time stamps that quinn-udp asks for: we do not read them, and while any socket of
/// the machine wants them the kernel reads its clock for each packet.
#[cfg(target_os = "linux")]
pub(super) fn disable_timestamps(socket: &UdpSocket) {
    use std::os::fd::AsRawFd;
    let off: libc::c_int = 0;
    // SAFETY: the descriptor is open while `socket` is borrowed, and the kernel reads
    // `size_of::<c_int>()` bytes of `off`, which lives until the call returns.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPNS,
            (&raw const off).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    debug_assert_eq!(result, 0, "turning an option off that was just turned on");
}

/// Nothing to turn off.
#[cfg(not(target_os = "linux"))]
pub(super) fn disable_timestamps(_socket: &UdpSocket) {}

/// Keeps signals away from the calling thread: they belong to the application's own threads.
#[cfg(unix)]
pub(super) fn block_signals() {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `set` is writable memory of the right type, which the call initialises.
    unsafe { libc::sigfillset(set.as_mut_ptr()) };
    // SAFETY: `set` was initialised above and is only read; no old mask is asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()) };
}

/// No signals here.
#[cfg(not(unix))]
pub(super) fn block_signals() {}
