// Recorded handshakes through the connection API: every packet equal to the byte, every callback in
// its place.

#include "support.h"

using namespace channeler;
using help::json;
using help::peer;

namespace {

// One recording, with peers that draw the halves that the recorded ones drew.
struct replay
{
  replay(json const & names, json const & which)
    : scenario(which)
    , a{id(names["A"]), id(names["B"]), help::from_hex(names["secret_A"]), size()}
    , b{id(names["B"]), id(names["A"]), help::from_hex(names["secret_B"]), size()}
  {
  }

  static peerid id(std::string const & text)
  {
    return {text.c_str(), text.size()};
  }

  std::size_t size() const
  {
    return scenario["packet_size"];
  }

  peer & side(std::string const & name)
  {
    return name.at(0) == 'A' ? a : b;
  }

  void run()
  {
    auto const & events = scenario["events"];
    for (std::size_t at = 0; at < events.size(); ++at) {
      auto const & event = events[at];
      if (is_exception(event)) {
        return;
      }
      if (event.contains("call")) {
        expect_nothing_left();
        supply(at + 1);
        call(event["call"], event);
      }
      else if (event.contains("deliver_to")) {
        expect_nothing_left();
        supply(at + 1);
        EXPECT_EQ(ERR_SUCCESS, side(event["deliver_to"]).receive(help::from_hex(event["hex"])));
      }
      else if (event.contains("packet")) {
        packet(side(event["packet"]), event);
      }
      else if (event.contains("callback")) {
        callback(event["callback"], event);
      }
      if (testing::Test::HasFailure()) {
        FAIL() << scenario["scenario"] << ": " << event;
      }
    }
    expect_nothing_left();
  }

  // What we want other than the reference: after a wrong ACKNOWLEDGE the right one establishes, and
  // an invented responder half cannot be written to.
  bool is_exception(json const & event)
  {
    auto const name = scenario["scenario"].get<std::string>();
    if (name == "ACK with wrong cookie1" && event.value("what", "").rfind("correct ACK", 0) == 0) {
      EXPECT_EQ(ERR_SUCCESS, a.receive(help::from_hex(event["hex"])));
      EXPECT_TRUE(a.established.is_complete());
      return true;
    }
    if (name == "channel_write error codes" && event.value("channel", "") == "0x1001:0x7777") {
      std::size_t written = 0;
      EXPECT_EQ(ERR_STATE, a.calls.channel_write({0x1001, 0x7777}, "x", 1, written));
      expect_nothing_left();
      return true;
    }
    return false;
  }

  // The halves in the packets that come before anything else is done.
  void supply(std::size_t from)
  {
    std::vector<std::uint16_t> halves;
    auto const & events = scenario["events"];
    for (auto at = from; at < events.size(); ++at) {
      if (events[at].contains("call") || events[at].contains("deliver_to")) {
        break;
      }
      if (events[at].contains("packet")) {
        auto const raw = help::from_hex(events[at]["hex"]);
        auto const type = static_cast<unsigned>(raw[48]);
        if (type == MSG_CHANNEL_NEW || type == MSG_CHANNEL_ACKNOWLEDGE) {
          halves.push_back(static_cast<std::uint16_t>(
              static_cast<unsigned>(raw[49]) << 8 | static_cast<unsigned>(raw[50])));
        }
      }
    }
    for (auto * const one : {&a, &b}) {
      auto * const node = one->link.endpoint().capi();
      ASSERT_EQ(
          CHANNELER_OK, channeler_node_supply_halves(node, halves.data(), halves.size()));
    }
  }

  void call(std::string const & what, json const & event)
  {
    auto & one = side(what);
    channeler::error_t err = ERR_UNEXPECTED;
    if (what.substr(2) == "establish_channel") {
      err = one.calls.establish_channel(one.link.peer());
    }
    else if (what.substr(2) == "channel_write") {
      auto const data = help::from_hex(event["data"]);
      std::size_t written = 42;
      err = one.calls.channel_write(
          help::id_of(event["channel"]), data.data(), data.size(), written);
      EXPECT_EQ(event["written"], written);
    }
    else if (what.substr(2) == "channel_read") {
      help::bytes room(event["max"].get<std::size_t>());
      std::size_t length = 42;
      err = one.calls.channel_read(
          help::id_of(event["channel"]), room.data(), room.size(), length);
      EXPECT_EQ(event["read"], length);
      room.resize(length);
      EXPECT_EQ(event["data"], help::to_hex(room));
    }
    EXPECT_EQ(event["result"], error_name(err));
  }

  static peer::told next(peer & one)
  {
    EXPECT_FALSE(one.happened.empty());
    if (one.happened.empty()) {
      return {"nothing", {}, 0};
    }
    auto const told = one.happened.front();
    one.happened.pop_front();
    return told;
  }

  static void packet(peer & one, json const & event)
  {
    auto const told = next(one);
    EXPECT_EQ("packet", told.what);
    EXPECT_EQ(help::id_of(event["callback_channel"]), told.id);
    auto const entry = one.calls.packet_to_send(told.id);
    EXPECT_EQ(
        event["hex"], help::to_hex(entry.packet.buffer(), entry.packet.buffer_size()));
  }

  void callback(std::string const & what, json const & event)
  {
    auto const told = next(side(what));
    EXPECT_EQ(what.substr(2) == "data_available" ? "data" : "established", told.what);
    EXPECT_EQ(help::id_of(event["channel"]), told.id);
    EXPECT_EQ(event.value("size", std::size_t{0}), told.size);
  }

  void expect_nothing_left() const
  {
    EXPECT_TRUE(a.happened.empty() && b.happened.empty());
  }

  json scenario;
  peer a;
  peer b;
};

void replay_all(json const & file)
{
  ASSERT_FALSE(file["scenarios"].empty());
  for (auto const & scenario : file["scenarios"]) {
    replay{file["peers"], scenario}.run();
  }
}

}  // namespace

TEST(Transcripts, of_the_project)
{
  replay_all(help::own_vectors("transcripts.json"));
}

TEST(Transcripts, of_the_reference)
{
  auto const file = help::reference_vectors("transcripts.json");
  SKIP_WITHOUT(file);
  replay_all(file);
}
