// Messages: what packets are made of.
#ifndef CHANNELER_MESSAGE_H
#define CHANNELER_MESSAGE_H

// Programs choose their warnings; the library's own tests define this to see them here too.
#if defined(__GNUC__) && !defined(CHANNELER_STRICT)
#pragma GCC system_header
#endif

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "../channeler.h"
#include "byte.h"
#include "capabilities.h"
#include "channelid.h"
#include "cookie.h"
#include "error.h"
#include "visibility.h"

namespace channeler {

using message_type_base = std::uint16_t;

enum message_type : message_type_base
{
  MSG_UNKNOWN = 0,
  MSG_CHANNEL_NEW = CHANNELER_WIRE_NEW,
  MSG_CHANNEL_ACKNOWLEDGE = CHANNELER_WIRE_ACKNOWLEDGE,
  MSG_CHANNEL_FINALIZE = CHANNELER_WIRE_FINALIZE,
  MSG_CHANNEL_COOKIE = CHANNELER_WIRE_COOKIE,
  MSG_DATA = CHANNELER_WIRE_DATA
};

inline std::ostream & operator<<(std::ostream & os, message_type type)
{
  switch (type) {
    case MSG_CHANNEL_NEW:
      return os << "MSG_CHANNEL_NEW";
    case MSG_CHANNEL_ACKNOWLEDGE:
      return os << "MSG_CHANNEL_ACKNOWLEDGE";
    case MSG_CHANNEL_FINALIZE:
      return os << "MSG_CHANNEL_FINALIZE";
    case MSG_CHANNEL_COOKIE:
      return os << "MSG_CHANNEL_COOKIE";
    case MSG_DATA:
      return os << "MSG_DATA";
    case MSG_UNKNOWN:
      break;
  }
  return os << "MSG_UNKNOWN";
}

// Bytes of a message after its type: -1 when it says so itself, -2 when there is no such type.
inline ssize_t message_payload_size(message_type_base type)
{
  return static_cast<ssize_t>(channeler_wire_payload_size(type));
}

namespace detail {

inline channeler_wire_message empty_message(message_type type)
{
  channeler_wire_message made = {};
  made.kind = type;
  return made;
}

inline std::size_t message_size(channeler_wire_message const & message)
{
  std::size_t size = 0;
  return channeler_wire_message_size(&message, &size) == CHANNELER_OK ? size : 0;
}

inline std::size_t write_message(
    byte * output, std::size_t max, channeler_wire_message const & message)
{
  std::size_t size = 0;
  auto const status = channeler_wire_message_write(
      &message, reinterpret_cast<std::uint8_t *>(output), max, &size);
  return status == CHANNELER_OK ? size : 0;
}

// Parses the message at the front of a buffer.
inline std::pair<error_t, std::string> parse_message(
    byte const * buffer, std::size_t size, channeler_wire_message & out)
{
  if (!buffer || !size) {
    return {ERR_DECODE, "There are no bytes to parse."};
  }
  auto const status = channeler_wire_message_parse(
      reinterpret_cast<std::uint8_t const *>(buffer), size, &out);
  if (status == CHANNELER_OK) {
    return {ERR_SUCCESS, {}};
  }
  return {static_cast<error_t>(status), channeler_last_error()};
}

}  // namespace detail

// A message in a buffer that it does not own. The fields are for reading.
struct CHANNELER_API message
{
  // What it is; MSG_UNKNOWN before it was parsed.
  message_type type = MSG_UNKNOWN;
  // The buffer that it is at the front of, and the size of that.
  byte const * buffer = nullptr;
  std::size_t input_size = 0;
  // Bytes of the whole message.
  std::size_t buffer_size = 0;
  // What follows type and length.
  byte const * payload = nullptr;
  std::size_t payload_size = 0;

  // Throws when it parses and fails.
  message(byte const * buf, std::size_t max, bool parse_now = true)
    : buffer{buf}
    , input_size{max}
  {
    if (parse_now) {
      auto const result = parse();
      if (result.first != ERR_SUCCESS) {
        throw exception{result.first, result.second};
      }
    }
  }

  message(message const &) = default;
  message & operator=(message const &) = delete;
  virtual ~message() = default;

  std::pair<error_t, std::string> parse()
  {
    channeler_wire_message parsed = {};
    auto result = detail::parse_message(buffer, input_size, parsed);
    if (result.first == ERR_SUCCESS) {
      type = static_cast<message_type>(parsed.kind);
      buffer_size = parsed.size;
      payload = buffer + (parsed.payload - reinterpret_cast<std::uint8_t const *>(buffer));
      payload_size = parsed.payload_size;
    }
    return result;
  }

  // Bytes that the message takes in a packet.
  std::size_t serialized_size() const
  {
    return buffer_size;
  }

protected:
  // For those that are made to be serialized.
  explicit message(channeler_wire_message const & made)
    : type{static_cast<message_type>(made.kind)}
    , buffer_size{detail::message_size(made)}
    , payload{reinterpret_cast<byte const *>(made.payload)}
    , payload_size{made.payload ? made.payload_size : fixed_payload_size(made.kind)}
  {
  }

  // The fields of a parsed message; not of that type when it is another, or was not parsed.
  static channeler_wire_message fields_of(message const & parsed, message_type wanted)
  {
    channeler_wire_message fields = {};
    bool const is_good = parsed.type == wanted
        && detail::parse_message(parsed.buffer, parsed.input_size, fields).first == ERR_SUCCESS
        && fields.kind == wanted;
    return is_good ? fields : detail::empty_message(MSG_UNKNOWN);
  }

private:
  static std::size_t fixed_payload_size(std::uint32_t kind)
  {
    auto const size = channeler_wire_payload_size(kind);
    return size > 0 ? static_cast<std::size_t>(size) : 0;
  }
};

// The initiator asks for a channel.
struct CHANNELER_API message_channel_new : public message
{
  channelid::half_type initiator_part;
  cookie cookie1;

  message_channel_new(channelid::half_type initiator_half, cookie initiator_cookie)
    : message{to_c(initiator_half, initiator_cookie)}
    , initiator_part{initiator_half}
    , cookie1{initiator_cookie}
  {
  }

  static std::unique_ptr<message> extract_features(message const & parsed)
  {
    auto const fields = fields_of(parsed, MSG_CHANNEL_NEW);
    if (fields.kind == MSG_UNKNOWN) {
      return {};
    }
    return std::unique_ptr<message>{new message_channel_new{parsed, fields}};
  }

  static std::size_t serialize(byte * output, std::size_t max, message_channel_new const & msg)
  {
    return detail::write_message(output, max, to_c(msg.initiator_part, msg.cookie1));
  }

private:
  message_channel_new(message const & parsed, channeler_wire_message const & fields)
    : message{parsed}
    , initiator_part{fields.id.initiator_half}
    , cookie1{fields.cookie1}
  {
  }

  static channeler_wire_message to_c(channelid::half_type half, cookie value)
  {
    auto made = detail::empty_message(MSG_CHANNEL_NEW);
    made.id.initiator_half = half;
    made.cookie1 = static_cast<cookie_serialize>(value);
    return made;
  }
};

// The responder offers it.
struct CHANNELER_API message_channel_acknowledge : public message
{
  channelid id;
  cookie cookie1;
  cookie cookie2;

  message_channel_acknowledge(
      channelid const & channel, cookie initiator_cookie, cookie responder_cookie)
    : message{to_c(channel, initiator_cookie, responder_cookie)}
    , id{channel}
    , cookie1{initiator_cookie}
    , cookie2{responder_cookie}
  {
  }

  static std::unique_ptr<message> extract_features(message const & parsed)
  {
    auto const fields = fields_of(parsed, MSG_CHANNEL_ACKNOWLEDGE);
    if (fields.kind == MSG_UNKNOWN) {
      return {};
    }
    return std::unique_ptr<message>{new message_channel_acknowledge{parsed, fields}};
  }

  static std::size_t serialize(
      byte * output, std::size_t max, message_channel_acknowledge const & msg)
  {
    return detail::write_message(output, max, to_c(msg.id, msg.cookie1, msg.cookie2));
  }

private:
  message_channel_acknowledge(message const & parsed, channeler_wire_message const & fields)
    : message{parsed}
    , id{detail::from_c(fields.id)}
    , cookie1{fields.cookie1}
    , cookie2{fields.cookie2}
  {
  }

  static channeler_wire_message to_c(channelid const & channel, cookie first, cookie second)
  {
    auto made = detail::empty_message(MSG_CHANNEL_ACKNOWLEDGE);
    made.id = detail::to_c(channel);
    made.cookie1 = static_cast<cookie_serialize>(first);
    made.cookie2 = static_cast<cookie_serialize>(second);
    return made;
  }
};

// The initiator takes it.
struct CHANNELER_API message_channel_finalize : public message
{
  channelid id;
  cookie cookie2;
  capabilities_t capabilities;

  message_channel_finalize(
      channelid const & channel, cookie responder_cookie, capabilities_t const & promises)
    : message{to_c(channel, responder_cookie, promises)}
    , id{channel}
    , cookie2{responder_cookie}
    , capabilities{promises}
  {
  }

  static std::unique_ptr<message> extract_features(message const & parsed)
  {
    auto const fields = fields_of(parsed, MSG_CHANNEL_FINALIZE);
    if (fields.kind == MSG_UNKNOWN) {
      return {};
    }
    return std::unique_ptr<message>{new message_channel_finalize{parsed, fields}};
  }

  static std::size_t serialize(
      byte * output, std::size_t max, message_channel_finalize const & msg)
  {
    return detail::write_message(output, max, to_c(msg.id, msg.cookie2, msg.capabilities));
  }

private:
  message_channel_finalize(message const & parsed, channeler_wire_message const & fields)
    : message{parsed}
    , id{detail::from_c(fields.id)}
    , cookie2{fields.cookie2}
    , capabilities{fields.capabilities}
  {
  }

  static channeler_wire_message to_c(
      channelid const & channel, cookie value, capabilities_t const & promises)
  {
    auto made = detail::empty_message(MSG_CHANNEL_FINALIZE);
    made.id = detail::to_c(channel);
    made.cookie2 = static_cast<cookie_serialize>(value);
    made.capabilities = static_cast<std::uint32_t>(promises.to_ulong());
    return made;
  }
};

// Either side's cookie, for a packet with early data.
struct CHANNELER_API message_channel_cookie : public message
{
  cookie either_cookie;
  capabilities_t capabilities;

  message_channel_cookie(cookie value, capabilities_t const & promises)
    : message{to_c(value, promises)}
    , either_cookie{value}
    , capabilities{promises}
  {
  }

  static std::unique_ptr<message> extract_features(message const & parsed)
  {
    auto const fields = fields_of(parsed, MSG_CHANNEL_COOKIE);
    if (fields.kind == MSG_UNKNOWN) {
      return {};
    }
    return std::unique_ptr<message>{new message_channel_cookie{parsed, fields}};
  }

  static std::size_t serialize(
      byte * output, std::size_t max, message_channel_cookie const & msg)
  {
    return detail::write_message(output, max, to_c(msg.either_cookie, msg.capabilities));
  }

private:
  message_channel_cookie(message const & parsed, channeler_wire_message const & fields)
    : message{parsed}
    , either_cookie{fields.cookie1}
    , capabilities{fields.capabilities}
  {
  }

  static channeler_wire_message to_c(cookie value, capabilities_t const & promises)
  {
    auto made = detail::empty_message(MSG_CHANNEL_COOKIE);
    made.cookie1 = static_cast<cookie_serialize>(value);
    made.capabilities = static_cast<std::uint32_t>(promises.to_ulong());
    return made;
  }
};

// What the application sends. Parsed, its payload is in the parsed buffer; created, it has a copy.
struct CHANNELER_API message_data : public message
{
  // Null when there is nothing to send.
  static std::unique_ptr<message> create(byte const * data, std::size_t size)
  {
    if (!data || !size) {
      return {};
    }
    return std::unique_ptr<message>{new message_data{std::vector<byte>(data, data + size)}};
  }

  static std::unique_ptr<message> create(std::vector<byte> & data)
  {
    return create(data.data(), data.size());
  }

  static std::unique_ptr<message> extract_features(message const & parsed)
  {
    if (fields_of(parsed, MSG_DATA).kind == MSG_UNKNOWN) {
      return {};
    }
    return std::unique_ptr<message>{new message_data{parsed}};
  }

  static std::size_t serialize(byte * output, std::size_t max, message_data const & msg)
  {
    return detail::write_message(output, max, to_c(msg.payload, msg.payload_size));
  }

private:
  explicit message_data(std::vector<byte> && data)
    : message{to_c(data.data(), data.size())}
    , m_owned{std::move(data)}
  {
  }

  explicit message_data(message const & parsed)
    : message{parsed}
  {
  }

  message_data(message_data const &) = delete;

  static channeler_wire_message to_c(byte const * data, std::size_t size)
  {
    auto made = detail::empty_message(MSG_DATA);
    made.payload = reinterpret_cast<std::uint8_t const *>(data);
    made.payload_size = size;
    return made;
  }

  // Moving a vector keeps its bytes where they are, and `payload` points to them.
  std::vector<byte> m_owned;
};

// The same message as an object of its own type; null when it was not parsed, or has none.
inline std::unique_ptr<message> extract_message_features(message const & parsed)
{
  switch (parsed.type) {
    case MSG_CHANNEL_NEW:
      return message_channel_new::extract_features(parsed);
    case MSG_CHANNEL_ACKNOWLEDGE:
      return message_channel_acknowledge::extract_features(parsed);
    case MSG_CHANNEL_FINALIZE:
      return message_channel_finalize::extract_features(parsed);
    case MSG_CHANNEL_COOKIE:
      return message_channel_cookie::extract_features(parsed);
    case MSG_DATA:
      return message_data::extract_features(parsed);
    case MSG_UNKNOWN:
      break;
  }
  return {};
}

// The message at the front of a buffer, as an object of its own type; null when there is none.
inline std::unique_ptr<message> parse_message(byte const * buffer, std::size_t size)
{
  message parsed{buffer, size, false};
  if (parsed.parse().first != ERR_SUCCESS) {
    return {};
  }
  return extract_message_features(parsed);
}

// Writes a message; 0 when there is none, or no room for it.
inline std::size_t serialize_message(
    byte * output, std::size_t max, std::unique_ptr<message> const & msg)
{
  if (!output || !msg) {
    return 0;
  }
  switch (msg->type) {
    case MSG_CHANNEL_NEW:
      return message_channel_new::serialize(
          output, max, *static_cast<message_channel_new const *>(msg.get()));
    case MSG_CHANNEL_ACKNOWLEDGE:
      return message_channel_acknowledge::serialize(
          output, max, *static_cast<message_channel_acknowledge const *>(msg.get()));
    case MSG_CHANNEL_FINALIZE:
      return message_channel_finalize::serialize(
          output, max, *static_cast<message_channel_finalize const *>(msg.get()));
    case MSG_CHANNEL_COOKIE:
      return message_channel_cookie::serialize(
          output, max, *static_cast<message_channel_cookie const *>(msg.get()));
    case MSG_DATA:
      return message_data::serialize(
          output, max, *static_cast<message_data const *>(msg.get()));
    case MSG_UNKNOWN:
      break;
  }
  return 0;
}

// The messages of a payload, one after the other, up to the first thing that does not parse.
struct CHANNELER_API messages
{
  using value_type = std::unique_ptr<message>;

  struct CHANNELER_API iterator
  {
    using iterator_category = std::input_iterator_tag;
    using value_type = std::unique_ptr<message>;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = value_type;

    iterator() = default;

    value_type operator*() const
    {
      return m_current ? parse_message(m_rest, m_size) : value_type{};
    }

    iterator & operator++()
    {
      m_rest += m_current;
      m_size -= m_current;
      probe();
      return *this;
    }

    iterator operator++(int)
    {
      auto before = *this;
      ++*this;
      return before;
    }

    // Two ends are equal wherever they are.
    bool operator==(iterator const & other) const
    {
      if (!m_current || !other.m_current) {
        return m_current == other.m_current;
      }
      return m_rest == other.m_rest && m_size == other.m_size;
    }

    bool operator!=(iterator const & other) const
    {
      return !(*this == other);
    }

    // Bytes from here to the end of the payload.
    std::size_t remaining() const
    {
      return m_size;
    }

  private:
    friend struct messages;

    iterator(byte const * rest, std::size_t size)
      : m_rest{rest}
      , m_size{size}
    {
      probe();
    }

    void probe()
    {
      channeler_wire_message parsed = {};
      bool const is_there = m_size
          && detail::parse_message(m_rest, m_size, parsed).first == ERR_SUCCESS;
      m_current = is_there ? parsed.size : 0;
    }

    byte const * m_rest = nullptr;
    std::size_t m_size = 0;
    // Bytes of the message here; 0 at the end.
    std::size_t m_current = 0;
  };

  using const_iterator = iterator;

  messages(byte const * buf, std::size_t size)
    : m_buffer{buf}
    , m_size{buf ? size : 0}
  {
  }

  iterator begin() const
  {
    return {m_buffer, m_size};
  }

  iterator end() const
  {
    return {};
  }

  // Bytes behind the last message.
  std::size_t remaining() const
  {
    auto at = begin();
    while (at != end()) {
      ++at;
    }
    return at.remaining();
  }

private:
  byte const * m_buffer;
  std::size_t m_size;
};

}  // namespace channeler

#endif
