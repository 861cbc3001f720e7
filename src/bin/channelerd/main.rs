//! `channelerd`: QUIC channels for the programs of a machine, over a Unix socket.
//!
//! `docs/daemon.md` is its manual and its protocol; `channeler::daemon` is the protocol as code.

mod args;
mod config;
mod keys;
mod listen;
mod log;
mod notify;
mod server;

use std::process::ExitCode;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_mio::v1_0::Signals;

use args::{Args, Task};
use config::Config;
use server::Server;

fn main() -> ExitCode {
    let args = match args::read(std::env::args_os().skip(1)) {
        Ok(args) => args,
        Err(text) => {
            log::error(format_args!("{text}; channelerd --help shows what is"));
            return ExitCode::from(2);
        }
    };
    match args.task {
        Task::Help => println!("{}", args::USAGE),
        Task::Version => println!("channelerd {}", env!("CARGO_PKG_VERSION")),
        Task::Serve | Task::Check | Task::PeerId => return run(&args),
    }
    ExitCode::SUCCESS
}

fn run(args: &Args) -> ExitCode {
    // Before anything takes time: a signal that comes early must not kill.
    let signals = match Signals::new([SIGTERM, SIGINT, SIGHUP]) {
        Ok(signals) => signals,
        Err(error) => return failed(&format!("no signals: {error}")),
    };
    let read = Config::load(args.config.as_deref())
        .and_then(|config| Ok((keys::quic_config(&config)?, config)));
    let (quic, config) = match read {
        Ok(read) => read,
        Err(wrong) => {
            log::error(format_args!("{wrong}"));
            return ExitCode::from(2);
        }
    };
    match args.task {
        Task::PeerId => println!("{}", quic.1),
        Task::Check => println!("the configuration is good; the peer id is {}", quic.1),
        Task::Serve | Task::Version | Task::Help => {
            log::set_level(config.log_level);
            return match serve(args, config, quic, signals) {
                Ok(()) => ExitCode::SUCCESS,
                Err(text) => failed(&text),
            };
        }
    }
    ExitCode::SUCCESS
}

fn serve(
    args: &Args,
    config: Config,
    quic: (channeler::quic::QuicConfig, channeler::id::PeerId),
    signals: Signals,
) -> Result<(), String> {
    raise_descriptor_limit();
    let listening = listen::listen(&config.socket)?;
    let server = Server::new(config, args.config.clone(), quic, listening, signals)
        .map_err(|error| error.to_string())?;
    server.start()?;
    server.run().map_err(|error| error.to_string())
}

fn failed(text: &str) -> ExitCode {
    log::error(format_args!("{text}"));
    ExitCode::FAILURE
}

/// A client takes a descriptor, and the usual limit is 1024 of them.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        log::warning(format_args!("the limit of descriptors cannot be raised: {error}"));
    }
}
