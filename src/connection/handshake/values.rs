//! Our own transport parameters.
//! spec: 7.11 transport parameters

use rand_chacha::rand_core::Rng;

use super::super::limits::FirstWindows;
use super::Env;
use crate::config::NodeConfig;
use crate::id::{Side, Token};
use crate::wire::params::Params;

/// A fresh token, and the parameters that name it.
pub(super) fn ours(env: &mut Env<'_>, side: Side) -> (Token, Params) {
    let mut token = [0; 8];
    env.rng.fill_bytes(&mut token);
    let token = Token(token);
    let mut params = of_config(env.config, env.window, token);
    if side == Side::Responder {
        // An initiator's parameters travel in the open.
        params.reset = env.reset_key.map(|key| key.value(token));
    }
    (token, params)
}

/// What a node with these settings says.
fn of_config(config: &NodeConfig, window: u32, token: Token) -> Params {
    let mut params = Params::new(token);
    let idle = u64::try_from(config.idle_timeout.as_millis()).unwrap_or(u64::MAX);
    params.idle_timeout_ms = idle.min(IDLE_MS_MAX);
    params.ack_delay_max_us = u64::try_from(config.ack_delay.as_micros()).unwrap_or(u64::MAX);
    params.message_max = config.message_bytes_max as u64;
    params.data_max = u64::from(window);
    params.channel_data_max = u64::from(FirstWindows::of(config).channel);
    params.channels_max = config.peer_channels_max as u64;
    params
}

/// The largest idle timeout that the parameter can say.
const IDLE_MS_MAX: u64 = 1 << 40;
