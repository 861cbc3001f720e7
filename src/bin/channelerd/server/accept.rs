//! Who comes in, and who is turned away.

use std::io::{ErrorKind, Write as _};
use std::time::{Duration, Instant};

use channeler::daemon::{Answer, NO_REQUEST, write_answer};
use channeler::error::Error;
use mio::net::UnixStream;
use mio::{Interest, Token};
use rustix::net::sockopt::socket_peercred;

use super::client::Client;
use super::timers::Timer;
use super::{ClientId, Server};
use crate::log;

/// New clients of one turn; the others wait for the next.
const PER_TURN_MAX: usize = 64;

/// When to look again after the system had no descriptor for a client.
const RETRY: Duration = Duration::from_millis(100);

impl Server {
    pub(super) fn note_knock(&mut self) {
        if let Some(door) = &mut self.door {
            door.is_knocked = true;
        }
    }

    /// Lets in those who wait.
    pub(super) fn let_in(&mut self) {
        for _ in 0..PER_TURN_MAX {
            let Some(door) = self.door.as_mut().filter(|door| door.is_knocked) else { return };
            match door.listener.accept() {
                Ok((stream, _)) => self.welcome(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    door.is_knocked = false;
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::Interrupted | ErrorKind::ConnectionAborted
                    ) => {}
                Err(error) => {
                    door.is_knocked = false;
                    log::error(format_args!("cannot let in a client: {error}"));
                    self.timers.add(Instant::now() + RETRY, Timer::Accept);
                }
            }
        }
    }

    fn welcome(&mut self, mut stream: UnixStream) {
        let limit = self.config.clients.max;
        if self.clients.len() >= limit {
            let text = format!("{limit} clients are connected, which is the limit");
            return self.turn_away(&stream, Error::Limit, &text);
        }
        let user = match socket_peercred(&stream) {
            Ok(who) => who.uid.as_raw(),
            Err(error) => {
                let text = format!("the system does not tell who you are: {error}");
                return self.turn_away(&stream, Error::Refused, &text);
            }
        };
        if !self.may_connect(user) {
            log::warning(format_args!("user {user} may not connect: see socket.users"));
            let text = format!("user {user} may not connect: see socket.users");
            return self.turn_away(&stream, Error::Refused, &text);
        }
        let id = ClientId(self.next_client);
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registered = self.poll.registry().register(&mut stream, Token(id.0), interest);
        if let Err(error) = registered {
            log::error(format_args!("cannot wait for a client: {error}"));
            return;
        }
        self.next_client += 1;
        self.counts.clients_served += 1;
        log::debug(format_args!("client {} of user {user} is here", id.0));
        self.clients.insert(id, Client::new(stream));
        self.to_hear.insert(id);
    }

    fn may_connect(&self, user: u32) -> bool {
        let ours = rustix::process::geteuid().as_raw();
        let socket = &self.config.socket;
        socket.any_user || user == 0 || user == ours || socket.users.contains(&user)
    }

    /// Says why, as far as the socket takes it at once.
    fn turn_away(&mut self, stream: &UnixStream, error: Error, text: &str) {
        self.counts.clients_refused += 1;
        let mut bytes = Vec::new();
        let code = error.code().unsigned_abs();
        let answer = Answer::Error { code, text, detail: 0 };
        if write_answer(&mut bytes, NO_REQUEST, &answer, 0).is_ok() {
            let mut stream = stream;
            let _gone = stream.write(&bytes);
        }
    }
}
