//! `channeler`: messages to and from other machines, from the shell, through `channelerd`.
//!
//! `docs/daemon.md` has its commands, and the protocol that it speaks with the daemon.

mod arguments;
mod connection;
mod failure;
mod help;
mod messages;
mod output;
mod progress;
mod receive;
mod send;
mod status;
mod watch;

use std::process::ExitCode;

use arguments::Command;
use connection::Connection;
use failure::Failure;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run() -> Result<(), Failure> {
    let arguments = arguments::parse(lexopt::Parser::from_env())?;
    let connect = || Connection::open(&arguments.socket);
    match arguments.command {
        Command::Print(text) => output::print(&text),
        Command::Send(what) => send::run(connect()?, what),
        Command::Receive(what) => receive::run(connect()?, &what),
        Command::Connect { address, peer } => {
            output::print(&format!("{}\n", connect()?.connect(&address, peer)?))
        }
        Command::Close { address } => connect()?.close(&address),
        Command::Status { is_json } => status::run(connect()?, is_json),
        Command::Watch { is_json } => watch::run(connect()?, is_json),
    }
}
