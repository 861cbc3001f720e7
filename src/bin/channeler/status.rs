//! `channeler status`: how the daemon is, for people or as JSON.

use std::fmt::Write;

use channeler::daemon::{Answer, Connection as Peer, Request, Status};
use channeler::id::PeerId;
use serde_json::{Map, Value, json};

use crate::connection::{Connection, unexpected};
use crate::failure::Failure;
use crate::output::{Format, Output};

/// Prints it.
pub(crate) fn run(mut connection: Connection, is_json: bool) -> Result<(), Failure> {
    let mut output = Output::new(if is_json { Format::Json } else { Format::Raw });
    let answer = connection.ask(&Request::Status)?;
    let Answer::Status(status) = answer else { return Err(unexpected(&answer)) };
    if is_json {
        output.json(&status_json(&status))?;
    } else {
        output.text(status_text(&status).as_bytes())?;
    }
    output.flush()
}

fn status_json(status: &Status<'_>) -> Value {
    let connection = |peer: &Peer<'_>| {
        json!({
            "address": peer.address,
            "peer": peer.peer.map(|peer| PeerId(peer).to_string()),
            "connected": peer.is_connected,
            "by_peer": peer.by_peer,
            "counters": counters_json(&peer.counters),
        })
    };
    json!({
        "protocol": status.protocol,
        "version": status.version,
        "peer": PeerId(status.peer).to_string(),
        "listen": status.listen,
        "counters": counters_json(&status.counters),
        "connections": status.connections.iter().map(connection).collect::<Vec<_>>(),
    })
}

fn counters_json(counters: &[(&str, u64)]) -> Value {
    let pairs = counters.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
    Value::Object(pairs.collect::<Map<_, _>>())
}

fn status_text(status: &Status<'_>) -> String {
    let mut text = String::new();
    let uptime = counter(&status.counters, "uptime_ms").map(|ms| duration_text(ms / 1000));
    let uptime = uptime.map_or_else(String::new, |uptime| format!(", running for {uptime}"));
    let listen = status.listen.join(", ");
    let listen = if listen.is_empty() { "nothing" } else { &listen };
    text += &format!("channelerd {}{uptime}\n", status.version);
    text += &format!("peer id     {}\nlistens on  {listen}\n", PeerId(status.peer));
    text += match status.connections.len() {
        0 => "no connections\n",
        _ => "connections:\n",
    };
    for peer in &status.connections {
        text += &connection_text(peer);
    }
    text += "counters:\n";
    for (name, value) in &status.counters {
        line(&mut text, format_args!("  {name:<22} {value:>16}"));
    }
    text
}

fn connection_text(peer: &Peer<'_>) -> String {
    let who = peer.peer.map_or_else(|| "nobody yet".to_owned(), |peer| PeerId(peer).to_string());
    let state = match (peer.is_connected, peer.by_peer) {
        (true, true) => "dialled us",
        (true, false) => "dialled by us",
        (false, true) => "is dialling us",
        (false, false) => "is being dialled",
    };
    let mut text = format!("  {} {who} {state}\n", peer.address);
    for (name, value) in &peer.counters {
        line(&mut text, format_args!("    {name:<20} {value:>16}"));
    }
    text
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("a string takes all");
}

fn counter(counters: &[(&str, u64)], name: &str) -> Option<u64> {
    counters.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

fn duration_text(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        (..) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status<'static> {
        let counters = vec![("uptime_ms", 3_723_000), ("clients", 2)];
        let peer = |peer, is_connected| Peer {
            address: "192.0.2.1:4433",
            peer,
            is_connected,
            by_peer: true,
            counters: vec![("rtt_us", 250)],
        };
        Status {
            protocol: 1,
            version: "0.1.0",
            peer: [7; 16],
            listen: vec!["[::]:4433", "0.0.0.0:1"],
            counters,
            connections: vec![peer(Some([8; 16]), true), peer(None, false)],
        }
    }

    #[test]
    fn people_read_who_where_and_how() {
        let text = status_text(&status());
        for part in [
            "channelerd 0.1.0, running for 1 h 2 min\n",
            "peer id     0x07070707070707070707070707070707\n",
            "listens on  [::]:4433, 0.0.0.0:1\n",
            "  192.0.2.1:4433 0x08080808080808080808080808080808 dialled us\n",
            "  192.0.2.1:4433 nobody yet is dialling us\n",
            "    rtt_us                            250\n",
            "  clients                               2\n",
        ] {
            assert!(text.contains(part), "no {part:?} in\n{text}");
        }
        let empty = Status { counters: vec![], connections: vec![], listen: vec![], ..status() };
        let text = status_text(&empty);
        assert!(text.starts_with("channelerd 0.1.0\n"), "{text}");
        assert!(text.contains("listens on  nothing\nno connections\n"), "{text}");
    }

    #[test]
    fn programs_read_the_same() {
        let value = status_json(&status());
        assert_eq!(value["counters"]["uptime_ms"], 3_723_000);
        assert_eq!(value["listen"][1], "0.0.0.0:1");
        assert_eq!(value["connections"][0]["peer"], "0x08080808080808080808080808080808");
        assert_eq!(value["connections"][1]["peer"], Value::Null);
        assert_eq!(value["connections"][1]["counters"]["rtt_us"], 250);
    }
}
