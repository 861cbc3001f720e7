// A sans-IO node of the C API in its reference profile, with one connection: conversions only.
#ifndef CHANNELER_DETAIL_ENDPOINT_H
#define CHANNELER_DETAIL_ENDPOINT_H

// Programs choose their warnings; the library's own tests define this to see them here too.
#if defined(__GNUC__) && !defined(CHANNELER_STRICT)
#pragma GCC system_header
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "../../channeler.h"
#include "../byte.h"
#include "../channelid.h"
#include "../error.h"
#include "../peerid.h"

namespace channeler::detail {

// What happened, kept until the program is told.
struct endpoint_event
{
  // CHANNELER_EVENT_*, or MESSAGE.
  std::uint32_t kind;
  error_t error;
  channelid id;
  std::size_t size;

  static constexpr std::uint32_t MESSAGE = 0;
};

// An error code of the C API as programs written for the reference know it.
inline error_t to_reference(std::int32_t status)
{
  switch (status) {
    case CHANNELER_ERR_WOULD_BLOCK:
      return ERR_WRITE;
    case CHANNELER_ERR_LIMIT:
    case CHANNELER_ERR_TIMEOUT:
    case CHANNELER_ERR_IDLE:
    case CHANNELER_ERR_CLOSED:
    case CHANNELER_ERR_REFUSED:
    case CHANNELER_ERR_BANNED:
      return ERR_STATE;
    default:
      break;
  }
  auto const code = static_cast<error_t>(status);
  return code > ERR_DATA_UNAVAILABLE ? static_cast<error_t>(ERR_UNEXPECTED) : code;
}

class endpoint
{
public:
  // Failures are reported by the calls that need the node.
  endpoint(peerid_wrapper const & self, peerid_wrapper const & peer, std::size_t packet_size)
    : m_packet_size{packet_size}
  {
    channeler_options options;
    channeler_callbacks callbacks;
    channeler_options_init(&options, sizeof options);
    channeler_callbacks_init(&callbacks, sizeof callbacks);
    options.peer_id = to_c(self);
    options.mode = CHANNELER_MODE_SANS_IO;
    options.profile = CHANNELER_PROFILE_REFERENCE;
    options.legacy = CHANNELER_LEGACY_ONLY;
    // A size that does not fit is none that is allowed either.
    options.packet_size = packet_size > UINT32_MAX ? 0 : static_cast<std::uint32_t>(packet_size);
    callbacks.user_data = this;
    callbacks.on_event = on_event;
    callbacks.on_message = on_message;
    m_status = channeler_node_new(&options, &callbacks, &m_node);
    if (m_status == CHANNELER_OK) {
      // The program moves the packets, and knows where from and where to.
      auto const id = to_c(peer);
      m_status = channeler_address_parse("192.0.2.1:1", &m_address);
      if (m_status == CHANNELER_OK) {
        m_status = channeler_node_connect(m_node, &id, &m_address, &m_connection);
      }
    }
  }

  endpoint(endpoint const &) = delete;
  endpoint & operator=(endpoint const &) = delete;

  ~endpoint()
  {
    channeler_node_free(m_node);
  }

  channeler_node * capi() const
  {
    return m_node;
  }

  error_t establish(std::vector<byte> const & secret)
  {
    channeler_channel opened;
    std::int32_t status = set_secret(secret);
    if (status == CHANNELER_OK) {
      status = channeler_channel_open(m_node, m_connection, nullptr, &opened);
    }
    return collect(status);
  }

  error_t receive_packet(std::vector<byte> const & secret, byte const * data, std::size_t size)
  {
    if (!data || !size) {
      return ERR_INSUFFICIENT_BUFFER_SIZE;
    }
    std::int32_t status = set_secret(secret);
    if (status == CHANNELER_OK) {
      status = channeler_node_handle_datagram(m_node, 0, &m_address, nullptr,
          reinterpret_cast<std::uint8_t const *>(data), size);
    }
    return to_reference(status);
  }

  error_t write(channelid const & id, void const * data, std::size_t size)
  {
    channeler_channel channel;
    if (m_status != CHANNELER_OK || !find(id, channel)) {
      return ERR_STATE;
    }
    if (!data || !size) {
      return ERR_WRITE;
    }
    return collect(channeler_channel_send(
        m_node, channel, static_cast<std::uint8_t const *>(data), size));
  }

  error_t read(channelid const & id, void * data, std::size_t max, std::size_t & length)
  {
    channeler_channel channel;
    if (!find(id, channel)) {
      return ERR_INVALID_CHANNELID;
    }
    if (!data || !max) {
      return ERR_INSUFFICIENT_BUFFER_SIZE;
    }
    return to_reference(channeler_channel_receive(
        m_node, channel, static_cast<std::uint8_t *>(data), max, &length, nullptr));
  }

  // The next thing that happened, if any.
  bool next(endpoint_event & event)
  {
    if (m_events.empty()) {
      return false;
    }
    event = m_events.front();
    m_events.pop_front();
    return true;
  }

  // Copies the oldest packet for a channel to `out`; its size, 0 when there is none.
  std::size_t take_packet(channelid const & id, byte * out, std::size_t max)
  {
    for (auto kept = m_kept.begin(); kept != m_kept.end(); ++kept) {
      if (kept->id == id) {
        std::size_t const size = kept->bytes.size() <= max ? kept->bytes.size() : 0;
        std::copy_n(kept->bytes.begin(), size, out);
        m_kept.erase(kept);
        return size;
      }
    }
    while (!m_announced.empty()) {
      channelid const announced = m_announced.front();
      m_announced.pop_front();
      std::vector<byte> bytes(announced == id ? 0 : m_packet_size);
      byte * const room = announced == id ? out : bytes.data();
      channeler_transmit transmit;
      auto const status = channeler_node_poll_transmit(m_node, 0,
          reinterpret_cast<std::uint8_t *>(room), announced == id ? max : bytes.size(),
          &transmit);
      if (announced == id) {
        return status == CHANNELER_OK ? transmit.length : 0;
      }
      if (status == CHANNELER_OK) {
        bytes.resize(transmit.length);
        m_kept.push_back({announced, std::move(bytes)});
      }
    }
    return 0;
  }

  // By complete id, or by an initiator half alone.
  bool find(channelid const & id, channeler_channel & out) const
  {
    return m_status == CHANNELER_OK
        && channeler_channel_find(m_node, m_connection, to_c(id), &out) == CHANNELER_OK;
  }

  bool describe(channeler_channel channel, channeler_channel_details & out) const
  {
    out.struct_size = sizeof out;
    return channeler_channel_info(m_node, channel, &out) == CHANNELER_OK;
  }

  error_t add(channelid const & id)
  {
    channeler_channel added;
    return usable([&] {
      return channeler_channel_adopt(m_node, m_connection, to_c(id), &added);
    });
  }

  error_t complete(channelid const & id)
  {
    return usable([&] { return channeler_channel_complete(m_node, m_connection, to_c(id)); });
  }

  error_t remove(channeler_channel channel)
  {
    return usable([&] { return channeler_channel_close(m_node, channel); });
  }

  // A pending channel; DEFAULT_CHANNELID when there can be none.
  channelid new_pending()
  {
    channeler_wire_id id = to_c(DEFAULT_CHANNELID);
    usable([&] { return channeler_channel_new_pending(m_node, m_connection, &id); });
    return from_c(id);
  }

private:
  struct packet
  {
    channelid id;
    std::vector<byte> bytes;
  };

  template <typename callT>
  error_t usable(callT && call)
  {
    return to_reference(m_status == CHANNELER_OK ? call() : m_status);
  }

  std::int32_t set_secret(std::vector<byte> const & secret)
  {
    if (m_status != CHANNELER_OK) {
      return m_status;
    }
    return channeler_node_set_secret(
        m_node, reinterpret_cast<std::uint8_t const *>(secret.data()), secret.size());
  }

  // Hears of what a command caused.
  error_t collect(std::int32_t status)
  {
    if (status == CHANNELER_OK) {
      status = channeler_node_process(m_node, 0);
    }
    return to_reference(status);
  }

  channelid id_of(channeler_channel channel) const
  {
    channeler_channel_details details = {};
    if (!describe(channel, details)) {
      return DEFAULT_CHANNELID;
    }
    return {static_cast<channelid::half_type>(details.initiator_half),
        static_cast<channelid::half_type>(details.responder_half)};
  }

  // Callbacks only note what happened: the program is told when the node is free again, so that it
  // may call anything. No exception may leave them.
  void note(std::uint32_t kind, channelid const & id, std::size_t size) noexcept
  {
    try {
      if (kind == CHANNELER_EVENT_PACKET) {
        m_announced.push_back(id);
      }
      m_events.push_back({kind, ERR_SUCCESS, id, size});
    }
    catch (...) {
      // Without memory nothing can be noted; the peer sees a lost packet.
    }
  }

  static void on_event(void * user_data, channeler_node *, channeler_event const * event)
  {
    auto * const self = static_cast<endpoint *>(user_data);
    if (event->kind == CHANNELER_EVENT_PACKET) {
      self->note(event->kind, from_c(event->id), 0);
    }
    else if (event->kind == CHANNELER_EVENT_CHANNEL_OPENED) {
      self->note(event->kind, self->id_of(event->channel), 0);
    }
  }

  static void on_message(void * user_data, channeler_node *, channeler_connection,
      channeler_channel channel, std::uint8_t const *, std::size_t length)
  {
    auto * const self = static_cast<endpoint *>(user_data);
    self->note(endpoint_event::MESSAGE, self->id_of(channel), length);
  }

  std::size_t m_packet_size;
  std::int32_t m_status = CHANNELER_OK;
  channeler_node * m_node = nullptr;
  channeler_address m_address = {};
  channeler_connection m_connection = {};
  std::deque<endpoint_event> m_events;
  // Channels of the packets that wait in the node, in its order.
  std::deque<channelid> m_announced;
  // Packets that were in front of one that was asked for.
  std::deque<packet> m_kept;
};

}  // namespace channeler::detail

#endif
