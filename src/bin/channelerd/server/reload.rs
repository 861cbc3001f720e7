//! SIGHUP: the configuration anew, as far as that can be while it runs.

use super::{Fatal, Server};
use crate::config::Config;
use crate::{log, notify};

impl Server {
    pub(super) fn reload(&mut self) -> Result<(), Fatal> {
        let new = match Config::load(self.config_file.as_deref()) {
            Ok(new) => new,
            Err(wrong) => {
                log::error(format_args!("{wrong}"));
                log::error(format_args!("nothing was changed"));
                return Ok(());
            }
        };
        for ((key, old), (_, new)) in self.config.fixed().iter().zip(new.fixed()) {
            if *old != new {
                log::warning(format_args!("{key} is another now: that needs a restart"));
            }
        }
        let old = &self.config;
        self.engine.with_quic(|quic, _| {
            for peer in old.peers.iter().filter(|peer| !new.peers.contains(peer)) {
                quic.distrust_peer(*peer);
            }
            for peer in &new.peers {
                quic.trust_peer(*peer);
            }
        })?;
        log::set_level(new.log_level);
        let config = &mut self.config;
        config.peers = new.peers;
        config.log_level = new.log_level;
        config.messages = new.messages;
        config.socket.users = new.socket.users;
        config.socket.any_user = new.socket.any_user;
        config.clients = crate::config::ClientsConfig {
            input_bytes_max: config.clients.input_bytes_max,
            ..new.clients
        };
        // Some may be heard again, or late now.
        self.to_hear.extend(self.clients.keys().copied());
        log::notice(format_args!("the configuration was read again"));
        notify::notify("READY=1\nSTATUS=the configuration was read again");
        Ok(())
    }
}
