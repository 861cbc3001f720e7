// The connection API: channels to one peer, for programs that move the packets themselves.
//
// The program is told, synchronously, when a packet waits to be sent, a channel was established, or
// data came; inside these callbacks it may call anything, on any instance.
#ifndef CHANNELER_INTERNAL_API_H
#define CHANNELER_INTERNAL_API_H

// Programs choose their warnings; the library's own tests define this to see them here too.
#if defined(__GNUC__) && !defined(CHANNELER_STRICT)
#pragma GCC system_header
#endif

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "../channelid.h"
#include "../channeler.h"
#include "../context/connection.h"
#include "../context/node.h"
#include "../cookie.h"
#include "../error.h"
#include "../lock_policy.h"
#include "../macros.h"
#include "../memory/packet_pool.h"
#include "../message.h"
#include "../packet.h"
#include "../peerid.h"
#include "../support/timeouts.h"

namespace channeler::internal {

template <typename connectionT>
class connection_api
{
public:
  using connection_type = connectionT;
  using address_type = typename connectionT::address_type;
  using node_type = typename connectionT::node_type;
  using channel_type = typename connectionT::channel_type;
  using pool_type = typename node_type::pool_type;
  using slot_type = typename pool_type::slot;
  using slot = slot_type;

  // A channel is established, or could not be.
  using channel_establishment_callback = std::function<void(error_t, channelid const &)>;
  // `packet_to_send` has a packet for the channel.
  using packet_to_send_callback = std::function<void(channelid const &)>;
  // `channel_read` has that many bytes more.
  using data_available_callback = std::function<void(channelid const &, std::size_t)>;

  // A packet, and the slot that it is in.
  struct buffer_entry
  {
    packet_wrapper packet{nullptr, 0, false};
    slot_type data = pool_type::none();
  };

  // `connection` must outlive this.
  connection_api(connectionT & connection, channel_establishment_callback established,
      packet_to_send_callback to_send, data_available_callback available)
    : m_connection{connection}
    , m_established{std::move(established)}
    , m_to_send{std::move(to_send)}
    , m_available{std::move(available)}
  {
  }

  connection_api(connection_api const &) = delete;
  connection_api & operator=(connection_api const &) = delete;

  // Begins a channel to the connection's peer. Another peer is ERR_INVALID_REFERENCE.
  error_t establish_channel(peerid_wrapper const & peer)
  {
    if (peer != m_connection.peer()) {
      return ERR_INVALID_REFERENCE;
    }
    return tell(m_connection.endpoint().establish(secret()));
  }

  // Sends a message, in a packet of its own: one that is too large for that is ERR_WRITE.
  error_t channel_write(
      channelid const & id, byte const * data, std::size_t length, std::size_t & written)
  {
    return write(id, data, length, written);
  }

  error_t channel_write(
      channelid const & id, char const * data, std::size_t length, std::size_t & written)
  {
    return write(id, data, length, written);
  }

  // Reads the oldest message, or what is left of it.
  error_t channel_read(channelid const & id, byte * data, std::size_t max, std::size_t & read)
  {
    return read_bytes(id, data, max, read);
  }

  error_t channel_read(channelid const & id, char * data, std::size_t max, std::size_t & read)
  {
    return read_bytes(id, data, max, read);
  }

  // A slot for a packet that comes in.
  slot_type allocate()
  {
    return m_connection.node().packet_pool().allocate();
  }

  // Takes a packet that came in. What makes no sense is dropped.
  error_t received_packet(
      address_type const & source, address_type const & destination, slot_type const & data)
  {
    (void)source;
    (void)destination;
    return tell(
        m_connection.endpoint().receive_packet(secret(), data.data(), data.size()));
  }

  // The oldest packet for a channel; an entry without a buffer when there is none.
  buffer_entry packet_to_send(channelid const & id)
  {
    buffer_entry entry;
    auto room = allocate();
    auto const size = m_connection.endpoint().take_packet(id, room.data(), room.size());
    if (size) {
      entry.packet = packet_wrapper{room.data(), size, false};
      entry.data = room;
    }
    return entry;
  }

private:
  std::vector<byte> secret() const
  {
    auto const & generate = m_connection.node().secret_generator();
    return generate ? generate() : std::vector<byte>{};
  }

  error_t write(channelid const & id, void const * data, std::size_t length, std::size_t & written)
  {
    written = 0;
    if (id == DEFAULT_CHANNELID || (id.has_initiator() && !id.has_responder())) {
      return ERR_INVALID_CHANNELID;
    }
    auto const result = m_connection.endpoint().write(id, data, length);
    if (result == ERR_SUCCESS) {
      written = length;
    }
    return tell(result);
  }

  error_t read_bytes(channelid const & id, void * data, std::size_t max, std::size_t & read)
  {
    read = 0;
    if (!id.is_complete()) {
      return ERR_INVALID_CHANNELID;
    }
    return m_connection.endpoint().read(id, data, max, read);
  }

  // Tells the program what happened, in order. A callback that calls back in here tells the rest.
  error_t tell(error_t result)
  {
    detail::endpoint_event event = {};
    while (m_connection.endpoint().next(event)) {
      switch (event.kind) {
        case CHANNELER_EVENT_PACKET:
          call(m_to_send, event.id);
          break;
        case CHANNELER_EVENT_CHANNEL_OPENED:
          call(m_established, event.error, event.id);
          break;
        case detail::endpoint_event::MESSAGE:
          call(m_available, event.id, event.size);
          break;
        default:
          break;
      }
    }
    return result;
  }

  template <typename functionT, typename... argsT>
  static void call(functionT const & function, argsT const &... args)
  {
    if (function) {
      function(args...);
    }
  }

  connectionT & m_connection;
  channel_establishment_callback m_established;
  packet_to_send_callback m_to_send;
  data_available_callback m_available;
};

}  // namespace channeler::internal

#endif
