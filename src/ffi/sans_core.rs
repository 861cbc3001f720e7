//! The core of a node without sockets: what the engine does, with the caller's datagrams and time.

use std::sync::{Mutex, MutexGuard, TryLockError};

use super::guard::{Failure, fail};
use super::handler::Told;
use super::lifetime::{self, channeler_node};
use crate::engine::{Events, Handler, Owner};
use crate::error::Error;
use crate::id::ConnectionHandle;
use crate::io::{Receive, SendError, Transmit};
use crate::node::Node;
use crate::time::Time;

/// A node, its pending output, and who hears of its events.
pub(super) struct SansCore {
    owner: &'static channeler_node,
    state: Mutex<State>,
    turn: Mutex<Turn>,
}

/// What the node's lock guards.
struct State {
    node: Node,
    /// The latest time given; commands use it.
    now: Time,
    /// Bytes that the caller's buffer was too small for.
    pending: Option<Transmit>,
    buffer: Vec<u8>,
}

/// What the thread needs that runs callbacks.
struct Turn {
    events: Events,
    told: Told,
    /// A copy of what the caller gave, in which packets are opened.
    opened: Vec<u8>,
}

impl SansCore {
    pub(super) fn new(owner: &'static channeler_node, node: Node, told: Told) -> SansCore {
        let state = State { node, now: Time::ZERO, pending: None, buffer: Vec::new() };
        let turn = Turn { events: Events::default(), told, opened: Vec::new() };
        SansCore { owner, state: Mutex::new(state), turn: Mutex::new(turn) }
    }

    pub(super) fn with_node<R>(
        &self,
        call: impl FnOnce(&mut Node, Time) -> R,
    ) -> Result<R, Failure> {
        let mut state = self.state()?;
        let now = state.now;
        Ok(call(&mut state.node, now))
    }

    pub(super) fn handle_datagram(
        &self,
        now: Time,
        from: &Receive,
        data: &[u8],
    ) -> Result<(), Failure> {
        self.take_turn(data, |state, events, opened| {
            // What earlier calls caused comes first, since it happened first.
            events.collect(&mut state.node);
            let now = state.advance(now);
            // The caller's bytes stay as they are.
            if state.node.handle_const_datagram(now, from, data) {
                return false;
            }
            opened.clear();
            opened.extend_from_slice(data);
            state.node.handle_datagram(now, from, opened);
            true
        })
    }

    pub(super) fn handle_timeout(&self, now: Time) -> Result<(), Failure> {
        self.take_turn(&[], |state, _, _| {
            let now = state.advance(now);
            state.node.handle_timeout(now);
            false
        })
    }

    /// Calls back for what commands caused.
    pub(super) fn process(&self) -> Result<(), Failure> {
        self.take_turn(&[], |_, _, _| false)
    }

    /// The next bytes to send. They are in `out` only if they fit; else they stay for another call.
    pub(super) fn poll_transmit(&self, now: Time, out: &mut [u8]) -> Result<Transmit, Failure> {
        let mut guard = self.state()?;
        let state = &mut *guard;
        let now = state.advance(now);
        let transmit = match state.pending.take() {
            Some(transmit) => transmit,
            None => {
                state.node.poll_transmit(now, &mut state.buffer).ok_or(Error::DataUnavailable)?
            }
        };
        match out.get_mut(..transmit.len) {
            Some(room) => room.copy_from_slice(&state.buffer[..transmit.len]),
            None => state.pending = Some(transmit),
        }
        Ok(transmit)
    }

    pub(super) fn poll_timeout(&self) -> Result<Option<Time>, Failure> {
        Ok(self.state()?.node.poll_timeout())
    }

    pub(super) fn handle_send_error(
        &self,
        now: Time,
        transmit: &Transmit,
        error: SendError,
    ) -> Result<(), Failure> {
        let mut state = self.state()?;
        let now = state.advance(now);
        state.node.handle_send_error(now, transmit, error);
        Ok(())
    }

    /// Changes the node, then calls back without its lock. `change` says whether what events lend
    /// is in its third argument, and not in `data`.
    fn take_turn(
        &self,
        data: &[u8],
        change: impl FnOnce(&mut State, &mut Events, &mut Vec<u8>) -> bool,
    ) -> Result<(), Failure> {
        let mut turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::WouldBlock) => {
                let text = if lifetime::is_in_callback(self.owner) {
                    "the call came inside a callback of the same node; return first"
                } else {
                    "another thread is running this node"
                };
                return Err(fail(Error::State, text));
            }
            Err(TryLockError::Poisoned(_)) => return Err(Error::Poisoned.into()),
        };
        let Turn { events, told, opened } = &mut *turn;
        let mut state = self.state()?;
        let is_opened = change(&mut state, events, opened);
        events.collect(&mut state.node);
        drop(state);
        events.dispatch(told, if is_opened { opened } else { data }, self)?;
        told.turn_ended();
        Ok(())
    }

    fn state(&self) -> Result<MutexGuard<'_, State>, Failure> {
        self.state.lock().map_err(|_| Error::Poisoned.into())
    }
}

impl Owner for SansCore {
    fn is_closed(&self) -> bool {
        self.owner.is_closed()
    }

    fn answer(&self, connection: ConnectionHandle, accept: bool) -> Result<(), Error> {
        let mut state = self.state.lock().map_err(|_| Error::Poisoned)?;
        let now = state.now;
        // The connection may have ended while the caller thought.
        let _gone = match accept {
            true => state.node.accept(now, connection),
            false => state.node.refuse(now, connection),
        };
        Ok(())
    }
}

impl State {
    /// `now`, or later when a later time was given before.
    fn advance(&mut self, now: Time) -> Time {
        self.now = self.now.max(now);
        self.now
    }
}
