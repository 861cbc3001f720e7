// Timeouts by tag, for programs with a loop of their own.
#ifndef CHANNELER_SUPPORT_TIMEOUTS_H
#define CHANNELER_SUPPORT_TIMEOUTS_H

// Programs choose their warnings; the library's own tests define this to see them here too.
#if defined(__GNUC__) && !defined(CHANNELER_STRICT)
#pragma GCC system_header
#endif

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <ostream>
#include <utility>
#include <vector>

#include "../visibility.h"

namespace channeler::support {

// Names a timeout: what it belongs to, and which one of that it is.
struct CHANNELER_API timeout_scoped_tag_type
{
  std::uint16_t scope = 0;
  std::uint16_t tag = 0;

  constexpr timeout_scoped_tag_type() = default;

  constexpr timeout_scoped_tag_type(std::uint16_t scope_value, std::uint16_t tag_value)
    : scope{scope_value}
    , tag{tag_value}
  {
  }

  std::size_t hash() const
  {
    return std::hash<std::uint32_t>{}(whole());
  }

  constexpr bool operator==(timeout_scoped_tag_type const & other) const
  {
    return whole() == other.whole();
  }

  constexpr bool operator!=(timeout_scoped_tag_type const & other) const
  {
    return whole() != other.whole();
  }

  constexpr bool operator<(timeout_scoped_tag_type const & other) const
  {
    return whole() < other.whole();
  }

  constexpr bool operator>(timeout_scoped_tag_type const & other) const
  {
    return whole() > other.whole();
  }

  constexpr bool operator<=(timeout_scoped_tag_type const & other) const
  {
    return whole() <= other.whole();
  }

  constexpr bool operator>=(timeout_scoped_tag_type const & other) const
  {
    return whole() >= other.whole();
  }

private:
  constexpr std::uint32_t whole() const
  {
    return static_cast<std::uint32_t>(scope) << 16 | tag;
  }
};

inline std::ostream & operator<<(std::ostream & os, timeout_scoped_tag_type const & tag)
{
  return os << tag.scope << ":" << tag.tag;
}

// Timeouts that run while one waits for them. Time passes in `wait` only.
class CHANNELER_API timeouts
{
public:
  using duration = std::chrono::nanoseconds;
  // Sleeps for a time, or less, and says for how long.
  using sleep_function = std::function<duration(duration)>;
  using tag_type = timeout_scoped_tag_type;

  explicit timeouts(sleep_function sleep)
    : m_sleep{std::move(sleep)}
  {
  }

  // Starts a timeout; false when one with that tag is running.
  bool add(timeout_scoped_tag_type const & tag, duration amount)
  {
    if (find(tag) != m_running.end()) {
      return false;
    }
    auto const left = duration::max() - m_now;
    m_running.push_back({m_now + std::clamp(amount, duration::zero(), left), tag});
    return true;
  }

  void remove(timeout_scoped_tag_type const & tag)
  {
    auto const found = find(tag);
    if (found != m_running.end()) {
      m_running.erase(found);
    }
  }

  // Sleeps for a time, and returns the timeouts that expired, the earliest first. They are gone:
  // each can be added again.
  std::vector<timeout_scoped_tag_type> wait(duration amount)
  {
    if (m_sleep) {
      auto const slept = m_sleep(std::max(amount, duration::zero()));
      m_now += std::clamp(slept, duration::zero(), duration::max() - m_now);
    }
    auto const is_running = [this](running const & one) { return one.deadline > m_now; };
    auto const expired = std::stable_partition(m_running.begin(), m_running.end(), is_running);
    std::stable_sort(expired, m_running.end(), [](running const & one, running const & other) {
      return one.deadline < other.deadline;
    });
    std::vector<timeout_scoped_tag_type> tags;
    for (auto at = expired; at != m_running.end(); ++at) {
      tags.push_back(at->tag);
    }
    m_running.erase(expired, m_running.end());
    return tags;
  }

private:
  struct running
  {
    duration deadline;
    timeout_scoped_tag_type tag;
  };

  std::vector<running>::iterator find(timeout_scoped_tag_type const & tag)
  {
    return std::find_if(m_running.begin(), m_running.end(),
        [&tag](running const & one) { return one.tag == tag; });
  }

  sleep_function m_sleep;
  // The sum of all sleep so far.
  duration m_now = duration::zero();
  std::vector<running> m_running;
};

using duration = timeouts::duration;
using sleep_function = timeouts::sleep_function;

}  // namespace channeler::support

namespace std {

template <>
struct hash<channeler::support::timeout_scoped_tag_type>
{
  size_t operator()(channeler::support::timeout_scoped_tag_type const & tag) const
  {
    return tag.hash();
  }
};

}  // namespace std

#endif
