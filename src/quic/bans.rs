//! Who is not served: by peer id and by IP address.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::Quic;
use super::events::QuicConnection;
use super::member::{Code, End, Member};
use crate::bans::Bans;
use crate::error::Error;
use crate::id::PeerId;
use crate::io::canonical;
use crate::time::Time;

impl Quic {
    /// Bans a peer id for `span` from now, and ends its connections as `Banned`. What they had
    /// received whole can still be read.
    ///
    /// # Errors
    ///
    /// `Limit` when `BANS_MAX` peers are banned.
    pub fn ban_peer(&mut self, now: Time, peer: PeerId, span: Duration) -> Result<(), Error> {
        self.bans.ban_peer(now, peer, now + span)?;
        self.end_banned(now, |member| member.peer.or(member.expected) == Some(peer));
        Ok(())
    }

    /// Bans an IP address, whatever the port, for `span` from now, and ends the connections that
    /// are there.
    ///
    /// # Errors
    ///
    /// `Limit` when `BANS_MAX` addresses are banned.
    pub fn ban_address(&mut self, now: Time, ip: IpAddr, span: Duration) -> Result<(), Error> {
        let ip = canonical(SocketAddr::new(ip, 0)).ip();
        self.bans.ban_address(now, ip, now + span)?;
        self.end_banned(now, |member| {
            member.address.ip() == ip || canonical(member.connection.remote_address()).ip() == ip
        });
        Ok(())
    }

    /// Lifts a ban; whether there was one.
    pub fn lift_ban_peer(&mut self, peer: PeerId) -> bool {
        self.bans.lift_peer(peer)
    }

    /// Lifts a ban; whether there was one.
    pub fn lift_ban_address(&mut self, ip: IpAddr) -> bool {
        self.bans.lift_address(canonical(SocketAddr::new(ip, 0)).ip())
    }

    /// Takes over the bans of the node beside it.
    pub(crate) fn inherit_bans(&mut self, bans: &Bans) {
        self.bans = bans.clone();
    }

    fn end_banned(&mut self, now: Time, is_meant: impl Fn(&Member) -> bool) {
        let meant = self.members.values().filter(|member| is_meant(member));
        let meant: Vec<QuicConnection> = meant.map(|member| member.id).collect();
        for id in meant {
            let Some(member) = self.members.get_mut(&id) else { continue };
            member.end(&self.clock, now, End::of(Error::Banned, Code::Refused, BANNED));
            self.leave_map(now, id);
            self.drive(now, id);
        }
    }
}

/// What a banned peer is told: no more than one that is refused.
pub(super) const BANNED: &str = "you are not wanted here";
