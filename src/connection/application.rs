//! What the application does with a connection and its channels.

use super::limits::FirstWindows;
use super::shared::Shared;
use super::{Connection, Life};
use crate::channel::{Channel, Ending, LEAD_MAX, Pending, Terms};
use crate::config::{ChannelConfig, LABEL_BYTES_MAX};
use crate::error::Error;
use crate::id::{Capabilities, ChannelHandle, Role};
use crate::info::CloseReason;
use crate::time::Time;
use crate::wire::Writer;
use crate::wire::frame::{ChannelNew, Frame, Label, Source};

impl Connection {
    /// Opens a channel; `ChannelOpened` or `ChannelClosed` follows. Messages may be sent at once.
    ///
    /// # Errors
    ///
    /// `InvalidArgument`, `Limit` when a table is full, `Closed` when the connection is being
    /// closed.
    pub(crate) fn open_channel(
        &mut self,
        shared: &mut Shared,
        config: &ChannelConfig,
    ) -> Result<ChannelHandle, Error> {
        if self.life != Life::Open {
            return Err(Error::Closed);
        }
        if config.capabilities.0 & !Capabilities::KNOWN.0 != 0
            || config.label.len() > LABEL_BYTES_MAX
            || config.priority > ChannelNew::PRIORITY_MAX
            || config.weight == 0
        {
            return Err(Error::InvalidArgument);
        }
        if self.registry.len() >= shared.config.channels_per_connection_max
            || !shared.has_channel_room()
        {
            return Err(Error::Limit);
        }
        let number = self.registry.open().ok_or(Error::Limit)?;
        let limit = self.established.as_ref().map(|one| one.peer.channel_data_max);
        let terms = Terms {
            number,
            role: Role::Initiator,
            capabilities: config.capabilities,
            priority: config.priority,
            weight: config.weight,
            label: config.label.clone(),
            limit: limit.unwrap_or(0),
            window: FirstWindows::of(&shared.config).channel,
            is_early: false,
            resend_limit: config.resend_limit,
            message_lifetime: config.message_lifetime,
        };
        let handle = self.add_channel(shared, terms);
        if let Some(channel) = shared.channels.get_mut(handle.0) {
            self.duties.note(handle, channel, Pending::NEW);
        }
        self.schedule(shared);
        Ok(handle)
    }

    /// Ends our direction of a channel behind what was sent; `ChannelClosed` follows when the
    /// peer's has ended too.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`, `Closed` when it is closing already.
    // spec: 9.4 graceful close
    pub(crate) fn close_channel(
        &mut self,
        shared: &mut Shared,
        handle: ChannelHandle,
    ) -> Result<(), Error> {
        if shared.channel(handle)?.ending != Ending::None {
            return Err(Error::Closed);
        }
        self.begin_close(shared, handle);
        self.schedule(shared);
        Ok(())
    }

    /// Ends both directions of a channel at once; what waits in them is dropped.
    ///
    /// # Errors
    ///
    /// `InvalidChannelId`.
    // spec: 9.5 reset
    pub(crate) fn reset_channel(
        &mut self,
        shared: &mut Shared,
        now: Time,
        handle: ChannelHandle,
        reason: CloseReason,
    ) -> Result<(), Error> {
        shared.channel(handle)?;
        self.reset_saying(shared, now, handle, Source::Application, reason, Error::Closed);
        Ok(())
    }

    /// Begins a key update as soon as the rules allow it.
    ///
    /// # Errors
    ///
    /// `State` before the connection is there.
    // spec: 6.7 key update
    pub(crate) fn update_keys(&mut self, shared: &mut Shared) -> Result<(), Error> {
        let established = self.established.as_mut().ok_or(Error::State)?;
        established.epochs.ask_update();
        // Something must be acknowledged in this epoch.
        self.duties.ping = true;
        self.schedule(shared);
        Ok(())
    }

    /// Asks the peer for a sign of life.
    pub(crate) fn ping(&mut self, shared: &mut Shared) {
        self.duties.ping = true;
        self.schedule(shared);
    }

    /// Whether the connection is being closed by us.
    pub(crate) fn is_closing(&self) -> bool {
        self.life != Life::Open
    }
}

/// Writes CHANNEL_NEW of a channel.
pub(super) fn write_lead<'a>(channel: &Channel, room: &'a mut [u8; LEAD_MAX]) -> &'a [u8] {
    let label = Label::new(&channel.label).expect("its length was checked when it was opened");
    let frame = Frame::ChannelNew(ChannelNew {
        channel: channel.number,
        capabilities: channel.capabilities,
        limit: channel.announced_limit(),
        priority: channel.priority,
        weight: channel.weight,
        label,
    });
    let mut writer = Writer::new(room);
    frame.encode(&mut writer).expect("there is room for the longest label");
    let len = writer.position();
    &room[..len]
}
