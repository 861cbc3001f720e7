//! The texts of `--help`: first what one wants to do, then the rest.

/// The help of a command; else that of the program.
pub(crate) fn of(command: &str) -> &'static str {
    match command {
        "send" => SEND,
        "receive" => RECEIVE,
        "connect" => CONNECT,
        "close" => CLOSE,
        "status" => STATUS,
        "watch" => WATCH,
        _ => ALL,
    }
}

const ALL: &str = "\
channeler - messages to and from other machines, through channelerd

  channeler send ADDRESS TEAM LABEL 'good day'    send a message
  channeler receive                               wait for a message, and print it
  channeler receive --follow                      print messages as they come, until Ctrl-C
  channeler status                                who we are, and who is connected
  channeler close ADDRESS                         close the connection to a peer

  ADDRESS  192.0.2.1:4433 or [2001:db8::1]:4433: where the other daemon listens
  TEAM     64 hexadecimal digits, the same on both sides
  LABEL    a word of yours, at most 256 bytes: what the message is about

Also: `connect ADDRESS` waits for a connection and prints whom it is with; `watch` prints what
happens to connections. `channeler COMMAND --help` says more of each.

  --socket PATH   the daemon's socket, in place of $CHANNELER_SOCKET or
                  /run/channeler/channelerd.sock
  --help, -h
  --version, -V

Exit status: 0 it is done; 1 it failed, and standard error says why; 2 called wrongly; 3 no
message came in the time of --wait; 130 stopped by Ctrl-C before it was done.
";

const SEND: &str = "\
Send messages, and wait until the daemon has taken them for a peer that proved who it is.

  channeler send ADDRESS TEAM LABEL 'good day'               this message
  channeler send ADDRESS TEAM LABEL <photo.jpg               all of standard input, as one
  tail -f log | channeler send --lines ADDRESS TEAM LABEL    each line, as soon as it is there
  channeler send --chunk 1M --file big ADDRESS TEAM LABEL    a file in messages of 1 MiB
  channeler send --sync ADDRESS 'good day'                   a sync message, which has no channel

  --file FILE    read FILE in place of standard input
  --lines, -l    each line is a message, without its line end; empty ones too
  --chunk BYTES  each BYTES bytes are a message (K, M and G mean KiB, MiB and GiB)
  --peer PEER    only if this peer is there (32 hexadecimal digits); the daemon need not list it
  --sync         a sync message: without TEAM and LABEL

MESSAGE `-` is standard input; one that begins with `-` goes behind `--`. In one channel messages
arrive in the order in which they were sent. The first that cannot be sent ends it, with status 1.
";

const RECEIVE: &str = "\
Print a message that came, the oldest that nobody has taken; wait for one if there is none.

  channeler receive                                    one, of whatever channel
  channeler receive --team TEAM --label chat           one of this channel
  channeler receive --wait 5                           give up after 5 seconds: exit status 3
  channeler receive --follow --label-prefix tele       all such, until Ctrl-C
  channeler receive --follow --json                    one JSON object a line, with where it is from
  channeler receive --count 8 --raw >photo.jpg         the bytes of 8 messages and nothing else

  --from ADDRESS       only from this peer
  --team TEAM          only of this team
  --label LABEL        only with this label
  --label-prefix TEXT  only with a label that begins so
  --sync               sync messages, which have no team and label
  --follow, -f         all, as they come. Each program that follows gets each message
  --count N, -n N      N messages
  --wait SECONDS, -w   how long to wait for each; 0: only what is there
  --verbose, -v        before each message: from where and of which channel
  --json               {\"address\": .., \"peer\": .., \"team\": .., \"label\": .., \"text\": ..},
                       and \"base64\" in place of \"text\" where the message is not UTF-8
  --raw, -r            the bytes of the messages, with nothing between them

Else each message is followed by a line end, and on a terminal control characters become `?`.
Ctrl-C ends --follow with status 0; a message that was not printed stays with the daemon.
";

const CONNECT: &str = "\
Wait until there is a connection to a peer, and print its peer id.

  channeler connect ADDRESS
  channeler connect ADDRESS --peer PEER    only if this peer is there; the daemon need not list it
";

const CLOSE: &str = "\
Close the connection to a peer, after what was sent has arrived, and wait for that.

  channeler close ADDRESS

Exit status 1 when it is not known of all messages that they arrived.
";

const STATUS: &str = "\
Print how the daemon is: its peer id, what it listens on, its connections and counters.

  channeler status
  channeler status --json
";

const WATCH: &str = "\
Print what happens to connections, a line each, until Ctrl-C.

  channeler watch
  channeler watch --json
";
