// Times: std::chrono here, numbers of nanoseconds in C.
// Part of channeler/channeler.hpp: include that.

#ifndef CHANNELER_NET_TIME_HPP
#define CHANNELER_NET_TIME_HPP

#include <chrono>
#include <cstdint>

namespace channeler {
namespace net {

/// Without end: for process, timeout and poll_timeout.
constexpr std::chrono::nanoseconds forever = std::chrono::nanoseconds::max();

namespace detail {

/// A length of time; less than 0 becomes what no setting allows.
inline std::uint64_t span_ns(std::chrono::nanoseconds span) noexcept
{
    return static_cast<std::uint64_t>(span.count());
}

/// How long a message is worth sending: as span_ns, and no negative one is "as the channel says".
inline std::uint64_t lifetime_ns(std::chrono::nanoseconds span) noexcept
{
    return span.count() < 0 ? span_ns(span) - 1 : span_ns(span);
}

/// A point in time; before 0 there is none.
inline std::uint64_t time_ns(std::chrono::nanoseconds time) noexcept
{
    return time.count() < 0 ? 0 : static_cast<std::uint64_t>(time.count());
}

inline std::chrono::nanoseconds from_ns(std::uint64_t span) noexcept
{
    return span >= time_ns(forever) ? forever : std::chrono::nanoseconds(std::int64_t(span));
}

} // namespace detail

} // namespace net
} // namespace channeler

#endif
