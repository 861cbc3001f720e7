//! Messages that came, and who gets them. No input or output: values only.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;

use channeler::id::PeerId;
use channeler::quic::{TeamId, Waiting};

use super::ClientId;
use crate::config::{MESSAGE_OVERHEAD, MessagesConfig};

/// What each place in a client's queue costs, beside the message that it shares with others.
const DELIVERY_OVERHEAD: usize = 160;

/// A request for messages that is open. Smaller ones are older.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Serial(pub(super) u64);

/// A message that came.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) address: SocketAddr,
    pub(super) peer: PeerId,
    /// None: a sync message.
    pub(super) channel: Option<(TeamId, String)>,
    pub(super) body: Vec<u8>,
    /// In which order they came.
    order: u64,
    /// Whether a client has it whole.
    taken: Cell<bool>,
    _counted: Counted,
}

impl Message {
    /// A client has it whole.
    pub(super) fn note_taken(&self) {
        self.taken.set(true);
    }
}

/// Which messages a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) syncs: bool,
    pub(super) address: Option<SocketAddr>,
    pub(super) team: Option<TeamId>,
    pub(super) label: Label,
}

/// Which labels a filter takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Label {
    Any,
    Is(String),
    StartsWith(String),
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asker {
    pub(super) client: ClientId,
    /// The number of its request.
    pub(super) number: u32,
}

/// A message on its way to a client, or why it is not.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) to: Asker,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// For a follow.
    Followed(Parcel),
    /// For a receive, which ends with it.
    Received(Parcel),
    /// A receive ends: it takes no message of so many bytes, and it is the one that is next.
    TooLong(usize),
}

/// A message in a client's queue.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) message: Rc<Message>,
    _counted: Counted,
}

/// All messages, and all that ask for them.
#[derive(Debug)]
pub(super) struct Post {
    totals: Rc<Totals>,
    /// Nobody has asked for these yet; by their order.
    waiting: VecDeque<Rc<Message>>,
    waiting_bytes: usize,
    follows: BTreeMap<Serial, (Asker, Filter)>,
    receives: BTreeMap<Serial, (Asker, Filter, usize)>,
    next_order: u64,
}

/// What is in memory, waiting or in queues.
#[derive(Debug, Default)]
struct Totals {
    bytes: Cell<usize>,
    messages: Cell<usize>,
}

/// A part of the totals, until it is dropped.
#[derive(Debug)]
struct Counted {
    totals: Rc<Totals>,
    bytes: usize,
    messages: usize,
}

impl Post {
    pub(super) fn new() -> Post {
        Post {
            totals: Rc::default(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            follows: BTreeMap::new(),
            receives: BTreeMap::new(),
            next_order: 0,
        }
    }

    /// Whether a message of `length` bytes may come in.
    pub(super) fn has_room(&self, length: usize, limits: &MessagesConfig) -> bool {
        let (bytes, messages) = (self.totals.bytes.get(), self.totals.messages.get());
        let fits = bytes + length + MESSAGE_OVERHEAD <= limits.bytes_max;
        messages == 0 || fits && messages < limits.count_max
    }

    /// Forgets the oldest message that nobody has asked for; whether there was one.
    pub(super) fn drop_oldest(&mut self) -> bool {
        self.take_waiting(0).is_some()
    }

    /// A message came: it goes to whoever asked for it, or waits.
    pub(super) fn arrive(&mut self, came: Waiting<'_>, is_sync: bool, out: &mut Vec<Delivery>) {
        let channel = (!is_sync).then(|| (came.team_id, came.label.to_owned()));
        let order = self.next_order;
        self.next_order += 1;
        let message = Rc::new(Message {
            address: came.address,
            peer: came.peer,
            channel,
            body: came.message.to_vec(),
            order,
            taken: Cell::new(false),
            _counted: Counted::new(&self.totals, came.message.len() + MESSAGE_OVERHEAD, 1),
        });
        self.offer(message, out);
    }

    /// What a client that is gone had in its queue and did not get.
    pub(super) fn give_back(&mut self, parcels: Vec<Parcel>, out: &mut Vec<Delivery>) {
        for Parcel { message, .. } in parcels {
            let is_with_others = Rc::strong_count(&message) > 1;
            if !is_with_others && !message.taken.get() {
                self.offer(message, out);
            }
        }
    }

    /// From now on all that match go to `asker`, those that wait first.
    pub(super) fn follow(
        &mut self,
        serial: Serial,
        asker: Asker,
        filter: Filter,
        out: &mut Vec<Delivery>,
    ) {
        for message in std::mem::take(&mut self.waiting) {
            if filter.takes(&message) {
                self.waiting_bytes -= message.body.len();
                let parcel = self.parcel(&message);
                out.push(Delivery { to: asker, what: What::Followed(parcel) });
            } else {
                self.waiting.push_back(message);
            }
        }
        self.follows.insert(serial, (asker, filter));
    }

    /// The oldest that matches goes to `asker`: now, or when it comes. Whether now.
    pub(super) fn receive(
        &mut self,
        serial: Serial,
        asker: Asker,
        filter: Filter,
        capacity: usize,
        out: &mut Vec<Delivery>,
    ) -> bool {
        let Some(index) = self.waiting.iter().position(|message| filter.takes(message)) else {
            self.receives.insert(serial, (asker, filter, capacity));
            return false;
        };
        let length = self.waiting[index].body.len();
        let fitting = if length <= capacity { self.take_waiting(index) } else { None };
        let what = match fitting {
            Some(message) => What::Received(self.parcel(&message)),
            None => What::TooLong(length),
        };
        out.push(Delivery { to: asker, what });
        true
    }

    /// Ends a follow or receive.
    pub(super) fn cancel(&mut self, serial: Serial) {
        self.follows.remove(&serial);
        self.receives.remove(&serial);
    }

    pub(super) fn follows(&self) -> usize {
        self.follows.len()
    }

    pub(super) fn receives(&self) -> usize {
        self.receives.len()
    }

    /// Messages that nobody has asked for, and their bytes.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.waiting.len(), self.waiting_bytes)
    }

    fn offer(&mut self, message: Rc<Message>, out: &mut Vec<Delivery>) {
        let before = out.len();
        for (to, filter) in self.follows.values() {
            if filter.takes(&message) {
                let what = What::Followed(self.parcel(&message));
                out.push(Delivery { to: *to, what });
            }
        }
        if out.len() > before {
            return;
        }
        let mut receives = self.receives.iter();
        let found = receives.find(|(_, (_, filter, _))| filter.takes(&message));
        let Some((&serial, &(to, _, capacity))) = found else {
            self.keep(message);
            return;
        };
        self.receives.remove(&serial);
        if message.body.len() <= capacity {
            out.push(Delivery { to, what: What::Received(self.parcel(&message)) });
        } else {
            out.push(Delivery { to, what: What::TooLong(message.body.len()) });
            // The next one that waits may take more.
            self.offer(message, out);
        }
    }

    fn keep(&mut self, message: Rc<Message>) {
        self.waiting_bytes += message.body.len();
        let at = self.waiting.partition_point(|kept| kept.order < message.order);
        self.waiting.insert(at, message);
    }

    fn take_waiting(&mut self, index: usize) -> Option<Rc<Message>> {
        let message = self.waiting.remove(index)?;
        self.waiting_bytes -= message.body.len();
        Some(message)
    }

    fn parcel(&self, message: &Rc<Message>) -> Parcel {
        let counted = Counted::new(&self.totals, DELIVERY_OVERHEAD, 0);
        Parcel { message: Rc::clone(message), _counted: counted }
    }
}

impl Filter {
    fn takes(&self, message: &Message) -> bool {
        if self.address.is_some_and(|address| address != message.address) {
            return false;
        }
        match &message.channel {
            None => self.syncs,
            Some((team, label)) => {
                !self.syncs
                    && self.team.is_none_or(|wanted| wanted == *team)
                    && match &self.label {
                        Label::Any => true,
                        Label::Is(wanted) => wanted == label,
                        Label::StartsWith(start) => label.starts_with(&**start),
                    }
            }
        }
    }
}

impl Counted {
    fn new(totals: &Rc<Totals>, bytes: usize, messages: usize) -> Counted {
        totals.bytes.set(totals.bytes.get() + bytes);
        totals.messages.set(totals.messages.get() + messages);
        Counted { totals: Rc::clone(totals), bytes, messages }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.totals.bytes.set(self.totals.bytes.get() - self.bytes);
        self.totals.messages.set(self.totals.messages.get() - self.messages);
    }
}

#[cfg(test)]
mod tests;
