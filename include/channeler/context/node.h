// What all connections of a peer share.
#ifndef CHANNELER_CONTEXT_NODE_H
#define CHANNELER_CONTEXT_NODE_H

// Programs choose their warnings; the library's own tests define this to see them here too.
#if defined(__GNUC__) && !defined(CHANNELER_STRICT)
#pragma GCC system_header
#endif

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "../byte.h"
#include "../lock_policy.h"
#include "../memory/packet_pool.h"
#include "../peerid.h"
#include "../support/timeouts.h"

namespace channeler::context {

template <std::size_t BLOCK_SIZE, typename lock_policyT = null_lock_policy>
class node
{
public:
  static constexpr std::size_t POOL_BLOCK_SIZE = BLOCK_SIZE;

  using lock_policy_type = lock_policyT;
  using pool_type = memory::packet_pool<BLOCK_SIZE, lock_policyT>;
  using secret_type = std::vector<byte>;
  using secret_generator_type = std::function<secret_type()>;
  using sleep_function = support::sleep_function;

  // `packet_size` is that of each packet sent, at least 65 bytes.
  node(peerid const & self, std::size_t packet_size, secret_generator_type secret,
      sleep_function sleep)
    : m_id{self}
    , m_packet_size{packet_size}
    , m_pool{packet_size, &m_lock}
    , m_secret{std::move(secret)}
    , m_sleep{std::move(sleep)}
  {
  }

  node(node const &) = delete;
  node & operator=(node const &) = delete;

  peerid const & id() const
  {
    return m_id;
  }

  std::size_t packet_size() const
  {
    return m_packet_size;
  }

  pool_type & packet_pool()
  {
    return m_pool;
  }

  pool_type const & packet_pool() const
  {
    return m_pool;
  }

  // What cookies are made with.
  secret_generator_type const & secret_generator() const
  {
    return m_secret;
  }

  secret_generator_type & secret_generator()
  {
    return m_secret;
  }

  sleep_function const & sleep() const
  {
    return m_sleep;
  }

  sleep_function & sleep()
  {
    return m_sleep;
  }

private:
  peerid m_id;
  std::size_t m_packet_size;
  // Before the pool, which uses it.
  lock_policyT m_lock;
  pool_type m_pool;
  secret_generator_type m_secret;
  sleep_function m_sleep;
};

}  // namespace channeler::context

#endif
