// Packets: fields in and out, sizes, checksums, and what is no packet.

#include <channeler/packet.h>

#include <unordered_set>

#include "support.h"

using namespace channeler;

namespace {

void check_valid(help::json const & one, std::size_t size, std::string const & payload)
{
  auto raw = help::from_hex(one["hex"]);
  packet_wrapper const pkt{raw.data(), raw.size()};
  auto const [err, text] = pkt.validate();
  ASSERT_EQ(ERR_SUCCESS, err) << text;
  EXPECT_TRUE(pkt.has_valid_proto() && pkt.has_valid_checksum()) << one["name"];
  EXPECT_EQ(PROTOID, pkt.proto());
  EXPECT_EQ(help::to_hex(raw).substr(8, 32), pkt.sender().display().substr(2));
  EXPECT_EQ(help::to_hex(raw).substr(40, 32), pkt.recipient().display().substr(2));
  EXPECT_EQ(size, pkt.packet_size());
  EXPECT_EQ(payload, help::to_hex(pkt.payload(), pkt.payload_size()));
  EXPECT_EQ(size - packet_wrapper::envelope_size(), pkt.max_payload_size());
  // Writing the fields changes nothing, in any order.
  EXPECT_EQ(one["hex"], help::to_hex(pkt.buffer(), raw.size())) << one["name"];
}

// A packet made by its fields alone.
std::string rebuild(packet_wrapper const & from)
{
  help::bytes raw(from.packet_size());
  packet_wrapper pkt{raw.data(), raw.size(), false};
  pkt.proto() = PROTOID;
  pkt.sender() = from.sender();
  pkt.recipient() = from.recipient();
  pkt.channel() = from.channel();
  pkt.flags() = from.flags();
  pkt.packet_size() = from.packet_size();
  pkt.sequence_no() = from.sequence_no();
  pkt.payload_size() = from.payload_size();
  std::memcpy(pkt.payload(), from.payload(), from.max_payload_size());
  EXPECT_EQ(ERR_SUCCESS, pkt.update_checksum());
  return help::to_hex(raw);
}

help::bytes sample()
{
  return help::from_hex(help::own_vectors("v0.json")["packets"]["valid"][10]["hex"]);
}

}  // namespace

static_assert(std::is_same_v<packet_size_t, std::uint16_t>);
static_assert(std::is_same_v<payload_size_t, std::uint16_t>);
static_assert(std::is_same_v<sequence_no_t, std::uint16_t>);
static_assert(std::is_same_v<flags_t, std::bitset<16>>);
static_assert(FLAG_ENCRYPTED == 0 && FLAG_SPIN_BIT == 1);
static_assert(public_header_layout::PUB_OFFS_PROTO == 0 && public_header_layout::PUB_SIZE == 44);
static_assert(public_header_layout::PUB_OFFS_SENDER == 4);
static_assert(public_header_layout::PUB_OFFS_RECIPIENT == 20);
static_assert(public_header_layout::PUB_OFFS_CHANNELID == 36);
static_assert(public_header_layout::PUB_OFFS_FLAGS == 40);
static_assert(public_header_layout::PUB_OFFS_PACKET_SIZE == 42);
static_assert(private_header_layout::PRIV_SIZE == 4);
static_assert(footer_layout::FOOT_SIZE == 4 && footer_layout::FOOT_OFFS_CHECKSUM == -4);
static_assert(packet_wrapper::public_header_size() == 44);
static_assert(packet_wrapper::private_header_size() == 4 && packet_wrapper::footer_size() == 4);
static_assert(packet_wrapper::public_envelope_size() == 48);
static_assert(packet_wrapper::envelope_size() == 52);

TEST(Packet, of_no_buffer)
{
  packet_wrapper pkt{nullptr, 0, false};
  packet_wrapper copied{pkt};
  ASSERT_EQ(0u, pkt.buffer_size());
  ASSERT_EQ(nullptr, pkt.buffer());
  ASSERT_EQ(nullptr, pkt.payload());
  ASSERT_EQ(0u, pkt.max_payload_size());
  ASSERT_EQ(DEFAULT_CHANNELID, pkt.channel());
  ASSERT_EQ(pkt, copied);
  ASSERT_EQ(pkt.hash(), copied.hash());
  ASSERT_FALSE(pkt.has_valid_checksum() || pkt.has_valid_proto());
  ASSERT_EQ(0u, pkt.calculate_checksum());
  ASSERT_NE(ERR_SUCCESS, pkt.update_checksum());
  ASSERT_EQ("0x", pkt.sender().display());
  ASSERT_THROW(pkt.sender().copy(), channeler::exception);
  auto const list = pkt.get_messages();
  ASSERT_EQ(list.begin(), list.end());
  ASSERT_THROW(pkt.validate(), channeler::exception);
  ASSERT_THROW((packet_wrapper{nullptr, 0}), channeler::exception);
  auto raw = sample();
  pkt = packet_wrapper{raw.data(), raw.size()};
  ASSERT_TRUE(pkt.has_valid_checksum());
}

TEST(Packet, assignment_moves_the_view_and_writes_nothing)
{
  auto const values = help::own_vectors("v0.json")["packets"]["valid"];
  auto first = help::from_hex(values[10]["hex"]);
  auto second = help::from_hex(values[6]["hex"]);
  std::fill_n(second.begin() + 4, 16, static_cast<channeler::byte>(0x77));
  auto const before = first;
  packet_wrapper pkt{first.data(), first.size()};
  packet_wrapper const other{second.data(), second.size()};
  pkt = other;
  ASSERT_EQ(before, first);
  ASSERT_EQ(pkt, other);
  ASSERT_EQ(second.data() + 4, pkt.sender().raw);
}

TEST(Packet, buffer_writes_the_header)
{
  auto raw = sample();
  packet_wrapper pkt{raw.data(), raw.size()};
  ASSERT_FALSE(pkt.flag(FLAG_SPIN_BIT));
  pkt.channel() = {0x4242, 0x6666};
  pkt.flag(FLAG_SPIN_BIT) = true;
  ASSERT_TRUE(pkt.flags()[FLAG_SPIN_BIT]);
  pkt.checksum() = 0x01020304;
  // Peer ids are views of the buffer, the others are not written yet.
  ASSERT_EQ("56781234", help::to_hex(raw.data() + 36, 4));
  peerid const sender;
  pkt.sender() = sender;
  ASSERT_EQ(0, std::memcmp(raw.data() + 4, sender.raw, 16));
  ASSERT_EQ(raw.data(), pkt.buffer());
  ASSERT_EQ("66664242", help::to_hex(raw.data() + 36, 4));
  ASSERT_EQ("0002", help::to_hex(raw.data() + 40, 2));
  ASSERT_EQ("01020304", help::to_hex(raw.data() + raw.size() - 4, 4));
  ASSERT_FALSE(pkt.has_valid_checksum());
  pkt.update_checksum();
  ASSERT_TRUE(pkt.has_valid_checksum());
  ASSERT_EQ(pkt.calculate_checksum(), pkt.checksum());
  packet_wrapper const again{raw.data(), raw.size()};
  ASSERT_TRUE(again.has_valid_checksum());
  ASSERT_EQ((channelid{0x4242, 0x6666}), again.channel());
  ASSERT_EQ(sender, again.sender());
}

TEST(Packet, messages_end_with_the_payload)
{
  auto raw = sample();
  packet_wrapper const pkt{raw.data(), raw.size()};
  std::size_t count = 0;
  for (auto msg : pkt.get_messages()) {
    ASSERT_EQ(MSG_DATA, msg->type);
    ASSERT_EQ("68656c6c6f", help::to_hex(msg->payload, msg->payload_size));
    ++count;
  }
  ASSERT_EQ(3u, count);
}

TEST(Packet, copies_compare_equal_until_a_byte_differs)
{
  auto raw = sample();
  packet_wrapper const pkt{raw.data(), raw.size()};
  auto const copied = pkt.copy();
  packet_wrapper other{copied.get(), pkt.buffer_size()};
  ASSERT_TRUE(pkt == other && pkt <= other && pkt >= other && !(pkt != other));
  ASSERT_EQ(pkt.hash(), other.hash());
  ASSERT_EQ(std::hash<packet_wrapper>{}(pkt), pkt.hash());
  other.channel() = {1, 1};
  ASSERT_TRUE(pkt != other && (pkt < other) == (other > pkt) && (pkt < other) != (other < pkt));
  std::unordered_set<packet_wrapper> const set{pkt, other, pkt};
  ASSERT_EQ(2u, set.size());
}

TEST(Packet, field_structs)
{
  auto const raw = sample();
  public_header_fields const fields{raw.data()};
  ASSERT_EQ(PROTOID, fields.proto);
  ASSERT_EQ((channelid{0x1234, 0x5678}), fields.channel);
  ASSERT_EQ(raw.size(), fields.packet_size);
  ASSERT_EQ(raw.data() + public_header_fields::PUB_OFFS_SENDER, fields.sender.raw);
  private_header_fields const rest{raw.data()};
  ASSERT_EQ(21, rest.payload_size);
  footer_fields const footer{raw.data(), raw.size()};
  ASSERT_NE(0u, footer.checksum);
}

TEST(PacketVectors, of_the_project)
{
  auto const vectors = help::own_vectors("v0.json")["packets"];
  for (auto const & one : vectors["valid"]) {
    check_valid(one, one["size"], one["payload"]);
    auto raw = help::from_hex(one["hex"]);
    packet_wrapper const pkt{raw.data(), raw.size()};
    EXPECT_EQ((channelid{one["initiator"], one["responder"]}), pkt.channel());
    EXPECT_EQ(one["flags"], pkt.flags().to_ulong());
    EXPECT_EQ(one["sequence"], pkt.sequence_no());
    EXPECT_EQ(one["hex"], rebuild(pkt));
  }
  for (auto const & one : vectors["longer"]) {
    auto raw = help::from_hex(one["hex"]);
    packet_wrapper const pkt{raw.data(), raw.size()};
    EXPECT_TRUE(pkt.has_valid_checksum() && pkt.packet_size() == one["size"]) << one["name"];
  }
}

// Whatever the bytes, everything may be asked of a packet, and nothing outside is touched.
TEST(PacketVectors, malformed_ones_of_the_project)
{
  auto const vectors = help::own_vectors("v0.json");
  for (auto const & one : vectors["packets"]["bad"]) {
    help::exact const raw{help::from_hex(one["hex"])};
    packet_wrapper pkt{raw.data.get(), raw.size, false};
    bool is_good = false;
    try {
      is_good = pkt.validate().first == ERR_SUCCESS;
    }
    catch (channeler::exception const & ex) {
      EXPECT_EQ(ERR_INSUFFICIENT_BUFFER_SIZE, ex.code());
      EXPECT_LT(raw.size, packet_wrapper::public_envelope_size());
    }
    is_good = is_good && pkt.has_valid_proto() && pkt.has_valid_checksum()
        && pkt.packet_size() >= packet_wrapper::envelope_size() && !pkt.flag(FLAG_ENCRYPTED);
    EXPECT_FALSE(is_good) << one["name"];
    for (auto const msg : pkt.get_messages()) {
      EXPECT_LE(msg->payload + msg->payload_size, raw.data.get() + raw.size);
    }
    EXPECT_EQ(one["hex"], help::to_hex(pkt.buffer(), raw.size)) << one["name"];
    pkt.hash();
    pkt.copy();
    pkt.update_checksum();
  }
}

TEST(PacketVectors, of_the_reference)
{
  auto const vectors = help::reference_vectors("packets.json");
  SKIP_WITHOUT(vectors);
  for (auto const & one : vectors["packets"]) {
    check_valid(one, one["packet_size"], one["payload_hex"]);
    auto raw = help::from_hex(one["hex"]);
    packet_wrapper const pkt{raw.data(), raw.size()};
    channelid const id{help::half(one["channel_initiator"]), help::half(one["channel_responder"])};
    EXPECT_EQ(id, pkt.channel());
    EXPECT_EQ(help::number(one["flags"]), pkt.flags().to_ulong());
    EXPECT_EQ(help::number(one["sequence_no"]), pkt.sequence_no());
    EXPECT_EQ(help::number(one["crc32c"]), pkt.checksum());
    EXPECT_EQ(one["hex"], rebuild(pkt));
  }
}

TEST(PacketVectors, malformed_ones_of_the_reference)
{
  auto const vectors = help::reference_vectors("malformed_packets.json");
  SKIP_WITHOUT(vectors);
  for (auto const & one : vectors["cases"]) {
    auto const & result = one["result_with_0xcc_after_buffer"];
    help::exact const raw{help::from_hex(one["hex"])};
    packet_wrapper pkt{raw.data.get(), raw.size, false};
    std::string got;
    try {
      got = error_name(pkt.validate().first);
    }
    catch (channeler::exception const & ex) {
      got = std::string{"throws ["} + ex.name();
    }
    // To be refused: what the reference refuses, or dies of before it says anything.
    bool const is_bad = result.is_null() || (one["overread"] == true
        && result.value("iteration", help::json{}).value("count", 0) == 0);
    if (is_bad) {
      EXPECT_NE("ERR_SUCCESS", got) << one["name"];
    }
    else {
      auto const wanted = result["validate"].get<std::string>();
      EXPECT_EQ(wanted.substr(0, got.size()), got) << one["name"];
    }
    if (got == "ERR_SUCCESS" && !result.is_null()) {
      EXPECT_EQ(result["proto_ok"], pkt.has_valid_proto()) << one["name"];
      EXPECT_EQ(result["checksum_ok"], pkt.has_valid_checksum()) << one["name"];
      EXPECT_EQ(result["packet_size"], pkt.packet_size()) << one["name"];
      EXPECT_EQ(result["payload_size"], pkt.payload_size()) << one["name"];
      EXPECT_EQ(help::number(result["checksum"]), pkt.checksum()) << one["name"];
    }
    for (auto const msg : pkt.get_messages()) {
      EXPECT_LE(msg->payload + msg->payload_size, raw.data.get() + raw.size) << one["name"];
    }
  }
}
