// Peer ids: 16 bytes of one's own, or in somebody else's buffer.
#ifndef CHANNELER_PEERID_H
#define CHANNELER_PEERID_H

// Programs choose their warnings; the library's own tests define this to see them here too.
#if defined(__GNUC__) && !defined(CHANNELER_STRICT)
#pragma GCC system_header
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>

#include "../channeler.h"
#include "byte.h"
#include "error.h"
#include "visibility.h"

namespace channeler {

constexpr std::size_t PEERID_SIZE_BYTES = 16;
constexpr std::size_t PEERID_SIZE_BITS = PEERID_SIZE_BYTES * 8;

struct peerid;
struct public_header_fields;

// A peer id in a buffer that it does not own. Copies are views of the same bytes; assigning writes
// the bytes of the other to the buffer.
struct CHANNELER_API peerid_wrapper
{
  byte const * raw;

  // Throws when the buffer is null or short.
  peerid_wrapper(byte const * buf, std::size_t bufsize)
    : raw{buf}
  {
    if (!buf || bufsize < PEERID_SIZE_BYTES) {
      throw exception{ERR_INSUFFICIENT_BUFFER_SIZE, "a peer id takes 16 bytes"};
    }
  }

  peerid_wrapper(peerid_wrapper const &) = default;

  peerid_wrapper & operator=(peerid_wrapper const & other)
  {
    if (!raw) {
      raw = other.raw;
    }
    else if (other.raw) {
      std::memmove(const_cast<byte *>(raw), other.raw, PEERID_SIZE_BYTES);
    }
    return *this;
  }

  // "0x", and the bytes in hexadecimal.
  std::string display() const
  {
    if (!raw) {
      return "0x";
    }
    channeler_peer_id id;
    std::memcpy(id.bytes, raw, PEERID_SIZE_BYTES);
    char text[CHANNELER_PEER_ID_TEXT_MAX] = {};
    channeler_peer_id_format(&id, text, sizeof text);
    return text;
  }

  std::size_t hash() const
  {
    return std::hash<std::string_view>{}(bytes());
  }

  // The same id, in a buffer of its own.
  inline peerid copy() const;

  static constexpr std::size_t size()
  {
    return PEERID_SIZE_BYTES;
  }

  bool is_equal_to(peerid_wrapper const & other) const
  {
    return bytes() == other.bytes();
  }

  bool is_less_than(peerid_wrapper const & other) const
  {
    return bytes() < other.bytes();
  }

private:
  friend struct public_header_fields;

  // For headers of packets that have no buffer.
  explicit peerid_wrapper(byte const * buf)
    : raw{buf}
  {
  }

  std::string_view bytes() const
  {
    return {reinterpret_cast<char const *>(raw), raw ? PEERID_SIZE_BYTES : 0};
  }
};

// A peer id with a buffer of its own.
struct CHANNELER_API peerid : public peerid_wrapper
{
  byte buffer[PEERID_SIZE_BYTES];

  // A random one, from the operating system.
  peerid()
    : peerid_wrapper{buffer, PEERID_SIZE_BYTES}
  {
    channeler_peer_id id;
    if (channeler_peer_id_random(&id) != CHANNELER_OK) {
      throw exception{ERR_UNEXPECTED, channeler_last_error()};
    }
    std::memcpy(buffer, id.bytes, PEERID_SIZE_BYTES);
  }

  // Throws when the buffer is null or short.
  peerid(byte const * buf, std::size_t bufsize)
    : peerid_wrapper{buffer, PEERID_SIZE_BYTES}
  {
    if (!buf || bufsize < PEERID_SIZE_BYTES) {
      throw exception{ERR_INSUFFICIENT_BUFFER_SIZE, "a peer id takes 16 bytes"};
    }
    std::memcpy(buffer, buf, PEERID_SIZE_BYTES);
  }

  // From hexadecimal digits, with or without "0x" before them. Throws when they are too few, or
  // not all are digits.
  peerid(char const * hex, std::size_t hexsize)
    : peerid_wrapper{buffer, PEERID_SIZE_BYTES}
  {
    parse(hex ? std::string_view{hex, hexsize} : std::string_view{});
  }

  peerid(peerid const & other)
    : peerid_wrapper{buffer, PEERID_SIZE_BYTES}
  {
    std::memcpy(buffer, other.buffer, PEERID_SIZE_BYTES);
  }

  peerid & operator=(peerid const & other)
  {
    peerid_wrapper::operator=(other);
    return *this;
  }

  peerid & operator=(peerid_wrapper const & other)
  {
    peerid_wrapper::operator=(other);
    return *this;
  }

private:
  void parse(std::string_view text)
  {
    if (text.substr(0, 2) == "0x" || text.substr(0, 2) == "0X") {
      text.remove_prefix(2);
    }
    if (text.size() < 2 * PEERID_SIZE_BYTES) {
      throw exception{ERR_INSUFFICIENT_BUFFER_SIZE, "a peer id is 32 hexadecimal digits"};
    }
    bool const is_hex = text.find_first_not_of("0123456789abcdefABCDEF") == text.npos;
    std::string const digits{text.substr(0, 2 * PEERID_SIZE_BYTES)};
    channeler_peer_id id;
    if (!is_hex || text.size() % 2 != 0
        || channeler_peer_id_parse(digits.c_str(), &id) != CHANNELER_OK)
    {
      throw exception{ERR_DECODE, "a peer id is 32 hexadecimal digits"};
    }
    std::memcpy(buffer, id.bytes, PEERID_SIZE_BYTES);
  }
};

inline peerid peerid_wrapper::copy() const
{
  return {raw, raw ? PEERID_SIZE_BYTES : 0};
}

inline bool operator==(peerid_wrapper const & first, peerid_wrapper const & second)
{
  return first.is_equal_to(second);
}

inline bool operator!=(peerid_wrapper const & first, peerid_wrapper const & second)
{
  return !first.is_equal_to(second);
}

inline bool operator<(peerid_wrapper const & first, peerid_wrapper const & second)
{
  return first.is_less_than(second);
}

inline bool operator>(peerid_wrapper const & first, peerid_wrapper const & second)
{
  return second.is_less_than(first);
}

inline bool operator<=(peerid_wrapper const & first, peerid_wrapper const & second)
{
  return !second.is_less_than(first);
}

inline bool operator>=(peerid_wrapper const & first, peerid_wrapper const & second)
{
  return !first.is_less_than(second);
}

inline std::ostream & operator<<(std::ostream & os, peerid_wrapper const & id)
{
  return os << id.display();
}

namespace detail {

inline channeler_peer_id to_c(peerid_wrapper const & id)
{
  channeler_peer_id out = {};
  if (id.raw) {
    std::memcpy(out.bytes, id.raw, PEERID_SIZE_BYTES);
  }
  return out;
}

}  // namespace detail

}  // namespace channeler

namespace std {

template <>
struct hash<channeler::peerid_wrapper>
{
  size_t operator()(channeler::peerid_wrapper const & id) const
  {
    return id.hash();
  }
};

template <>
struct hash<channeler::peerid>
{
  size_t operator()(channeler::peerid const & id) const
  {
    return id.hash();
  }
};

}  // namespace std

#endif
