//! Signals, what is due, and the end: peers and clients first get what is theirs.

use std::time::Instant;

use channeler::error::Error;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::client::Kind;
use super::timers::Timer;
use super::{ClientId, Fatal, Server};
use crate::{log, notify};

impl Server {
    pub(super) fn take_signals(&mut self) -> Result<(), Fatal> {
        let signals: Vec<i32> = self.signals.pending().collect();
        for signal in signals {
            match signal {
                SIGHUP => self.reload()?,
                SIGTERM | SIGINT if self.ends_at.is_none() => self.begin_end()?,
                SIGTERM | SIGINT => self.is_over = true,
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn do_what_is_due(&mut self) -> Result<(), Fatal> {
        let now = Instant::now();
        while let Some((due, timer)) = self.timers.take(now) {
            match timer {
                Timer::Client(id) => self.check_client(id, now, now - due),
                Timer::Confirm(connection, address, after) => {
                    self.look_at_peer(connection, address, after)?;
                }
                Timer::Receive(id, number) => self.give_up_receive(id, number),
                Timer::Accept => self.note_knock(),
                Timer::End => self.is_over = true,
            }
        }
        Ok(())
    }

    /// Whether the end that was begun is reached: all is sent, and all is written.
    pub(super) fn look_at_end(&mut self) -> Result<(), Fatal> {
        if self.ends_at.is_none() || self.is_over {
            return Ok(());
        }
        let is_idle = self.engine.with_quic(|quic, _| {
            quic.is_idle() && quic.next_message().is_none() && quic.next_sync().is_none()
        })?;
        let is_written = self.clients.values().all(|client| client.output_bytes() == 0);
        self.is_over = is_idle && is_written;
        Ok(())
    }

    /// Counts what is left, and lets go of it.
    pub(super) fn finish(&mut self) {
        let (waiting, bytes) = self.post.waiting();
        let clients = self.clients.values().filter(|client| client.output_bytes() > 0).count();
        let left = self.engine.with_quic(|quic, _| quic.stats().receive_messages).unwrap_or(0);
        if waiting > 0 || clients > 0 || left > 0 {
            log::warning(format_args!(
                "{waiting} messages ({bytes} bytes) that nobody asked for, {left} not looked at, \
                 and what waited for {clients} clients are gone"
            ));
        }
        log::notice(format_args!("ended"));
    }

    fn begin_end(&mut self) -> Result<(), Fatal> {
        log::notice(format_args!("ending: peers and clients get what is theirs"));
        notify::notify("STOPPING=1");
        if let Some(mut door) = self.door.take() {
            let _gone = self.poll.registry().deregister(&mut door.listener);
        }
        let at = Instant::now() + self.config.stop_timeout;
        self.ends_at = Some(at);
        self.timers.add(at, Timer::End);
        self.engine.with_quic(|quic, now| quic.close_all(now))?;
        let ids: Vec<ClientId> = self.clients.keys().copied().collect();
        for id in ids {
            self.end_receives(id);
        }
        // Whoever waits for room hears that there will be none.
        for address in self.blocked.keys().copied().collect::<Vec<_>>() {
            self.unblock(address);
        }
        Ok(())
    }

    fn end_receives(&mut self, id: ClientId) {
        let Some(client) = self.clients.get(&id) else { return };
        for number in client.open_numbers(|open| open.kind == Kind::Receive) {
            self.end_request(id, number);
            self.answer_error(id, number, Error::Closed, "the daemon is ending");
        }
    }
}
