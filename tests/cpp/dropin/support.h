// What the C++ tests share: hex, the vectors, and two peers with a loop between them.
#ifndef TESTS_CPP_SUPPORT_H
#define TESTS_CPP_SUPPORT_H

#include <channeler/internal/api.h>

#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace help {

using json = nlohmann::json;
using bytes = std::vector<channeler::byte>;

inline bytes from_hex(std::string const & hex)
{
  bytes out;
  for (std::size_t at = 0; at + 1 < hex.size(); at += 2) {
    out.push_back(static_cast<channeler::byte>(std::stoul(hex.substr(at, 2), nullptr, 16)));
  }
  return out;
}

inline std::string to_hex(channeler::byte const * data, std::size_t size)
{
  static char const digits[] = "0123456789abcdef";
  std::string out;
  for (std::size_t at = 0; at < size; ++at) {
    auto const value = static_cast<unsigned>(data[at]);
    out += digits[value >> 4];
    out += digits[value & 15];
  }
  return out;
}

inline std::string to_hex(bytes const & data)
{
  return to_hex(data.data(), data.size());
}

inline bytes from_text(std::string const & text)
{
  auto const * const data = reinterpret_cast<channeler::byte const *>(text.data());
  return {data, data + text.size()};
}

// "0x1234" and 4660 alike.
inline std::uint32_t number(json const & value)
{
  return value.is_string() ? static_cast<std::uint32_t>(std::stoull(value.get<std::string>(),
                                 nullptr, 0))
                           : value.get<std::uint32_t>();
}

inline std::uint16_t half(json const & value)
{
  return static_cast<std::uint16_t>(number(value));
}

// "0x1234:0x5678": the initiator's half, then the responder's.
inline channeler::channelid id_of(std::string const & text)
{
  auto const colon = text.find(':');
  return {half(text.substr(0, colon)), half(text.substr(colon + 1))};
}

inline json load(std::string const & path)
{
  std::ifstream file{path};
  EXPECT_TRUE(file.good()) << path;
  return json::parse(file);
}

// The project's own vectors.
inline json own_vectors(std::string const & name)
{
  return load(std::string{TESTS_VECTORS} + "/" + name);
}

// The reference's vectors; null when CHANNELER_VECTORS does not say where they are.
inline json reference_vectors(std::string const & name)
{
  char const * const folder = std::getenv("CHANNELER_VECTORS");
  return folder ? load(std::string{folder} + "/" + name) : json{};
}

#define SKIP_WITHOUT(vectors)                                     \
  if ((vectors).is_null()) {                                      \
    GTEST_SKIP() << "CHANNELER_VECTORS is not set";               \
  }

// A buffer of exactly these bytes on the heap, where AddressSanitizer sees its end.
struct exact
{
  explicit exact(bytes const & from)
    : size{from.size()}
    , data{new channeler::byte[from.size()]}
  {
    std::copy(from.begin(), from.end(), data.get());
  }

  std::size_t size;
  std::unique_ptr<channeler::byte[]> data;
};

using address = std::string;
using node = channeler::context::node<3>;
using connection = channeler::context::connection<address, node>;
using api = channeler::internal::connection_api<connection>;

inline channeler::support::duration no_sleep(channeler::support::duration amount)
{
  return amount;
}

// A peer that notes what its callbacks are told, and may deliver its packets to another at once.
struct peer
{
  struct told
  {
    std::string what;
    channeler::channelid id;
    std::size_t size;
  };

  peer(channeler::peerid const & self, channeler::peerid const & other, bytes const & secret,
      std::size_t packet_size = 200)
    : context{self, packet_size, [secret] { return secret; }, no_sleep}
    , link{context, other}
    , calls{link,
          [this](channeler::error_t error, channeler::channelid const & id) {
            EXPECT_EQ(channeler::ERR_SUCCESS, error);
            happened.push_back({"established", id, 0});
            established = id;
          },
          [this](channeler::channelid const & id) {
            happened.push_back({"packet", id, 0});
            if (deliver_to) {
              carry(id);
            }
          },
          [this](channeler::channelid const & id, std::size_t size) {
            happened.push_back({"data", id, size});
            if (on_data) {
              on_data(id, size);
            }
          }}
  {
  }

  // Hands the oldest packet for a channel over.
  void carry(channeler::channelid const & id)
  {
    auto const entry = calls.packet_to_send(id);
    ASSERT_NE(nullptr, entry.packet.buffer());
    packets.push_back({entry.packet.buffer(), entry.packet.buffer() + entry.packet.buffer_size()});
    auto room = deliver_to->calls.allocate();
    ASSERT_EQ(room.size(), entry.packet.buffer_size());
    std::memcpy(room.data(), entry.packet.buffer(), room.size());
    EXPECT_EQ(channeler::ERR_SUCCESS, deliver_to->calls.received_packet("from", "to", room));
  }

  // Hands bytes over that somebody sent.
  channeler::error_t receive(bytes const & data)
  {
    auto room = calls.allocate();
    std::memset(room.data(), 0, room.size());
    std::copy_n(data.begin(), std::min(data.size(), room.size()), room.data());
    return calls.received_packet("from", "to", room);
  }

  std::string read(channeler::channelid const & id, std::size_t max = 100)
  {
    std::string text(max, '\0');
    std::size_t length = 0;
    EXPECT_EQ(channeler::ERR_SUCCESS, calls.channel_read(id, text.data(), max, length));
    text.resize(length);
    return text;
  }

  node context;
  connection link;
  api calls;
  peer * deliver_to = nullptr;
  std::function<void(channeler::channelid const &, std::size_t)> on_data;
  std::deque<told> happened;
  std::vector<bytes> packets;
  channeler::channelid established;
};

inline channeler::peerid peer_of(char digit)
{
  std::string const text(32, digit);
  return {text.c_str(), text.size()};
}

// Two peers, each of which gets the other's packets from within its callback.
struct pair
{
  pair()
  {
    a.deliver_to = &b;
    b.deliver_to = &a;
  }

  peer a{peer_of('a'), peer_of('b'), from_text("secret of a")};
  peer b{peer_of('b'), peer_of('a'), from_text("secret of b")};
};

}  // namespace help

#endif
