// Messages: made, serialized, parsed, iterated, and refused.

#include <channeler/message.h>

#include <sstream>

#include "support.h"

using namespace channeler;

namespace {

std::string serialized(std::unique_ptr<message> const & msg)
{
  help::bytes out(msg->serialized_size());
  EXPECT_EQ(out.size(), serialize_message(out.data(), out.size(), msg));
  if (!out.empty()) {
    EXPECT_EQ(0u, serialize_message(out.data(), out.size() - 1, msg));
  }
  return help::to_hex(out);
}

// The messages of both vector files have the same fields, under other names.
channelid id_in(help::json const & one)
{
  if (one.contains("id")) {
    return {help::half(one["id"]["initiator"]), help::half(one["id"]["responder"])};
  }
  return {help::half(one["initiator"]), help::half(one["responder"])};
}

std::unique_ptr<message> make(std::string const & type, help::json const & one)
{
  auto const first = one.contains("cookie1") ? help::number(one["cookie1"]) : 0;
  auto const second = one.contains("cookie2") ? help::number(one["cookie2"]) : 0;
  capabilities_t const caps{one.contains("capabilities") ? help::number(one["capabilities"]) : 0};
  if (type == "CHANNEL_NEW") {
    auto const & half = one.contains("initiator_part") ? one["initiator_part"] : one["initiator"];
    return std::make_unique<message_channel_new>(help::half(half), first);
  }
  if (type == "CHANNEL_ACKNOWLEDGE") {
    return std::make_unique<message_channel_acknowledge>(id_in(one), first, second);
  }
  if (type == "CHANNEL_FINALIZE") {
    return std::make_unique<message_channel_finalize>(id_in(one), second, caps);
  }
  auto const & either = one.contains("either_cookie") ? one["either_cookie"] : one["cookie"];
  return std::make_unique<message_channel_cookie>(help::number(either), caps);
}

void check_valid(std::string const & type, std::string const & hex, help::json const & fields)
{
  help::exact const raw{help::from_hex(hex)};
  auto const parsed = parse_message(raw.data.get(), raw.size);
  ASSERT_TRUE(parsed) << hex;
  std::ostringstream printed;
  printed << parsed->type;
  EXPECT_EQ("MSG_" + type, printed.str());
  EXPECT_EQ(raw.data.get(), parsed->buffer);
  EXPECT_EQ(raw.size, parsed->input_size);
  EXPECT_EQ(raw.size, parsed->buffer_size);
  EXPECT_EQ(raw.data.get() + raw.size, parsed->payload + parsed->payload_size);
  EXPECT_EQ(hex, serialized(parsed));
  if (type != "DATA") {
    auto const made = make(type, fields);
    EXPECT_EQ(hex, serialized(made));
    EXPECT_EQ(raw.size, made->serialized_size());
  }
}

// Up to the first message that the reference reads outside of the payload for.
void check_iteration(help::json const & one, help::json const & expected, bool all_inside)
{
  help::exact const raw{help::from_hex(one["hex"])};
  messages const list{raw.data.get(), raw.size};
  auto at = list.begin();
  for (auto const & wanted : expected) {
    if (!wanted.is_object() || wanted["runs_past_end"] == true) {
      break;
    }
    ASSERT_NE(list.end(), at) << one["name"];
    auto const msg = *at;
    ASSERT_TRUE(msg);
    EXPECT_EQ(wanted["offset"], msg->buffer - raw.data.get()) << one["name"];
    EXPECT_EQ(std::stoul(wanted["buffer_size"].get<std::string>()), msg->buffer_size);
    EXPECT_LE(msg->payload + msg->payload_size, raw.data.get() + raw.size);
    ++at;
  }
  EXPECT_EQ(list.end(), at) << one["name"];
  if (all_inside) {
    auto const left = one["result_with_0xcc_after_buffer"]["remaining"].get<std::string>();
    EXPECT_EQ(std::stoul(left), at.remaining()) << one["name"];
  }
}

}  // namespace

static_assert(std::is_same_v<message_type_base, std::uint16_t>);
static_assert(MSG_UNKNOWN == 0 && MSG_CHANNEL_NEW == 10 && MSG_CHANNEL_ACKNOWLEDGE == 11
    && MSG_CHANNEL_FINALIZE == 12 && MSG_CHANNEL_COOKIE == 13 && MSG_DATA == 20);
static_assert(std::is_same_v<messages::value_type, std::unique_ptr<message>>);
static_assert(std::is_base_of_v<std::input_iterator_tag,
    std::iterator_traits<messages::iterator>::iterator_category>);
static_assert(std::has_virtual_destructor_v<message>);

TEST(Message, payload_sizes)
{
  ASSERT_EQ(6, message_payload_size(MSG_CHANNEL_NEW));
  ASSERT_EQ(12, message_payload_size(MSG_CHANNEL_ACKNOWLEDGE));
  ASSERT_EQ(10, message_payload_size(MSG_CHANNEL_FINALIZE));
  ASSERT_EQ(6, message_payload_size(MSG_CHANNEL_COOKIE));
  ASSERT_EQ(-1, message_payload_size(MSG_DATA));
  for (message_type_base const type : {0, 1, 9, 14, 19, 21, 127, 65535}) {
    ASSERT_EQ(-2, message_payload_size(type)) << type;
  }
}

TEST(Message, parse_later)
{
  auto const raw = help::from_hex("0a1234beefb4beff");
  message msg{raw.data(), raw.size(), false};
  ASSERT_EQ(MSG_UNKNOWN, msg.type);
  ASSERT_EQ(raw.size(), msg.input_size);
  auto const [err, text] = msg.parse();
  ASSERT_EQ(ERR_SUCCESS, err) << text;
  ASSERT_EQ(MSG_CHANNEL_NEW, msg.type);
  ASSERT_EQ(7u, msg.buffer_size);
  ASSERT_EQ(7u, msg.serialized_size());
  ASSERT_EQ(6u, msg.payload_size);
  ASSERT_EQ(raw.data() + 1, msg.payload);
}

TEST(Message, constructor_throws_what_parse_returns)
{
  std::pair<std::string, channeler::error_t> const cases[] = {
      {"7f", ERR_INVALID_MESSAGE_TYPE},
      {"0a1234", ERR_INSUFFICIENT_BUFFER_SIZE},
      {"1405ff", ERR_INSUFFICIENT_BUFFER_SIZE},
      {"1480", ERR_DECODE},
      {"80", ERR_DECODE},
      {"", ERR_DECODE},
  };
  for (auto const & [hex, code] : cases) {
    help::exact const raw{help::from_hex(hex)};
    message later{raw.data.get(), raw.size, false};
    ASSERT_EQ(code, later.parse().first) << hex;
    try {
      message now{raw.data.get(), raw.size};
      FAIL() << hex;
    }
    catch (channeler::exception const & ex) {
      ASSERT_EQ(code, ex.code()) << hex;
    }
    ASSERT_FALSE(parse_message(raw.data.get(), raw.size));
  }
  message const none{nullptr, 0, false};
  ASSERT_FALSE(extract_message_features(none));
  ASSERT_FALSE(parse_message(nullptr, 42));
}

TEST(Message, fields_through_casts)
{
  auto const raw = help::from_hex("0b56781234beefb4bedeadd00d");
  auto const msg = parse_message(raw.data(), raw.size());
  auto const * const ack = reinterpret_cast<message_channel_acknowledge *>(msg.get());
  ASSERT_EQ((channelid{0x1234, 0x5678}), ack->id);
  ASSERT_EQ(0xbeefb4be, ack->cookie1);
  ASSERT_EQ(0xdeadd00d, ack->cookie2);

  auto const opening = help::from_hex("0a1234beefb4be");
  message const plain{opening.data(), opening.size()};
  auto const features = message_channel_new::extract_features(plain);
  auto const * const fresh = reinterpret_cast<message_channel_new *>(features.get());
  ASSERT_EQ(0x1234, fresh->initiator_part);
  ASSERT_EQ(0xbeefb4be, fresh->cookie1);
  ASSERT_FALSE(message_data::extract_features(plain));
  ASSERT_FALSE(message_channel_finalize::extract_features(plain));

  auto const last = help::from_hex("0c567812343987886e0005");
  auto const parsed = parse_message(last.data(), last.size());
  auto const * const final_one = dynamic_cast<message_channel_finalize *>(parsed.get());
  ASSERT_NE(nullptr, final_one);
  ASSERT_EQ((channelid{0x1234, 0x5678}), final_one->id);
  ASSERT_EQ(0x3987886e, final_one->cookie2);
  ASSERT_TRUE(final_one->capabilities[CAP_RESEND] && final_one->capabilities[CAP_CLOSE_ON_LOSS]);
  ASSERT_FALSE(final_one->capabilities[CAP_ORDERED]);

  auto const early = help::from_hex("0ddeadd00d0007");
  auto const cookie_msg = parse_message(early.data(), early.size());
  auto const * const either = reinterpret_cast<message_channel_cookie *>(cookie_msg.get());
  ASSERT_EQ(0xdeadd00d, either->either_cookie);
  ASSERT_EQ(7u, either->capabilities.to_ulong());
}

TEST(Message, data_is_created_and_parsed)
{
  auto text = help::from_text("hello");
  for (auto const & msg :
      {message_data::create(text.data(), text.size()), message_data::create(text)})
  {
    ASSERT_TRUE(msg);
    ASSERT_EQ(MSG_DATA, msg->type);
    ASSERT_EQ(5u, msg->payload_size);
    ASSERT_EQ(7u, msg->serialized_size());
    ASSERT_EQ("140568656c6c6f", serialized(msg));
  }
  ASSERT_FALSE(message_data::create(nullptr, 0));
  ASSERT_FALSE(message_data::create(text.data(), 0));
  help::bytes empty;
  ASSERT_FALSE(message_data::create(empty));

  auto const raw = help::from_hex("140568656c6c6f");
  auto const parsed = parse_message(raw.data(), raw.size());
  auto const * const data = reinterpret_cast<message_data *>(parsed.get());
  ASSERT_EQ(raw.data() + 2, data->payload);
  ASSERT_EQ(5u, data->payload_size);
}

TEST(Message, each_type_serializes_by_itself)
{
  channeler::byte out[32];
  message_channel_new const one{0x1234, 0xbeefb4be};
  ASSERT_EQ(7u, message_channel_new::serialize(out, sizeof out, one));
  ASSERT_EQ("0a1234beefb4be", help::to_hex(out, 7));
  message_channel_acknowledge const two{{0x1234, 0x5678}, 0xbeefb4be, 0xdeadd00d};
  ASSERT_EQ(13u, message_channel_acknowledge::serialize(out, sizeof out, two));
  ASSERT_EQ(0u, message_channel_acknowledge::serialize(out, 12, two));
  message_channel_finalize const three{{0x1234, 0x5678}, 0x3987886e, capabilities_t{1}};
  ASSERT_EQ(11u, message_channel_finalize::serialize(out, sizeof out, three));
  message_channel_cookie const four{1, capabilities_t{}};
  ASSERT_EQ(7u, message_channel_cookie::serialize(out, sizeof out, four));
  ASSERT_EQ(0u, serialize_message(out, sizeof out, nullptr));
  ASSERT_EQ(0u, serialize_message(nullptr, 0, message_data::create(out, 3)));
}

TEST(Messages, trailing_junk_ends_the_iteration)
{
  auto const raw = help::from_hex("1406beefb4be00000abeefbeefb4be0dbeefb4be0000beefb4be");
  std::vector<message_type> types;
  messages const list{raw.data(), raw.size()};
  for (auto const msg : list) {
    types.push_back(msg->type);
  }
  ASSERT_EQ((std::vector<message_type>{MSG_DATA, MSG_CHANNEL_NEW, MSG_CHANNEL_COOKIE}), types);
  ASSERT_EQ(4u, list.remaining());
  auto at = list.begin();
  ASSERT_EQ(raw.size(), at.remaining());
  auto const before = at++;
  ASSERT_TRUE(before != at && before == list.begin() && at != list.end());
  ASSERT_EQ(raw.size() - 8, at.remaining());
  ++at;
  ++at;
  ASSERT_EQ(list.end(), at);
  ASSERT_EQ(4u, at.remaining());
  ASSERT_FALSE(*at);
  ++at;
  ASSERT_EQ(list.end(), at);
  ASSERT_EQ(3, std::distance(list.begin(), list.end()));
  messages const none{nullptr, 0};
  ASSERT_EQ(none.begin(), none.end());
}

TEST(MessageVectors, of_the_project)
{
  auto const vectors = help::own_vectors("v0.json");
  for (auto const & one : vectors["messages"]["valid"]) {
    check_valid(one["type"], one["hex"], one);
  }
  for (auto const & one : vectors["messages"]["bad"]) {
    help::exact const raw{help::from_hex(one["hex"])};
    message msg{raw.data.get(), raw.size, false};
    auto const code = msg.parse().first;
    EXPECT_EQ(one["error"] == "unknown", code == ERR_INVALID_MESSAGE_TYPE) << one["name"];
    EXPECT_NE(ERR_SUCCESS, code) << one["name"];
  }
  for (auto const & one : vectors["payloads"]) {
    help::exact const raw{help::from_hex(one["hex"])};
    messages const list{raw.data.get(), raw.size};
    std::size_t count = 0;
    for (auto const msg : list) {
      std::ostringstream type;
      type << msg->type;
      ASSERT_LT(count, one["types"].size()) << one["name"];
      EXPECT_EQ("MSG_" + one["types"][count++].get<std::string>(), type.str());
    }
    EXPECT_EQ(one["types"].size(), count) << one["name"];
    EXPECT_EQ(one["remaining"], list.remaining()) << one["name"];
  }
}

TEST(MessageVectors, of_the_reference)
{
  auto const vectors = help::reference_vectors("messages.json");
  SKIP_WITHOUT(vectors);
  for (auto const & one : vectors["valid"]) {
    check_valid(one["type"], one["hex"], one.value("fields", help::json::object()));
  }
  for (auto const & one : vectors["data_headers"]) {
    help::bytes data(one["payload_len"].get<std::size_t>());
    for (std::size_t at = 0; at < data.size(); ++at) {
      data[at] = static_cast<channeler::byte>(at * 7 + 3);
    }
    EXPECT_EQ(one["header_hex"].get<std::string>() + help::to_hex(data),
        serialized(message_data::create(data)));
  }
  for (auto const & [type, size] : vectors["payload_size"].items()) {
    EXPECT_EQ(size, message_payload_size(static_cast<message_type_base>(std::stoul(type))));
  }
}

TEST(MessageVectors, malformed_ones_of_the_reference)
{
  auto const vectors = help::reference_vectors("malformed_messages.json");
  SKIP_WITHOUT(vectors);
  for (auto const & one : vectors["single"]) {
    auto const & result = one["result_with_0xcc_after_buffer"];
    help::exact const raw{help::from_hex(one["hex"])};
    message msg{raw.data.get(), raw.size, false};
    auto const code = msg.parse().first;
    bool const is_bad = one["overread"] == true || result["parse"] != "ERR_SUCCESS"
        || result.value("runs_past_end", false);
    EXPECT_EQ(is_bad, code != ERR_SUCCESS) << one["name"];
    EXPECT_EQ(is_bad, !parse_message(raw.data.get(), raw.size)) << one["name"];
    // A varint that ends with the buffer is one, which the reference does not know.
    if (result["parse"] != "ERR_SUCCESS" && one["hex"] != "148000") {
      EXPECT_EQ(result["parse"], error_name(code)) << one["name"];
    }
  }
  for (auto const & one : vectors["iteration"]) {
    auto const & result = one["result_with_0xcc_after_buffer"];
    bool all_inside = true;
    for (auto const & wanted : result["messages"]) {
      all_inside = all_inside && wanted.is_object() && wanted["runs_past_end"] == false;
    }
    check_iteration(one, result["messages"], all_inside);
  }
}
