// Packets: a header, messages, padding, a checksum, in a buffer of the program's.
#ifndef CHANNELER_PACKET_H
#define CHANNELER_PACKET_H

// Programs choose their warnings; the library's own tests define this to see them here too.
#if defined(__GNUC__) && !defined(CHANNELER_STRICT)
#pragma GCC system_header
#endif

#include <algorithm>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "../channeler.h"
#include "byte.h"
#include "channelid.h"
#include "error.h"
#include "message.h"
#include "peerid.h"
#include "protoid.h"
#include "visibility.h"

namespace channeler {

using packet_size_t = std::uint16_t;
using payload_size_t = std::uint16_t;
using sequence_no_t = std::uint16_t;

using flag_bits_t = std::uint16_t;
using flags_t = std::bitset<16>;

enum flag_index : std::size_t
{
  FLAG_ENCRYPTED = 0,
  FLAG_SPIN_BIT = 1
};

// Where the fields are, from the start of a packet.
struct CHANNELER_API public_header_layout
{
  static constexpr std::size_t PUB_OFFS_PROTO = 0;
  static constexpr std::size_t PUB_OFFS_SENDER = PUB_OFFS_PROTO + sizeof(protoid);
  static constexpr std::size_t PUB_OFFS_RECIPIENT = PUB_OFFS_SENDER + PEERID_SIZE_BYTES;
  static constexpr std::size_t PUB_OFFS_CHANNELID = PUB_OFFS_RECIPIENT + PEERID_SIZE_BYTES;
  static constexpr std::size_t PUB_OFFS_FLAGS
      = PUB_OFFS_CHANNELID + sizeof(channelid::full_type);
  static constexpr std::size_t PUB_OFFS_PACKET_SIZE = PUB_OFFS_FLAGS + sizeof(flag_bits_t);
  static constexpr std::size_t PUB_SIZE = PUB_OFFS_PACKET_SIZE + sizeof(packet_size_t);
};

// Where the fields are, from the start of a packet.
struct CHANNELER_API private_header_layout
{
  static constexpr std::size_t PRIV_OFFS_SEQUENCE_NO = public_header_layout::PUB_SIZE;
  static constexpr std::size_t PRIV_OFFS_PAYLOAD_SIZE
      = PRIV_OFFS_SEQUENCE_NO + sizeof(sequence_no_t);
  static constexpr std::size_t PRIV_SIZE = sizeof(sequence_no_t) + sizeof(payload_size_t);
};

// Where the field is, from the end of a packet.
struct CHANNELER_API footer_layout
{
  static constexpr std::ptrdiff_t FOOT_OFFS_CHECKSUM = -4;
  static constexpr std::size_t FOOT_SIZE = 4;
};

// The header that is never encrypted. Sender and recipient are views into the packet.
struct CHANNELER_API public_header_fields : public public_header_layout
{
  protoid proto = 0;
  peerid_wrapper sender;
  peerid_wrapper recipient;
  channelid channel = DEFAULT_CHANNELID;
  flags_t flags = {};
  packet_size_t packet_size = 0;

  // Reads PUB_SIZE bytes, unless the buffer is null.
  explicit public_header_fields(byte const * buf)
    : sender{buf ? buf + PUB_OFFS_SENDER : nullptr}
    , recipient{buf ? buf + PUB_OFFS_RECIPIENT : nullptr}
  {
    channeler_wire_header header = {};
    if (buf
        && channeler_wire_header_parse(
               reinterpret_cast<std::uint8_t const *>(buf), PUB_SIZE, &header)
            == CHANNELER_OK)
    {
      proto = header.protocol;
      channel = detail::from_c(header.id);
      flags = header.flags;
      packet_size = header.packet_size;
    }
  }

  public_header_fields(public_header_fields const &) = default;

  // The views move to the other packet; assigning them alone would write to this one's.
  public_header_fields & operator=(public_header_fields const & other)
  {
    proto = other.proto;
    sender.raw = other.sender.raw;
    recipient.raw = other.recipient.raw;
    channel = other.channel;
    flags = other.flags;
    packet_size = other.packet_size;
    return *this;
  }
};

// The header that may be encrypted.
struct CHANNELER_API private_header_fields : public private_header_layout
{
  sequence_no_t sequence_no = 0;
  payload_size_t payload_size = 0;

  private_header_fields() = default;

  // Reads up to the end of the header of the packet at `buf`, unless that is null.
  explicit private_header_fields(byte const * buf)
  {
    channeler_wire_header header = {};
    if (buf
        && channeler_wire_header_parse(reinterpret_cast<std::uint8_t const *>(buf),
               public_header_layout::PUB_SIZE + PRIV_SIZE, &header)
            == CHANNELER_OK)
    {
      sequence_no = header.sequence;
      payload_size = header.payload_size;
    }
  }
};

// What follows the padding.
struct CHANNELER_API footer_fields : public footer_layout
{
  std::uint32_t checksum = 0;

  footer_fields() = default;

  // Reads the last bytes of the packet of `size` bytes at `buf`, unless it has none.
  footer_fields(byte const * buf, std::size_t size)
  {
    if (buf) {
      channeler_wire_checksum_parse(
          reinterpret_cast<std::uint8_t const *>(buf), size, &checksum);
    }
  }
};

// A packet in a buffer that it does not own, with its fields taken out. Changes of fields reach the
// buffer with `buffer()` and whatever looks at the bytes (the peer ids at once).
class CHANNELER_API packet_wrapper
{
public:
  // Throws when it validates and fails.
  packet_wrapper(byte * buf, std::size_t bufsize, bool validate_now = true)
    : m_buffer{buf}
    , m_size{buf ? bufsize : 0}
    , m_public{m_size >= public_header_size() ? m_buffer : nullptr}
    , m_private{has_header() ? m_buffer : nullptr}
    , m_footer{has_footer() ? m_buffer : nullptr, m_public.packet_size}
  {
    if (validate_now) {
      auto const result = validate();
      if (result.first != ERR_SUCCESS) {
        throw exception{result.first, result.second};
      }
    }
  }

  // Whether the sizes fit the buffer; protocol id and checksum are for `has_valid_proto` and
  // `has_valid_checksum`. Throws when there is no room for a header.
  std::pair<error_t, std::string> validate() const
  {
    if (m_size < public_envelope_size()) {
      throw exception{ERR_INSUFFICIENT_BUFFER_SIZE,
          "Buffer passed to packet_wrapper is too small to accomodate envelope!"};
    }
    if (packet_size() > m_size) {
      return {ERR_DECODE, "Packet size exceeds buffer size."};
    }
    if (packet_size() < footer_size()) {
      return {ERR_DECODE, "Packet size does not accomodate the footer."};
    }
    // Below the envelope's size a packet has no room for a payload. What is claimed there is good
    // as long as some of it can be looked at: the reference takes it so, reading past the packet.
    bool const is_small = packet_size() < envelope_size();
    std::size_t const limit = is_small ? m_size - header_size() : max_payload_size();
    if (payload_size() > limit && !(is_small && limit > 0)) {
      return {ERR_DECODE, "Payload size exceeds available buffer size."};
    }
    return {ERR_SUCCESS, {}};
  }

  protoid const & proto() const
  {
    return m_public.proto;
  }

  protoid & proto()
  {
    return m_public.proto;
  }

  peerid_wrapper const & sender() const
  {
    return m_public.sender;
  }

  peerid_wrapper & sender()
  {
    return m_public.sender;
  }

  peerid_wrapper const & recipient() const
  {
    return m_public.recipient;
  }

  peerid_wrapper & recipient()
  {
    return m_public.recipient;
  }

  channelid const & channel() const
  {
    return m_public.channel;
  }

  channelid & channel()
  {
    return m_public.channel;
  }

  flags_t const & flags() const
  {
    return m_public.flags;
  }

  flags_t & flags()
  {
    return m_public.flags;
  }

  bool flag(flag_index index) const
  {
    return m_public.flags[index];
  }

  flags_t::reference flag(flag_index index)
  {
    return m_public.flags[index];
  }

  packet_size_t const & packet_size() const
  {
    return m_public.packet_size;
  }

  packet_size_t & packet_size()
  {
    return m_public.packet_size;
  }

  sequence_no_t const & sequence_no() const
  {
    return m_private.sequence_no;
  }

  sequence_no_t & sequence_no()
  {
    return m_private.sequence_no;
  }

  payload_size_t const & payload_size() const
  {
    return m_private.payload_size;
  }

  payload_size_t & payload_size()
  {
    return m_private.payload_size;
  }

  std::uint32_t const & checksum() const
  {
    return m_footer.checksum;
  }

  std::uint32_t & checksum()
  {
    return m_footer.checksum;
  }

  // The messages in the payload, as far as that is in the buffer.
  messages get_messages() const
  {
    if (!payload()) {
      return {nullptr, 0};
    }
    std::size_t const there = m_size - header_size();
    return {payload(), std::min<std::size_t>(payload_size(), there)};
  }

  static constexpr std::size_t public_header_size()
  {
    return public_header_layout::PUB_SIZE;
  }

  static constexpr std::size_t private_header_size()
  {
    return private_header_layout::PRIV_SIZE;
  }

  static constexpr std::size_t footer_size()
  {
    return footer_layout::FOOT_SIZE;
  }

  // What is never encrypted.
  static constexpr std::size_t public_envelope_size()
  {
    return public_header_size() + footer_size();
  }

  // All that is not payload or padding.
  static constexpr std::size_t envelope_size()
  {
    return public_envelope_size() + private_header_size();
  }

  std::size_t buffer_size() const
  {
    return m_size;
  }

  // What is left of the packet size for messages.
  std::size_t max_payload_size() const
  {
    return packet_size() > envelope_size() ? packet_size() - envelope_size() : 0;
  }

  // Where the messages begin; null when the buffer has no room for any header.
  byte const * payload() const
  {
    return has_header() ? m_buffer + header_size() : nullptr;
  }

  byte * payload()
  {
    return has_header() ? m_buffer + header_size() : nullptr;
  }

  // The bytes, after writing the fields to them.
  byte const * buffer() const
  {
    write_fields();
    return m_buffer;
  }

  byte * buffer()
  {
    write_fields();
    return m_buffer;
  }

  // A copy of the whole buffer, after writing the fields to it.
  std::unique_ptr<byte[]> copy() const
  {
    std::unique_ptr<byte[]> copied{new byte[m_size]};
    if (m_size) {
      std::memcpy(copied.get(), buffer(), m_size);
    }
    return copied;
  }

  // The checksum that the packet should have; 0 when its size makes that impossible.
  std::uint32_t calculate_checksum() const
  {
    std::uint32_t calculated = 0;
    if (has_footer()) {
      write_header();
      channeler_wire_checksum(bytes(), packet_size(), &calculated);
    }
    return calculated;
  }

  // Makes the checksum what it should be, in the fields and in the buffer.
  error_t update_checksum()
  {
    if (!has_footer()) {
      return ERR_INSUFFICIENT_BUFFER_SIZE;
    }
    m_footer.checksum = calculate_checksum();
    write_fields();
    return ERR_SUCCESS;
  }

  bool has_valid_checksum() const
  {
    return has_footer() && calculate_checksum() == checksum();
  }

  bool has_valid_proto() const
  {
    return proto() == PROTOID;
  }

  std::size_t hash() const
  {
    return std::hash<std::string_view>{}(content());
  }

  bool is_equal_to(packet_wrapper const & other) const
  {
    return content() == other.content();
  }

  bool is_less_than(packet_wrapper const & other) const
  {
    return content() < other.content();
  }

private:
  static constexpr std::size_t header_size()
  {
    return public_header_size() + private_header_size();
  }

  bool has_header() const
  {
    return m_size >= header_size();
  }

  bool has_footer() const
  {
    return has_header() && packet_size() >= footer_size() && packet_size() <= m_size;
  }

  std::uint8_t * bytes() const
  {
    return reinterpret_cast<std::uint8_t *>(m_buffer);
  }

  void write_header() const
  {
    if (!has_header()) {
      return;
    }
    channeler_wire_header header = {};
    header.protocol = proto();
    header.sender = detail::to_c(sender());
    header.recipient = detail::to_c(recipient());
    header.id = detail::to_c(channel());
    header.flags = static_cast<flag_bits_t>(flags().to_ulong());
    header.packet_size = packet_size();
    header.sequence = sequence_no();
    header.payload_size = payload_size();
    channeler_wire_header_write(&header, bytes(), m_size);
  }

  void write_fields() const
  {
    write_header();
    if (has_footer()) {
      channeler_wire_checksum_write(checksum(), bytes(), packet_size());
    }
  }

  // The packet's bytes: what it is compared and hashed by.
  std::string_view content() const
  {
    write_fields();
    std::size_t const size = has_footer() ? packet_size() : m_size;
    return {reinterpret_cast<char const *>(m_buffer), size};
  }

  byte * m_buffer;
  std::size_t m_size;
  public_header_fields m_public;
  private_header_fields m_private;
  footer_fields m_footer;
};

inline bool operator==(packet_wrapper const & first, packet_wrapper const & second)
{
  return first.is_equal_to(second);
}

inline bool operator!=(packet_wrapper const & first, packet_wrapper const & second)
{
  return !first.is_equal_to(second);
}

inline bool operator<(packet_wrapper const & first, packet_wrapper const & second)
{
  return first.is_less_than(second);
}

inline bool operator>(packet_wrapper const & first, packet_wrapper const & second)
{
  return second.is_less_than(first);
}

inline bool operator<=(packet_wrapper const & first, packet_wrapper const & second)
{
  return !second.is_less_than(first);
}

inline bool operator>=(packet_wrapper const & first, packet_wrapper const & second)
{
  return !first.is_less_than(second);
}

}  // namespace channeler

namespace std {

template <>
struct hash<channeler::packet_wrapper>
{
  size_t operator()(channeler::packet_wrapper const & packet) const
  {
    return packet.hash();
  }
};

}  // namespace std

#endif
