//! The timers of a connection.
// spec: 15.1 table

use super::Connection;
use super::ending::Life;
use super::shared::Shared;
use crate::time::Time;

impl Connection {
    /// When `handle_timeout` wants to be called, if nothing else happens.
    pub(crate) fn poll_timeout(&self, shared: &Shared) -> Option<Time> {
        let handshake = self.handshake.as_ref().and_then(|handshake| handshake.poll_timeout());
        let own = match &self.life {
            Life::Open => {
                let expiring = self.duties.expiring.poll_timeout();
                self.running_timers(shared).into_iter().chain(expiring).min()
            }
            Life::Lingering(lingering) => {
                let expiring = self.duties.expiring.poll_timeout();
                let timers = self.running_timers(shared).into_iter().chain(expiring);
                timers.chain([lingering.deadline]).min()
            }
            Life::Closing(closing) => Some(closing.until),
            Life::Draining { until } => Some(*until),
            Life::Failed | Life::Gone => None,
        };
        handshake.into_iter().chain(own).min()
    }

    fn running_timers(&self, shared: &Shared) -> Option<Time> {
        let established = self.established.as_ref()?;
        let config = &shared.config;
        let pto_max = established.pto_max();
        let overdue = established.overdue.front().map(|overdue| overdue.at);
        let of_paths =
            established.carriers.iter().filter_map(|(_, carrier)| carrier.poll_timeout()).min();
        let timers = [
            of_paths,
            established.epochs.poll_timeout(pto_max),
            established.tokens.poll_timeout(),
            established.idle_at(config),
            // A PING that cannot leave yet is not asked for again.
            established.keep_alive_at(config).filter(|_| !self.duties.ping),
            established.tidy_at(),
            overdue,
        ];
        timers.into_iter().flatten().min()
    }

    /// Does what is due at `now`.
    pub(crate) fn handle_timeout(&mut self, shared: &mut Shared, now: Time) {
        self.handle_late_ack(shared);
        if let Some(handshake) = &mut self.handshake {
            handshake.handle_timeout(now);
            self.drain_handshake(shared, now);
            self.schedule(shared);
        }
        match &self.life {
            Life::Open | Life::Lingering(_) => self.handle_running(shared, now),
            Life::Closing(closing) if closing.until <= now => self.go(shared),
            Life::Draining { until } if *until <= now => self.go(shared),
            Life::Closing(_) | Life::Draining { .. } | Life::Failed | Life::Gone => {}
        }
    }

    fn handle_running(&mut self, shared: &mut Shared, now: Time) {
        self.handle_expiring(shared, now);
        let Some(established) = &mut self.established else { return };
        let is_due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        if is_due(established.idle_at(&shared.config)) {
            return self.end_idle(shared);
        }
        if is_due(established.keep_alive_at(&shared.config)) {
            self.duties.ping = true;
        }
        if is_due(established.tidy_at()) {
            established.tidy(now);
        }
        while let Some(token) = established.tokens.pop_retired(now) {
            shared.notify(self.handle, super::Notice::TokenRetired(token));
        }
        self.issue_tokens(shared);
        let Some(established) = &mut self.established else { return };
        let mut fates = std::mem::take(&mut shared.scratch.fates);
        let mut probed = None;
        for (path, carrier) in established.carriers.iter_mut() {
            if carrier.handle_timeout(now, &mut fates) {
                probed = Some(path);
            }
        }
        self.settle(shared, now, &mut fates);
        shared.scratch.fates = fates;
        if let Some(path) = probed {
            self.repeat_oldest(shared, path);
        }
        self.conclude_losses(shared, now);
        self.handle_overdue(shared, now);
        self.check_linger(shared, now);
        self.schedule(shared);
    }
}
