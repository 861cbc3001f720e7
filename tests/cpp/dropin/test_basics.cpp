// Errors, versions, ids, capabilities, cookies: values and what can be done with them.

#include <channeler/capabilities.h>
#include <channeler/channeler.h>
#include <channeler/channelid.h>
#include <channeler/cookie.h>
#include <channeler/peerid.h>
#include <channeler/protoid.h>

#include <map>
#include <set>
#include <sstream>
#include <unordered_map>
#include <unordered_set>

#include "support.h"

using namespace channeler;

namespace {

template <typename valueT>
std::string print(valueT const & value)
{
  std::ostringstream out;
  out << value;
  return out.str();
}

channeler::error_t thrown_by(std::function<void()> const & act)
{
  try {
    act();
  }
  catch (channeler::exception const & ex) {
    return ex.code();
  }
  return ERR_SUCCESS;
}

}  // namespace

static_assert(std::is_same_v<channeler::error_t, std::uint32_t>);
static_assert(std::is_same_v<protoid, std::uint32_t> && PROTOID == 0x0c229d94);
static_assert(std::is_base_of_v<std::runtime_error, channeler::exception>);
static_assert(std::is_same_v<capabilities_t, std::bitset<16>> && CAPABILITY_COUNT == 16);
static_assert(std::is_same_v<capability_bits_t, std::uint16_t>);
static_assert(CAP_RESEND == 0 && CAP_ORDERED == 1 && CAP_CLOSE_ON_LOSS == 2);
static_assert(PEERID_SIZE_BYTES == 16 && PEERID_SIZE_BITS == 128);
static_assert(peerid_wrapper::size() == 16 && peerid::size() == 16);
static_assert(sizeof(channelid) == 4 && sizeof(cookie) >= 4 && sizeof(cookie_serialize) == 4);
static_assert(sizeof(channeler::byte) == 1);
static_assert(DEFAULT_CHANNELID == channelid{} && DEFAULT_CHANNELID.full == 0xf0f0f0f0);

TEST(Error, numbers_are_the_references)
{
  ASSERT_EQ(0, int{ERR_SUCCESS});
  ASSERT_EQ(1, int{ERR_UNEXPECTED});
  ASSERT_EQ(2, int{ERR_INSUFFICIENT_BUFFER_SIZE});
  ASSERT_EQ(3, int{ERR_DECODE});
  ASSERT_EQ(4, int{ERR_ENCODE});
  ASSERT_EQ(5, int{ERR_INVALID_CHANNELID});
  ASSERT_EQ(6, int{ERR_INVALID_REFERENCE});
  ASSERT_EQ(7, int{ERR_INVALID_PIPE_EVENT});
  ASSERT_EQ(8, int{ERR_INVALID_MESSAGE_TYPE});
  ASSERT_EQ(9, int{ERR_WRITE});
  ASSERT_EQ(10, int{ERR_STATE});
  ASSERT_EQ(11, int{ERR_DATA_UNAVAILABLE});
}

TEST(Error, each_number_has_name_and_message)
{
  ASSERT_STREQ("ERR_SUCCESS", error_name(ERR_SUCCESS));
  ASSERT_STREQ("ERR_INSUFFICIENT_BUFFER_SIZE", error_name(ERR_INSUFFICIENT_BUFFER_SIZE));
  ASSERT_STREQ("ERR_DATA_UNAVAILABLE", error_name(ERR_DATA_UNAVAILABLE));
  for (channeler::error_t code : {12u, 13u, 14u, 999u, 1000u, 0x80000000u, 0xffffffffu}) {
    ASSERT_STREQ("unidentified error", error_name(code)) << code;
    ASSERT_NE(nullptr, error_message(code));
  }
  std::set<std::string> messages;
  for (channeler::error_t code = 0; code <= ERR_DATA_UNAVAILABLE; ++code) {
    messages.insert(error_message(code));
  }
  ASSERT_EQ(12u, messages.size());
}

TEST(Error, exception_carries_code_name_and_details)
{
  try {
    throw channeler::exception(ERR_STATE, "some details");
  }
  catch (std::runtime_error const & ex) {
    std::string const what = ex.what();
    EXPECT_NE(std::string::npos, what.find("ERR_STATE")) << what;
    EXPECT_NE(std::string::npos, what.find(error_message(ERR_STATE))) << what;
    EXPECT_NE(std::string::npos, what.find("some details")) << what;
  }
  channeler::exception const plain{ERR_DECODE};
  ASSERT_EQ(ERR_DECODE, plain.code());
  ASSERT_STREQ("ERR_DECODE", plain.name());
  ASSERT_EQ(std::string::npos, std::string{plain.what()}.find("//"));
}

TEST(Version, strings_are_there)
{
  auto const [major, rest] = version();
  ASSERT_EQ(CHANNELER_VERSION, major + "." + rest);
  ASSERT_GT(strlen(copyright_string()), 0u);
  ASSERT_GT(strlen(license_string()), 0u);
}

TEST(Umbrella, brings_what_programs_lean_on)
{
  std::vector<channeler::byte> const data(3);
  std::list<int> const list{1};
  std::function<int(int)> const add = std::bind(std::plus<int>{}, std::placeholders::_1, 1);
  std::bitset<2> const bits{1};
  char copied[2];
  memcpy(copied, "x", 2);
  ASSERT_EQ(9u, data.size() + list.size() + bits.count() + strlen(copied)
                  + static_cast<std::size_t>(add(2)));
  // And the C API.
  ASSERT_EQ(static_cast<std::uint32_t>(CHANNELER_ABI_VERSION), ::channeler_abi_version());
}

TEST(ChannelId, default_has_no_halves)
{
  channelid id;
  ASSERT_EQ(DEFAULT_CHANNELID, id);
  ASSERT_EQ(0xf0f0f0f0u, id.full);
  ASSERT_FALSE(id.has_initiator() || id.has_responder() || id.is_complete());
}

TEST(ChannelId, halves_from_braces)
{
  channelid id{0x1234, 0x5678};
  ASSERT_EQ(0x1234, id.initiator);
  ASSERT_EQ(0x5678, id.responder);
  ASSERT_TRUE(id.is_complete() && id.has_initiator() && id.has_responder());
  auto const take = [](channelid const & given) { return given.full; };
  ASSERT_EQ(id.full, take({0x1234, 0x5678}));
  channelid::full_type const full = id.full;
  channelid other;
  other.full = full;
  ASSERT_EQ(id, other);
  channelid assigned = DEFAULT_CHANNELID;
  assigned.initiator = 0x1234;
  ASSERT_TRUE(assigned.has_initiator());
  ASSERT_FALSE(assigned.has_responder() || assigned.is_complete());
}

TEST(ChannelId, partial_keeps_the_initiator_half)
{
  auto const partial = channelid{0x1234, 0x5678}.create_partial();
  ASSERT_EQ((channelid{0x1234, 0xf0f0}), partial);
  ASSERT_TRUE(partial.has_initiator());
  ASSERT_FALSE(partial.has_responder());
}

TEST(ChannelId, new_and_completed)
{
  std::set<channelid::half_type> seen;
  for (int round = 0; round < 100; ++round) {
    auto id = create_new_channelid();
    ASSERT_TRUE(id.has_initiator());
    ASSERT_FALSE(id.has_responder());
    seen.insert(id.initiator);
    auto const initiator = id.initiator;
    ASSERT_EQ(ERR_SUCCESS, complete_channelid(id));
    ASSERT_TRUE(id.is_complete());
    ASSERT_EQ(initiator, id.initiator);
    ASSERT_EQ(ERR_INVALID_CHANNELID, complete_channelid(id));
  }
  ASSERT_GT(seen.size(), 50u);
  channelid none;
  ASSERT_EQ(ERR_INVALID_CHANNELID, complete_channelid(none));
  channelid backwards{0xf0f0, 1};
  ASSERT_EQ(ERR_INVALID_CHANNELID, complete_channelid(backwards));
}

TEST(ChannelId, compares_hashes_and_prints)
{
  channelid const one{1, 2};
  channelid const same{1, 2};
  channelid const other{2, 1};
  ASSERT_TRUE(one == same && one <= same && one >= same && !(one != same));
  ASSERT_TRUE(one != other && (one < other) != (other < one) && (one > other) == (other < one));
  ASSERT_EQ(one.hash(), same.hash());
  ASSERT_EQ(std::hash<channelid>{}(one), one.hash());
  std::unordered_map<channelid, std::string> names;
  names[one] = "one";
  names[{2, 1}] = "other";
  ASSERT_EQ("one", names[same]);
  ASSERT_EQ(2u, (std::set<channelid>{one, same, other}.size()));
  ASSERT_NE(print(one), print(other));
  ASSERT_EQ("0x0001:0x0002", print(one));
}

TEST(PeerId, random_ones_differ)
{
  std::unordered_set<peerid> seen;
  for (int round = 0; round < 50; ++round) {
    seen.insert(peerid{});
  }
  ASSERT_EQ(50u, seen.size());
}

TEST(PeerId, from_bytes_and_hex)
{
  auto const raw = help::from_hex("000102030405060708090a0b0c0d0eff");
  peerid const id{raw.data(), raw.size()};
  std::string const hex = "0x000102030405060708090a0b0c0d0eff";
  ASSERT_EQ(hex, id.display());
  ASSERT_EQ(hex, print(id));
  ASSERT_EQ(id, (peerid{hex.c_str(), hex.size()}));
  ASSERT_EQ(id, (peerid{hex.c_str() + 2, hex.size() - 2}));
  std::string const upper = "000102030405060708090A0B0C0D0EFF";
  ASSERT_EQ(id, (peerid{upper.c_str(), upper.size()}));
  ASSERT_EQ(0, memcmp(id.buffer, raw.data(), raw.size()));
  ASSERT_EQ(id.raw, id.buffer);
}

TEST(PeerId, bad_ones_throw)
{
  auto const raw = help::from_hex("000102030405060708090a0b0c0d0e");
  ASSERT_EQ(ERR_INSUFFICIENT_BUFFER_SIZE,
      thrown_by([&] { peerid{raw.data(), raw.size()}; }));
  ASSERT_EQ(ERR_INSUFFICIENT_BUFFER_SIZE,
      thrown_by([&] { peerid_wrapper{raw.data(), raw.size()}; }));
  channeler::byte const * const none = nullptr;
  ASSERT_THROW((peerid_wrapper{none, 16}), channeler::exception);
  ASSERT_THROW((peerid{none, 16}), channeler::exception);
  char const * const no_text = nullptr;
  ASSERT_THROW((peerid{no_text, 32}), channeler::exception);
  for (std::string const text : {"", "0x", "0x00", "000102030405060708090a0b0c0d0e0",
           "000102030405060708090a0b0c0d0e0g", "+00102030405060708090a0b0c0d0e0f",
           "0x000102030405060708090a0b0c0d0e0fz"})
  {
    ASSERT_THROW((peerid{text.c_str(), text.size()}), channeler::exception) << text;
  }
}

TEST(PeerId, wrapper_is_a_view_that_assigns_through)
{
  auto raw = help::from_hex("000102030405060708090a0b0c0d0e0f");
  peerid_wrapper view{raw.data(), raw.size()};
  peerid_wrapper again{view};
  ASSERT_EQ(raw.data(), again.raw);
  peerid const other;
  view = other;
  ASSERT_EQ(0, memcmp(raw.data(), other.raw, 16));
  ASSERT_EQ(raw.data(), view.raw);
  ASSERT_EQ(other, again);
}

TEST(PeerId, copies_have_buffers_of_their_own)
{
  peerid one;
  peerid two{one};
  ASSERT_EQ(one, two);
  ASSERT_NE(one.raw, two.raw);
  ASSERT_EQ(two.raw, two.buffer);
  peerid three;
  three = one;
  ASSERT_EQ(three.raw, three.buffer);
  auto raw = help::from_hex("000102030405060708090a0b0c0d0e0f");
  auto const copied = peerid_wrapper{raw.data(), raw.size()}.copy();
  raw[0] = static_cast<channeler::byte>(0xff);
  ASSERT_EQ("0x000102030405060708090a0b0c0d0e0f", copied.display());
  ASSERT_EQ(copied, peerid{copied}.copy());
}

TEST(PeerId, compares_and_hashes_by_bytes)
{
  auto const small = help::peer_of('1');
  auto const large = help::peer_of('f');
  peerid_wrapper const view{small.raw, 16};
  ASSERT_TRUE(small == view && view == small && !(small != view));
  ASSERT_TRUE(small < large && large > small && small <= view && view >= small);
  ASSERT_TRUE(small.is_equal_to(view) && small.is_less_than(large));
  ASSERT_FALSE(large.is_less_than(small) || small.is_equal_to(large));
  ASSERT_EQ(small.hash(), view.hash());
  ASSERT_EQ(std::hash<peerid>{}(small), std::hash<peerid_wrapper>{}(view));
  std::map<peerid, int> const sorted{{large, 2}, {small, 1}};
  ASSERT_EQ(small, sorted.begin()->first);
}

TEST(Capabilities, bits_by_name)
{
  capabilities_t caps;
  caps[CAP_ORDERED] = true;
  ASSERT_EQ(2u, caps.to_ulong());
}

TEST(Cookie, equal_the_vectors_of_the_project)
{
  auto const vectors = help::own_vectors("v0.json");
  for (auto const & one : vectors["cookies"]) {
    auto const secret = help::from_hex(one["secret"]);
    auto const raw = help::from_hex(one["initiator_peer"]);
    auto const other = help::from_hex(one["responder_peer"]);
    peerid_wrapper const initiator{raw.data(), raw.size()};
    peerid_wrapper const responder{other.data(), other.size()};
    channelid const id{help::half(one["initiator"]), help::half(one["responder"])};
    cookie const first = create_cookie_initiator(
        secret.data(), secret.size(), initiator, responder, id.initiator);
    cookie const second
        = create_cookie_responder(secret.data(), secret.size(), initiator, responder, id);
    ASSERT_EQ(help::number(one["cookie1"]), first);
    ASSERT_EQ(help::number(one["cookie2"]), second);
    ASSERT_TRUE(validate_cookie(
        first, secret.data(), secret.size(), initiator, responder, id.initiator));
    ASSERT_FALSE(validate_cookie(
        first ^ 1, secret.data(), secret.size(), initiator, responder, id.initiator));
    ASSERT_TRUE(
        validate_cookie(second, secret.data(), secret.size(), initiator, responder, id));
    ASSERT_FALSE(validate_cookie(
        second, secret.data(), secret.size(), initiator, responder, channelid{1, 1}));
  }
}

TEST(Cookie, equal_the_vectors_of_the_reference)
{
  auto const vectors = help::reference_vectors("cookies.json");
  SKIP_WITHOUT(vectors);
  for (std::string const kind : {"initiator", "responder"}) {
    for (auto const & one : vectors[kind]) {
      auto const secret = help::from_hex(one["secret"]);
      std::string const first = one["initiator"];
      std::string const second = one["responder"];
      peerid const initiator{first.c_str(), first.size()};
      peerid const responder{second.c_str(), second.size()};
      if (kind == "initiator") {
        ASSERT_EQ(help::number(one["cookie1"]),
            create_cookie_initiator(secret.data(), secret.size(), initiator, responder,
                help::half(one["initiator_part"])));
      }
      else {
        channelid const id{
            help::half(one["channel_initiator"]), help::half(one["channel_responder"])};
        ASSERT_EQ(help::number(one["cookie2"]),
            create_cookie_responder(secret.data(), secret.size(), initiator, responder, id));
      }
    }
  }
}

TEST(Vectors, error_names_of_the_reference)
{
  auto const vectors = help::reference_vectors("messages.json");
  SKIP_WITHOUT(vectors);
  for (auto const & one : vectors["errors"]) {
    ASSERT_EQ(one["name"], error_name(one["code"].get<channeler::error_t>()));
  }
}
