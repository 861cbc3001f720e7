// Channel ids: one half chosen by each side.
#ifndef CHANNELER_CHANNELID_H
#define CHANNELER_CHANNELID_H

// Programs choose their warnings; the library's own tests define this to see them here too.
#if defined(__GNUC__) && !defined(CHANNELER_STRICT)
#pragma GCC system_header
#endif

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iomanip>
#include <ostream>
#include <sstream>

#include "../channeler.h"
#include "error.h"
#include "visibility.h"

namespace channeler {

union CHANNELER_API channelid
{
  using full_type = std::uint32_t;
  using half_type = std::uint16_t;

  full_type full;
  __extension__ struct
  {
    half_type initiator;
    half_type responder;
  };

  // No half is chosen yet.
  constexpr channelid()
    : full{join(CHANNELER_WIRE_NO_HALF, CHANNELER_WIRE_NO_HALF)}
  {
  }

  constexpr channelid(half_type initiator_half, half_type responder_half)
    : full{join(initiator_half, responder_half)}
  {
  }

  std::size_t hash() const
  {
    return std::hash<full_type>{}(full);
  }

  bool has_initiator() const
  {
    return initiator != CHANNELER_WIRE_NO_HALF;
  }

  bool has_responder() const
  {
    return responder != CHANNELER_WIRE_NO_HALF;
  }

  bool is_complete() const
  {
    return has_initiator() && has_responder();
  }

  // The same initiator half, and no responder half.
  channelid create_partial() const
  {
    return {initiator, CHANNELER_WIRE_NO_HALF};
  }

private:
  // `full` as it lies over the two halves.
  static constexpr full_type join(full_type initiator_half, full_type responder_half)
  {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return initiator_half << 16 | responder_half;
#else
    return responder_half << 16 | initiator_half;
#endif
  }
};

static_assert(sizeof(channelid) == sizeof(channelid::full_type), "the halves are the whole");

constexpr bool operator==(channelid const & first, channelid const & second)
{
  return first.full == second.full;
}

constexpr bool operator!=(channelid const & first, channelid const & second)
{
  return first.full != second.full;
}

constexpr bool operator<(channelid const & first, channelid const & second)
{
  return first.full < second.full;
}

constexpr bool operator>(channelid const & first, channelid const & second)
{
  return second < first;
}

constexpr bool operator<=(channelid const & first, channelid const & second)
{
  return !(second < first);
}

constexpr bool operator>=(channelid const & first, channelid const & second)
{
  return !(first < second);
}

// Both halves in hexadecimal, the initiator's first: 0x1234:0x5678.
inline std::ostream & operator<<(std::ostream & os, channelid const & id)
{
  std::ostringstream text;
  text << std::hex << std::setfill('0') << "0x" << std::setw(4) << id.initiator << ":0x"
       << std::setw(4) << id.responder;
  return os << text.str();
}

// The channel that handshakes run on.
constexpr channelid DEFAULT_CHANNELID;

namespace detail {

// A half from the operating system, never that which means "none".
inline channelid::half_type random_half()
{
  channelid::half_type half = CHANNELER_WIRE_NO_HALF;
  if (channeler_wire_random_half(&half) != CHANNELER_OK) {
    throw exception{ERR_UNEXPECTED, channeler_last_error()};
  }
  return half;
}

inline channeler_wire_id to_c(channelid const & id)
{
  return {id.initiator, id.responder};
}

inline channelid from_c(channeler_wire_id const & id)
{
  return {id.initiator_half, id.responder_half};
}

}  // namespace detail

// A fresh id with an initiator half alone.
inline channelid create_new_channelid()
{
  return {detail::random_half(), CHANNELER_WIRE_NO_HALF};
}

// Chooses the responder half. ERR_INVALID_CHANNELID unless it is what is missing.
inline error_t complete_channelid(channelid & id)
{
  if (!id.has_initiator() || id.has_responder()) {
    return ERR_INVALID_CHANNELID;
  }
  id.responder = detail::random_half();
  return ERR_SUCCESS;
}

}  // namespace channeler

namespace std {

template <>
struct hash<channeler::channelid>
{
  size_t operator()(channeler::channelid const & id) const
  {
    return id.hash();
  }
};

}  // namespace std

#endif
