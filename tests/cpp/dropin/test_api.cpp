// The connection API: handshakes and data between two instances, and what is refused.

#include <channeler/internal/api.h>

#include <array>
#include <mutex>

#include "support.h"

using namespace channeler;
using help::pair;
using help::peer;

static_assert(std::is_same_v<help::connection::address_type, std::string>);
static_assert(std::is_same_v<help::connection::node_type, help::node>);
static_assert(help::connection::POOL_BLOCK_SIZE == 3 && help::node::POOL_BLOCK_SIZE == 3);

namespace {

std::size_t write(peer & from, channelid const & id, std::string const & text)
{
  std::size_t written = 42;
  EXPECT_EQ(ERR_SUCCESS, from.calls.channel_write(id, text.data(), text.size(), written));
  return written;
}

std::vector<std::string> names(peer const & one)
{
  std::vector<std::string> out;
  for (auto const & told : one.happened) {
    out.push_back(told.what);
  }
  return out;
}

}  // namespace

TEST(Node, knows_what_it_was_made_of)
{
  peerid const self;
  auto const secret = help::from_text("secret");
  help::node node{self, 1500, [&secret] { return secret; }, help::no_sleep};
  ASSERT_EQ(self, node.id());
  ASSERT_EQ(1500u, node.packet_size());
  ASSERT_EQ(secret, node.secret_generator()());
  ASSERT_EQ(std::chrono::nanoseconds{7}, node.sleep()(std::chrono::nanoseconds{7}));
  help::node::pool_type & pool = node.packet_pool();
  ASSERT_EQ(1500u, pool.allocate().size());
  peerid const other;
  help::connection link{node, other};
  ASSERT_EQ(other, link.peer());
  ASSERT_EQ(&node, &link.node());
}

TEST(Api, two_in_a_loop_establish_and_talk)
{
  pair both;
  ASSERT_EQ(ERR_SUCCESS, both.a.calls.establish_channel(both.b.context.id()));
  auto const id = both.a.established;
  ASSERT_TRUE(id.is_complete());
  ASSERT_EQ(id, both.b.established);
  ASSERT_TRUE(both.a.link.channels().has_established_channel(id));
  ASSERT_TRUE(both.b.link.channels().has_established_channel(id));

  ASSERT_EQ(13u, write(both.a, id, "hello, world!"));
  ASSERT_EQ("data", both.b.happened.back().what);
  ASSERT_EQ(13u, both.b.happened.back().size);
  ASSERT_EQ(id, both.b.happened.back().id);
  ASSERT_EQ("hello, world!", both.b.read(id));
  ASSERT_EQ(14u, write(both.b, id, "hello yourself"));
  ASSERT_EQ("hello yourself", both.a.read(id));
}

TEST(Api, the_last_handshake_packet_is_offered_before_established_is_told)
{
  peer a{help::peer_of('a'), help::peer_of('b'), help::from_text("a")};
  pair both;
  both.a.calls.establish_channel(both.b.context.id());
  ASSERT_EQ((std::vector<std::string>{"packet", "packet", "established"}), names(both.a));
  ASSERT_EQ((std::vector<std::string>{"packet", "established"}), names(both.b));
  for (auto const & told : both.a.happened) {
    ASSERT_EQ(told.what == "packet" ? DEFAULT_CHANNELID : both.a.established, told.id);
  }
}

TEST(Api, callbacks_may_call_back_within_callbacks)
{
  pair both;
  std::vector<std::string> heard;
  both.b.on_data = [&](channelid const & id, std::size_t size) {
    auto const text = both.b.read(id, size);
    heard.push_back(text);
    if (text.size() < 20) {
      write(both.b, id, text + "b");
    }
  };
  both.a.on_data = [&](channelid const & id, std::size_t size) {
    write(both.a, id, both.a.read(id, size) + "a");
  };
  both.a.calls.establish_channel(both.b.context.id());
  write(both.a, both.a.established, "a");
  ASSERT_EQ(11u, heard.size());
  ASSERT_EQ("aba", heard[1]);
}

TEST(Api, both_sides_open_channels_on_one_connection)
{
  pair both;
  both.a.calls.establish_channel(both.b.context.id());
  auto const first = both.a.established;
  both.b.calls.establish_channel(both.a.context.id());
  auto const second = both.b.established;
  ASSERT_NE(first, second);
  ASSERT_EQ(second, both.a.established);
  write(both.a, second, "two");
  write(both.a, first, "one");
  ASSERT_EQ("one", both.b.read(first));
  ASSERT_EQ("two", both.b.read(second));
}

TEST(Api, a_packet_entry_shares_its_slot)
{
  peer a{help::peer_of('a'), help::peer_of('b'), help::from_text("a")};
  ASSERT_EQ(ERR_SUCCESS, a.calls.establish_channel(a.link.peer()));
  ASSERT_EQ(DEFAULT_CHANNELID, a.happened.at(0).id);
  auto entry = a.calls.packet_to_send(DEFAULT_CHANNELID);
  ASSERT_EQ(200u, entry.packet.buffer_size());
  ASSERT_EQ(entry.data.data(), entry.packet.buffer());
  ASSERT_EQ(200u, entry.data.size());
  ASSERT_TRUE(entry.packet.has_valid_checksum() && entry.packet.has_valid_proto());
  ASSERT_EQ(a.context.id(), entry.packet.sender());
  ASSERT_EQ(a.link.peer(), entry.packet.recipient());
  ASSERT_EQ(1u, a.context.packet_pool().size());
  auto const nothing = a.calls.packet_to_send(DEFAULT_CHANNELID);
  ASSERT_EQ(0u, nothing.packet.buffer_size());
  ASSERT_EQ(nullptr, nothing.data.data());
  auto const kept = entry;
  ASSERT_EQ(2u, kept.data.use_count());
}

TEST(Api, packets_are_fetched_by_channel_in_any_order)
{
  pair both;
  both.a.calls.establish_channel(both.b.context.id());
  auto const first = both.a.established;
  both.a.calls.establish_channel(both.b.context.id());
  auto const second = both.a.established;
  both.a.deliver_to = nullptr;
  write(both.a, first, "1");
  write(both.a, second, "22");
  write(both.a, first, "333");
  auto const next = [&](channelid const & id) {
    auto const entry = both.a.calls.packet_to_send(id);
    EXPECT_EQ(id, entry.packet.channel());
    return (*entry.packet.get_messages().begin())->payload_size;
  };
  ASSERT_EQ(2u, next(second));
  ASSERT_EQ(1u, next(first));
  ASSERT_EQ(3u, next(first));
  ASSERT_EQ(nullptr, both.a.calls.packet_to_send(first).packet.buffer());
}

TEST(Api, writes_that_cannot_be_are_refused)
{
  pair both;
  std::size_t written = 42;
  auto const refused = [&](channelid const & id, std::string const & text) {
    written = 42;
    auto const before = both.a.happened.size();
    auto const err = both.a.calls.channel_write(id, text.data(), text.size(), written);
    EXPECT_EQ(0u, written);
    EXPECT_EQ(before, both.a.happened.size());
    return err;
  };
  ASSERT_EQ(ERR_INVALID_CHANNELID, refused(DEFAULT_CHANNELID, "x"));
  ASSERT_EQ(ERR_INVALID_CHANNELID, refused({1, 0xf0f0}, "x"));
  ASSERT_EQ(ERR_STATE, refused({0xf0f0, 1}, "x"));
  ASSERT_EQ(ERR_STATE, refused({1, 2}, "x"));
  both.a.calls.establish_channel(both.b.context.id());
  auto const id = both.a.established;
  ASSERT_EQ(ERR_WRITE, refused(id, std::string(146, 'x')));
  ASSERT_EQ(ERR_WRITE, refused(id, ""));
  ASSERT_EQ(ERR_STATE, refused({id.initiator, static_cast<std::uint16_t>(id.responder ^ 1)}, "x"));
  ASSERT_EQ(145u, write(both.a, id, std::string(145, 'x')));
  ASSERT_EQ(145u, both.b.read(id, 1000).size());
  auto const raw = help::from_text("bytes");
  ASSERT_EQ(ERR_SUCCESS, both.a.calls.channel_write(id, raw.data(), raw.size(), written));
  ASSERT_EQ(5u, written);
}

TEST(Api, reads_give_the_rest_later_and_nothing_as_an_error)
{
  pair both;
  std::array<char, 10> room{};
  std::size_t length = 42;
  auto const read = [&](channelid const & id, std::size_t max) {
    length = 42;
    return both.b.calls.channel_read(id, room.data(), max, length);
  };
  ASSERT_EQ(ERR_INVALID_CHANNELID, read({1, 2}, 10));
  ASSERT_EQ(ERR_INVALID_CHANNELID, read(DEFAULT_CHANNELID, 10));
  both.a.calls.establish_channel(both.b.context.id());
  auto const id = both.a.established;
  ASSERT_EQ(ERR_DATA_UNAVAILABLE, read(id, 10));
  ASSERT_EQ(0u, length);
  write(both.a, id, "abcde");
  write(both.a, id, "fg");
  ASSERT_NE(ERR_SUCCESS, read(id, 0));
  ASSERT_EQ("abc", both.b.read(id, 3));
  help::bytes raw(10);
  ASSERT_EQ(ERR_SUCCESS, both.b.calls.channel_read(id, raw.data(), raw.size(), length));
  ASSERT_EQ(2u, length);
  ASSERT_EQ("fg", both.b.read(id));
  ASSERT_EQ(ERR_DATA_UNAVAILABLE, read(id, 10));
}

TEST(Api, other_peers_and_empty_slots_are_refused)
{
  pair both;
  ASSERT_EQ(ERR_INVALID_REFERENCE, both.a.calls.establish_channel(peerid{}));
  auto slot = both.a.calls.allocate();
  both.a.context.packet_pool().free(slot);
  ASSERT_NE(ERR_SUCCESS, both.a.calls.received_packet("", "", slot));
  ASSERT_TRUE(both.a.happened.empty());
}

TEST(Api, settings_that_cannot_be_are_errors_of_the_calls)
{
  peer small{help::peer_of('a'), help::peer_of('b'), help::from_text("a"), 20};
  ASSERT_NE(ERR_SUCCESS, small.calls.establish_channel(small.link.peer()));
  ASSERT_NE(ERR_SUCCESS, small.receive(help::bytes(20)));
  ASSERT_FALSE(small.link.channels().has_channel({1, 2}));
  ASSERT_EQ(DEFAULT_CHANNELID, channelid{small.link.channels().new_pending_channel()});
  ASSERT_NE(ERR_SUCCESS, small.link.channels().add({1, 2}));
  std::size_t length = 0;
  char room[4];
  ASSERT_NE(ERR_SUCCESS, small.calls.channel_write({1, 2}, "x", 1, length));
  ASSERT_NE(ERR_SUCCESS, small.calls.channel_read({1, 2}, room, 4, length));
  ASSERT_EQ(nullptr, small.calls.packet_to_send(DEFAULT_CHANNELID).packet.buffer());
  peer alone{help::peer_of('a'), help::peer_of('a'), help::from_text("a")};
  ASSERT_NE(ERR_SUCCESS, alone.calls.establish_channel(alone.link.peer()));
}

TEST(Channels, by_id_and_by_initiator_half)
{
  peer one{help::peer_of('a'), help::peer_of('b'), help::from_text("a")};
  auto & channels = one.link.channels();
  channelid const full{0x1234, 0x5678};
  ASSERT_FALSE(channels.has_channel(full) || channels.get(full));
  ASSERT_EQ(ERR_SUCCESS, channels.add(full));
  ASSERT_NE(ERR_SUCCESS, channels.add(full));
  ASSERT_TRUE(channels.has_channel(full) && channels.has_channel(full.initiator));
  ASSERT_TRUE(channels.has_established_channel(full));
  ASSERT_TRUE(channels.has_established_channel(full.initiator));
  ASSERT_FALSE(channels.has_pending_channel(full) || channels.has_pending_channel(0x1234));
  ASSERT_FALSE(channels.has_channel({0x1234, 0x5679}));
  auto const known = channels.get(full);
  ASSERT_TRUE(known);
  ASSERT_EQ(known, channels.get(full.initiator));
  ASSERT_EQ(full, known->id());
  ASSERT_EQ(ERR_SUCCESS, channels.remove(full));
  ASSERT_FALSE(channels.has_channel(full) || channels.get(full));
  ASSERT_EQ(ERR_INVALID_CHANNELID, channels.remove(full));
  ASSERT_EQ(full, known->id());
  ASSERT_EQ(ERR_INVALID_CHANNELID, channels.add(DEFAULT_CHANNELID));
}

TEST(Channels, pending_ones_become_full)
{
  peer one{help::peer_of('a'), help::peer_of('b'), help::from_text("a")};
  auto & channels = one.link.channels();
  auto const pending = channels.new_pending_channel();
  channelid const id = pending;
  channelid::half_type const half = pending;
  ASSERT_TRUE(id.has_initiator() && !id.has_responder() && half == id.initiator);
  ASSERT_TRUE(channels.has_pending_channel(pending) && channels.has_channel(pending));
  ASSERT_TRUE(channels.has_pending_channel(id) && channels.has_pending_channel(half));
  ASSERT_FALSE(channels.has_established_channel(id));
  auto const known = channels.get(half);
  ASSERT_TRUE(known && known == channels.get(id) && known == channels.get(pending));
  ASSERT_FALSE(known->is_established());
  ASSERT_EQ(ERR_INVALID_CHANNELID, channels.make_full(id));
  channelid full = id;
  ASSERT_EQ(ERR_SUCCESS, complete_channelid(full));
  ASSERT_EQ(ERR_SUCCESS, channels.make_full(full));
  ASSERT_TRUE(channels.has_established_channel(full) && !channels.has_pending_channel(half));
  ASSERT_EQ(full, known->id());
  ASSERT_EQ(ERR_INVALID_CHANNELID, channels.make_full(full));
  ASSERT_EQ(ERR_SUCCESS, channels.add(channelid{0x4242, 0xf0f0}));
  ASSERT_TRUE(channels.has_pending_channel(0x4242));
  ASSERT_EQ(ERR_SUCCESS, channels.remove(channelid{0x4242, 0xf0f0}));
  ASSERT_FALSE(channels.has_pending_channel(0x4242));
  // Its owner may be gone before it.
  ASSERT_TRUE(one.happened.empty());
}

TEST(Channels, the_responders_too_are_found_by_half)
{
  pair both;
  both.a.calls.establish_channel(both.b.context.id());
  auto const id = both.b.established;
  ASSERT_TRUE(both.b.link.channels().has_established_channel(id.initiator));
  ASSERT_TRUE(both.b.link.channels().get(id.initiator));
}

// Any address type, any block size, any lock; callables of several kinds.
TEST(Api, is_a_template_of_its_parts)
{
  struct place
  {
    std::array<unsigned char, 6> bytes;
    bool operator==(place const & other) const { return bytes == other.bytes; }
  };
  struct listener
  {
    int count = 0;
    void established(channeler::error_t, channelid) { ++count; }
    void to_send(channelid) { ++count; }
  };
  using namespace std::placeholders;
  using node = context::node<1, std::mutex>;
  using connection = context::connection<place, node>;
  using api = internal::connection_api<connection>;
  auto const make = [](peerid const & self) {
    return std::make_unique<node>(
        self, 100, [] { return std::vector<channeler::byte>(3); }, help::no_sleep);
  };
  auto const self = make(peerid{});
  connection link{*self, peerid{}};
  listener heard;
  api calls{link, std::bind(&listener::established, &heard, _1, _2),
      std::bind(&listener::to_send, &heard, _1),
      [&heard](channelid, std::size_t) { ++heard.count; }};
  ASSERT_EQ(ERR_SUCCESS, calls.establish_channel(link.peer()));
  ASSERT_EQ(1, heard.count);
  auto const slot = calls.packet_to_send(DEFAULT_CHANNELID).data;
  ASSERT_EQ(ERR_SUCCESS, calls.received_packet(place{}, place{}, slot));
  context::connection<int, context::node<1000>> * const other = nullptr;
  ASSERT_EQ(nullptr, other);
}

// A generator that changes its mind: cookies are made and checked with what it says now.
TEST(Api, the_secret_is_asked_for_each_time)
{
  pair both;
  auto secret = help::from_text("first");
  both.b.context.secret_generator() = [&secret] { return secret; };
  both.b.deliver_to = nullptr;
  both.a.calls.establish_channel(both.b.context.id());
  both.b.deliver_to = &both.a;
  secret = help::from_text("second");
  both.b.carry(DEFAULT_CHANNELID);
  ASSERT_TRUE(both.a.established.is_complete());
  ASSERT_FALSE(both.b.established.is_complete());
  both.b.context.secret_generator() = nullptr;
  ASSERT_EQ(ERR_SUCCESS, both.b.receive(both.a.packets.front()));
}

TEST(Api, no_packet_does_harm)
{
  auto const vectors = help::own_vectors("v0.json")["packets"];
  peer a{help::peer_of('a'), help::peer_of('b'), help::from_text("a")};
  for (std::string const kind : {"valid", "longer", "bad"}) {
    for (auto const & one : vectors[kind]) {
      ASSERT_EQ(ERR_SUCCESS, a.receive(help::from_hex(one["hex"])));
    }
  }
  pair both;
  both.a.calls.establish_channel(both.b.context.id());
  auto const good = both.a.packets;
  for (auto const & packet : good) {
    for (std::size_t at = 0; at < packet.size(); ++at) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        auto changed = packet;
        changed[at] = static_cast<channeler::byte>(
            static_cast<unsigned>(changed[at]) ^ (1u << bit));
        packet_wrapper pkt{changed.data(), changed.size(), false};
        ASSERT_EQ(ERR_SUCCESS, both.b.receive(changed));
        // And with a checksum that is right.
        auto const size = changed.size();
        std::uint32_t sum = 0;
        auto * const raw = reinterpret_cast<std::uint8_t *>(changed.data());
        ASSERT_EQ(CHANNELER_OK, channeler_wire_checksum(raw, size, &sum));
        ASSERT_EQ(CHANNELER_OK, channeler_wire_checksum_write(sum, raw, size));
        ASSERT_EQ(ERR_SUCCESS, both.b.receive(changed));
      }
    }
  }
  ASSERT_EQ(3u, write(both.a, both.a.established, "ok?"));
}
