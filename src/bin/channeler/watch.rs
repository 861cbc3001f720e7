//! `channeler watch`: what happens to connections, as it happens.

use channeler::daemon::{Answer, Event, Request};
use channeler::error::Error;
use channeler::id::PeerId;
use serde_json::{Value, json};

use crate::connection::{Connection, unexpected};
use crate::failure::Failure;
use crate::output::{Format, Output};
use crate::receive::Interrupt;

/// Prints a line for each event until a signal.
pub(crate) fn run(mut connection: Connection, is_json: bool) -> Result<(), Failure> {
    let interrupt = Interrupt::watch(connection.writer.stream()?)?;
    let mut output = Output::new(if is_json { Format::Json } else { Format::Raw });
    let written = connection.writer.write(1, &Request::Watch, b"");
    loop {
        match connection.reader.next()? {
            None if interrupt.signal().is_some() => return Ok(()),
            None => {
                written.map_err(|error| Failure::socket(&error))?;
                return Err(Failure::gone());
            }
            Some((_, Answer::Done, _)) => {}
            Some((_, Answer::Event(event), _)) => {
                if is_json {
                    output.json(&event_json(&event))?;
                } else {
                    output.text(event_text(&event).as_bytes())?;
                }
                output.flush()?;
            }
            Some((_, Answer::Error { code, text, .. }, _)) => {
                if !interrupt.explains(code) {
                    return Err(Failure::Refused(code, text.to_owned()));
                }
            }
            Some((_, answer, _)) => return Err(unexpected(&answer)),
        }
    }
}

fn error_name(code: u32) -> String {
    let error = i32::try_from(code).ok().and_then(Error::from_code);
    error.map_or_else(|| format!("error {code}"), |error| error.name().to_owned())
}

fn event_text(event: &Event<'_>) -> String {
    match *event {
        Event::Connected { address, peer, by_peer } => {
            let how = if by_peer { "dialled us" } else { "answered us" };
            format!("connected {address}: {} {how}\n", PeerId(peer))
        }
        Event::Closed { address, code, text, undelivered, cut, .. } => {
            let mut line = format!("closed {address}: {text} ({})", error_name(code));
            if undelivered > 0 {
                line += &format!("; {undelivered} messages to it may not have arrived");
            }
            if cut > 0 {
                line += &format!("; {cut} messages of it broke off");
            }
            line + "\n"
        }
        Event::Lost { address, count, code } => {
            format!("lost {address}: it would not have {count} messages, for its reason {code}\n")
        }
        Event::FrameRefused { address, text } => format!("refused {address}: {text}\n"),
        Event::Moved { from, to } => format!("moved {from}: to {to}\n"),
        Event::Dropped { count } => format!("dropped: {count} messages that nobody took\n"),
        Event::Missed { count } => format!("missed: {count} events, since we were slow\n"),
    }
}

fn event_json(event: &Event<'_>) -> Value {
    let peer_text = |peer| PeerId(peer).to_string();
    match *event {
        Event::Connected { address, peer, by_peer } => json!({
            "event": "connected", "address": address, "peer": peer_text(peer), "by_peer": by_peer,
        }),
        Event::Closed { address, peer, code, text, undelivered, cut } => json!({
            "event": "closed", "address": address, "peer": peer.map(peer_text), "code": code,
            "name": error_name(code), "text": text, "undelivered": undelivered, "cut": cut,
        }),
        Event::Lost { address, count, code } => {
            json!({ "event": "lost", "address": address, "count": count, "code": code })
        }
        Event::FrameRefused { address, text } => {
            json!({ "event": "frame_refused", "address": address, "text": text })
        }
        Event::Moved { from, to } => json!({ "event": "moved", "from": from, "to": to }),
        Event::Dropped { count } => json!({ "event": "dropped", "count": count }),
        Event::Missed { count } => json!({ "event": "missed", "count": count }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_with_its_reason_and_what_it_cost() {
        let closed = Event::Closed {
            address: "192.0.2.1:1",
            peer: Some([9; 16]),
            code: 16,
            text: "silence",
            undelivered: 3,
            cut: 0,
        };
        let expected = "closed 192.0.2.1:1: silence (ERR_IDLE); 3 messages to it may not have \
                        arrived\n";
        assert_eq!(event_text(&closed), expected);
        let json = event_json(&closed);
        assert_eq!((&json["name"], &json["undelivered"]), (&json!("ERR_IDLE"), &json!(3)));
        assert_eq!(error_name(4000), "error 4000");
    }
}
