// Buffers of one size for packets, allocated in blocks, shared by counted slots.
#ifndef CHANNELER_MEMORY_PACKET_POOL_H
#define CHANNELER_MEMORY_PACKET_POOL_H

// Programs choose their warnings; the library's own tests define this to see them here too.
#if defined(__GNUC__) && !defined(CHANNELER_STRICT)
#pragma GCC system_header
#endif

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "../byte.h"
#include "../lock_policy.h"


namespace channeler::memory {

template <std::size_t POOL_BLOCK_SIZE, typename lock_policyT = null_lock_policy>
class packet_pool
{
  static_assert(POOL_BLOCK_SIZE > 0, "a block has room for a packet");

  // Room for POOL_BLOCK_SIZE packets.
  struct block
  {
    explicit block(std::size_t packet_size)
      : bytes(new byte[packet_size * POOL_BLOCK_SIZE]())
    {
      unused.reserve(POOL_BLOCK_SIZE);
      for (std::size_t index = POOL_BLOCK_SIZE; index > 0; --index) {
        unused.push_back(index - 1);
      }
    }

    std::unique_ptr<byte[]> bytes;
    // Places without a packet, the next to be used last.
    std::vector<std::size_t> unused;
  };

  // What pool and slots share, so that slots may outlive the pool.
  struct state
  {
    std::size_t packet_size;
    lock_policyT * lock;
    std::size_t used = 0;
    std::vector<std::shared_ptr<block>> blocks;
  };

  // A place in a block. It goes back to the pool with the last slot that shares it.
  struct place
  {
    place(std::shared_ptr<state> pool, std::shared_ptr<block> owner, std::size_t at)
      : shared{std::move(pool)}
      , home{std::move(owner)}
      , index{at}
    {
    }

    place(place const &) = delete;
    place & operator=(place const &) = delete;

    ~place()
    {
      guard<lock_policyT> locked{shared->lock};
      // It was reserved for as many as there are places.
      home->unused.push_back(index);
      --shared->used;
    }

    byte * data() const
    {
      return home->bytes.get() + index * shared->packet_size;
    }

    std::shared_ptr<state> shared;
    std::shared_ptr<block> home;
    std::size_t index;
  };

public:
  // A buffer for a packet. Copies share it; with the last of them it goes back to the pool.
  class slot
  {
  public:
    // Null when the slot was freed.
    byte * data()
    {
      return m_place ? m_place->data() : nullptr;
    }

    byte const * data() const
    {
      return m_place ? m_place->data() : nullptr;
    }

    std::size_t size() const
    {
      return m_place ? m_place->shared->packet_size : 0;
    }

    // How many slots share the buffer, this one included.
    std::size_t use_count() const
    {
      return static_cast<std::size_t>(m_place.use_count());
    }

    bool operator==(slot const & other) const
    {
      return m_place == other.m_place;
    }

    bool operator!=(slot const & other) const
    {
      return m_place != other.m_place;
    }

  private:
    friend class packet_pool;

    slot() = default;

    explicit slot(std::shared_ptr<place> shared)
      : m_place{std::move(shared)}
    {
    }

    std::shared_ptr<place> m_place;
  };

  // `lock` may be null (no locking), and must outlive the pool.
  explicit packet_pool(std::size_t packet_size, lock_policyT * lock = nullptr)
    : m_state{std::make_shared<state>()}
  {
    m_state->packet_size = packet_size;
    m_state->lock = lock;
  }

  packet_pool(packet_pool const &) = delete;
  packet_pool & operator=(packet_pool const &) = delete;

  ~packet_pool()
  {
    // Slots that outlive the pool have no lock any more: it may be gone with the pool's owner.
    lock_policyT * lock = m_state->lock;
    guard<lock_policyT> locked{lock};
    m_state->lock = nullptr;
  }

  // Packets that there is room for without another block.
  std::size_t capacity() const
  {
    guard<lock_policyT> locked{m_state->lock};
    return m_state->blocks.size() * POOL_BLOCK_SIZE;
  }

  // Packets that are allocated.
  std::size_t size() const
  {
    guard<lock_policyT> locked{m_state->lock};
    return m_state->used;
  }

  bool empty() const
  {
    return size() == 0;
  }

  std::size_t packet_size() const
  {
    return m_state->packet_size;
  }

  slot allocate()
  {
    std::shared_ptr<block> home;
    std::size_t index = 0;
    {
      guard<lock_policyT> locked{m_state->lock};
      home = block_with_room();
      index = home->unused.back();
      home->unused.pop_back();
      ++m_state->used;
    }
    return slot{std::make_shared<place>(m_state, std::move(home), index)};
  }

  // Gives up the slot's share of its buffer, and leaves it without one.
  void free(slot & freed)
  {
    freed.m_place.reset();
  }

  // A slot without a buffer.
  static slot none()
  {
    return {};
  }

  // Gives memory back of which nothing is allocated.
  void prune()
  {
    guard<lock_policyT> locked{m_state->lock};
    auto & blocks = m_state->blocks;
    blocks.erase(std::remove_if(blocks.begin(), blocks.end(),
                     [](std::shared_ptr<block> const & one) {
                       return one->unused.size() == POOL_BLOCK_SIZE;
                     }),
        blocks.end());
  }

private:
  std::shared_ptr<block> block_with_room()
  {
    auto & blocks = m_state->blocks;
    auto const found = std::find_if(blocks.begin(), blocks.end(),
        [](std::shared_ptr<block> const & one) { return !one->unused.empty(); });
    if (found != blocks.end()) {
      return *found;
    }
    blocks.push_back(std::make_shared<block>(m_state->packet_size));
    return blocks.back();
  }

  std::shared_ptr<state> m_state;
};

}  // namespace channeler::memory

#endif
