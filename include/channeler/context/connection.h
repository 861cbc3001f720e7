// What we have with one peer: channels, and the node of the C API that runs them.
#ifndef CHANNELER_CONTEXT_CONNECTION_H
#define CHANNELER_CONTEXT_CONNECTION_H

// Programs choose their warnings; the library's own tests define this to see them here too.
#if defined(__GNUC__) && !defined(CHANNELER_STRICT)
#pragma GCC system_header
#endif

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <ostream>
#include <utility>

#include "../../channeler.h"
#include "../channelid.h"
#include "../detail/endpoint.h"
#include "../error.h"
#include "../peerid.h"
#include "node.h"

namespace channeler::context {

// For what a connection could be told about transports and peers, and is not.
struct null_policy
{
};

// A channel of a connection.
class channel
{
public:
  channel(std::shared_ptr<detail::endpoint> owner, channeler_channel handle, channelid const & id)
    : m_owner{std::move(owner)}
    , m_handle{handle}
    , m_id{id}
  {
  }

  // Its id, as far as that is known by now.
  channelid id() const
  {
    channeler_channel_details details = {};
    if (m_owner->describe(m_handle, details)) {
      m_id = {static_cast<channelid::half_type>(details.initiator_half),
          static_cast<channelid::half_type>(details.responder_half)};
    }
    return m_id;
  }

  bool is_established() const
  {
    channeler_channel_details details = {};
    return m_owner->describe(m_handle, details) && details.established;
  }

private:
  std::shared_ptr<detail::endpoint> m_owner;
  channeler_channel m_handle;
  // The last one known, for when the channel is gone.
  mutable channelid m_id;
};

// The id of a channel without a responder half; it also is its initiator half.
struct pending_channelid
{
  channelid::half_type initiator;
  channelid::half_type responder;

  explicit pending_channelid(channelid const & id)
    : initiator{id.initiator}
    , responder{id.responder}
  {
  }

  operator channelid() const
  {
    return {initiator, responder};
  }

  operator channelid::half_type() const
  {
    return initiator;
  }

  bool operator==(pending_channelid const & other) const
  {
    return initiator == other.initiator && responder == other.responder;
  }

  bool operator!=(pending_channelid const & other) const
  {
    return !(*this == other);
  }

  bool operator==(channelid const & other) const
  {
    return channelid{initiator, responder} == other;
  }

  bool operator!=(channelid const & other) const
  {
    return !(*this == other);
  }

  bool has_initiator() const
  {
    return channelid{*this}.has_initiator();
  }

  bool has_responder() const
  {
    return channelid{*this}.has_responder();
  }

  bool is_complete() const
  {
    return channelid{*this}.is_complete();
  }

  channelid create_partial() const
  {
    return channelid{*this}.create_partial();
  }
};

inline std::ostream & operator<<(std::ostream & os, pending_channelid const & id)
{
  return os << channelid{id};
}

// The channels of a connection, by id, or by initiator half.
class channel_set
{
public:
  using channel_type = channel;
  using channel_ptr = std::shared_ptr<channel>;
  using half_type = channelid::half_type;

  explicit channel_set(std::shared_ptr<detail::endpoint> owner)
    : m_owner{std::move(owner)}
  {
  }

  // An established channel, or a pending one with the same initiator half.
  bool has_channel(channelid const & id) const
  {
    return has_established_channel(id) || has_pending_channel(id);
  }

  bool has_channel(half_type initiator) const
  {
    return has_channel(partial(initiator));
  }

  bool has_channel(pending_channelid const & id) const
  {
    return has_channel(channelid{id});
  }

  bool has_established_channel(channelid const & id) const
  {
    return is(id, true);
  }

  bool has_established_channel(half_type initiator) const
  {
    return is(partial(initiator), true);
  }

  bool has_established_channel(pending_channelid const & id) const
  {
    return has_established_channel(channelid{id});
  }

  bool has_pending_channel(channelid const & id) const
  {
    return is(id.create_partial(), false);
  }

  bool has_pending_channel(half_type initiator) const
  {
    return is(partial(initiator), false);
  }

  bool has_pending_channel(pending_channelid const & id) const
  {
    return has_pending_channel(channelid{id});
  }

  // The channel that `has_channel` means; empty when there is none.
  channel_ptr get(channelid const & id) const
  {
    channeler_channel found;
    if (has_established_channel(id)) {
      return m_owner->find(id, found) ? shared(found, id) : nullptr;
    }
    if (has_pending_channel(id)) {
      auto const initiator = id.create_partial();
      return m_owner->find(initiator, found) ? shared(found, initiator) : nullptr;
    }
    return {};
  }

  channel_ptr get(half_type initiator) const
  {
    return get(partial(initiator));
  }

  channel_ptr get(pending_channelid const & id) const
  {
    return get(channelid{id});
  }

  // Adds a channel without a handshake: established when the id is complete, else pending.
  error_t add(channelid const & id)
  {
    return m_owner->add(id);
  }

  // Makes the pending channel with the initiator half of `id` established.
  error_t make_full(channelid const & id)
  {
    return m_owner->complete(id);
  }

  // Forgets a channel.
  error_t remove(channelid const & id)
  {
    channeler_channel found;
    auto const known = has_established_channel(id) ? id : id.create_partial();
    if (!has_channel(id) || !m_owner->find(known, found)) {
      return ERR_INVALID_CHANNELID;
    }
    m_shared.erase(found.id);
    return m_owner->remove(found);
  }

  error_t remove(half_type initiator)
  {
    return remove(partial(initiator));
  }

  error_t remove(pending_channelid const & id)
  {
    return remove(channelid{id});
  }

  // A pending channel with a fresh initiator half.
  pending_channelid new_pending_channel()
  {
    return pending_channelid{m_owner->new_pending()};
  }

private:
  static channelid partial(half_type initiator)
  {
    return channelid{initiator, CHANNELER_WIRE_NO_HALF};
  }

  bool is(channelid const & id, bool established) const
  {
    channeler_channel found;
    channeler_channel_details details = {};
    return m_owner->find(id, found) && m_owner->describe(found, details)
        && (details.established != 0) == established;
  }

  // The same object for the same channel, as long as somebody has it.
  channel_ptr shared(channeler_channel handle, channelid const & id) const
  {
    for (auto at = m_shared.begin(); at != m_shared.end();) {
      at = at->second.expired() ? m_shared.erase(at) : std::next(at);
    }
    auto & known = m_shared[handle.id];
    auto made = known.lock();
    if (!made) {
      made = std::make_shared<channel>(m_owner, handle, id);
      known = made;
    }
    return made;
  }

  std::shared_ptr<detail::endpoint> m_owner;
  mutable std::map<std::uint64_t, std::weak_ptr<channel>> m_shared;
};

// `addressT` is any regular type: it is the program that knows where packets go.
template <typename addressT, typename nodeT, typename transport_policyT = null_policy,
    typename peer_policyT = null_policy>
class connection
{
public:
  using address_type = addressT;
  using node_type = nodeT;
  using transport_policy_type = transport_policyT;
  using peer_policy_type = peer_policyT;
  using channel_type = channel;
  using channel_set_type = channel_set;

  static constexpr std::size_t POOL_BLOCK_SIZE = nodeT::POOL_BLOCK_SIZE;

  // `node` must outlive the connection.
  connection(nodeT & node, peerid const & peer)
    : m_node{node}
    , m_peer{peer}
    , m_endpoint{std::make_shared<detail::endpoint>(node.id(), peer, node.packet_size())}
    , m_channels{m_endpoint}
  {
  }

  connection(connection const &) = delete;
  connection & operator=(connection const &) = delete;

  peerid const & peer() const
  {
    return m_peer;
  }

  nodeT & node()
  {
    return m_node;
  }

  nodeT const & node() const
  {
    return m_node;
  }

  channel_set & channels()
  {
    return m_channels;
  }

  channel_set const & channels() const
  {
    return m_channels;
  }

  // What the connection is made of.
  detail::endpoint & endpoint()
  {
    return *m_endpoint;
  }

private:
  nodeT & m_node;
  peerid m_peer;
  std::shared_ptr<detail::endpoint> m_endpoint;
  channel_set m_channels;
};

}  // namespace channeler::context

#endif
