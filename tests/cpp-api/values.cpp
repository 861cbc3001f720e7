// Values: errors and results, views, peer ids, addresses, settings, names.
#include "pair.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <sstream>
#include <type_traits>
#include <unordered_set>

TEST(Version, IsTheLibrarysAndTheHeaders)
{
    EXPECT_EQ(net::version(), net::header_version);
    EXPECT_EQ(net::abi_version(), net::header_abi_version);
}

TEST(Error, HasTheNumberTheNameAndWhatExactlyWasWrong)
{
    const auto made = net::address::parse("nonsense");
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error(), net::errc::invalid_address);
    EXPECT_EQ(net::errc::invalid_address, made.error());
    EXPECT_NE(made.error(), net::errc::ok);
    EXPECT_EQ(made.error().name(), "CHANNELER_ERR_INVALID_ADDRESS");
    EXPECT_NE(made.error().message().find("nonsense"), std::string_view::npos);
    EXPECT_EQ(made.error().message(), net::last_error());
    std::ostringstream out;
    out << made.error();
    EXPECT_EQ(out.str(), std::string(made.error().message()) + " (CHANNELER_ERR_INVALID_ADDRESS)");
}

TEST(Error, KeepsItsTextWhenAnotherCallFails)
{
    const auto first = net::address::parse("nonsense");
    EXPECT_FALSE(net::peer_id::parse("other"));
    EXPECT_NE(first.error().message().find("nonsense"), std::string_view::npos);
}

TEST(Error, WithoutATextOfItsOwnSaysWhatTheCodeMeans)
{
    const net::error error(net::errc::would_block);
    EXPECT_EQ(error.message(), net::error_text(net::errc::would_block));
    EXPECT_EQ(net::error_name(net::errc::would_block), "CHANNELER_ERR_WOULD_BLOCK");
}

TEST(Result, ThrowsWhenThereIsNoValue)
{
    auto failed = net::address::parse("nonsense");
    EXPECT_THROW(static_cast<void>(*failed), net::exception);
    EXPECT_THROW(failed->port(), net::exception);
    EXPECT_THROW(std::move(failed).value(), net::exception);
    try {
        net::result<void>(net::error(net::errc::limit, "too many")).value();
        FAIL() << "nothing was thrown";
    } catch (const net::exception &thrown) {
        EXPECT_EQ(thrown.code(), net::errc::limit);
        EXPECT_EQ(thrown.error().message(), "too many");
        EXPECT_STREQ(thrown.what(), "too many (CHANNELER_ERR_LIMIT)");
    }
}

TEST(Result, GivesItsValueAndNoError)
{
    const auto made = net::address::parse("192.0.2.1:7");
    ASSERT_TRUE(made.has_value());
    EXPECT_EQ(made.error(), net::errc::ok);
    EXPECT_EQ(made->port(), 7);
    EXPECT_EQ((*made).port(), 7);
    EXPECT_TRUE(net::result<void>());
    EXPECT_EQ(*net::result<std::string>(std::string("moved")), "moved");
}

TEST(Bytes, AreTakenFromAnythingThatHoldsBytes)
{
    const std::uint8_t raw[] = {'a', 0, 'c'};
    const std::string with_zero("a\0c", 3);
    const std::vector<std::uint8_t> vector(raw, raw + 3);
    const std::array<std::byte, 3> array{std::byte{'a'}, std::byte{0}, std::byte{'c'}};
    for (const net::bytes view :
         {net::bytes(raw), net::bytes(with_zero), net::bytes(vector), net::bytes(array),
          net::bytes(raw, 3), net::bytes(std::string_view(with_zero))}) {
        ASSERT_EQ(view.size(), 3u);
        EXPECT_EQ(view.text(), with_zero);
        EXPECT_EQ(view[2], 'c');
        EXPECT_EQ(std::vector<std::uint8_t>(view.begin(), view.end()), vector);
    }
    // A literal is text: the zero at its end is no part of it.
    EXPECT_EQ(net::bytes("hello").size(), 5u);
    EXPECT_TRUE(net::bytes().empty());
    static_assert(!std::is_convertible_v<std::vector<int>, net::bytes>);
    static_assert(!std::is_convertible_v<std::string, net::mutable_bytes>, "a temporary");
    static_assert(!std::is_convertible_v<const std::string &, net::mutable_bytes>);
}

TEST(Bytes, RoomIsTakenFromAnythingThatCanBeWritten)
{
    std::string text(4, ' ');
    std::vector<std::byte> vector(4);
    std::uint8_t raw[4];
    for (const net::mutable_bytes room :
         {net::mutable_bytes(text), net::mutable_bytes(vector), net::mutable_bytes(raw),
          net::mutable_bytes(raw, sizeof raw)}) {
        ASSERT_EQ(room.size(), 4u);
        room.data()[3] = 'x';
        EXPECT_EQ(net::bytes(room)[3], 'x');
    }
    EXPECT_EQ(text, "   x");
}

TEST(Span, IsAViewOfARow)
{
    std::vector<int> row{1, 2, 3};
    const net::span<const int> view = row;
    EXPECT_EQ(view.data(), row.data());
    EXPECT_EQ(std::vector<int>(view.begin(), view.end()), row);
    EXPECT_EQ(view[1], 2);
    EXPECT_TRUE(net::span<int>().empty());
    static_assert(!std::is_constructible_v<net::span<int>, const std::vector<int> &>);
}

TEST(PeerId, IsReadAndWrittenAsText)
{
    const std::string text = "0x000102030405060708090a0b0c0d0e0f";
    const net::peer_id peer = net::peer_id::parse(text).value();
    EXPECT_EQ(peer.text(), text);
    EXPECT_EQ(net::peer_id::parse(text.substr(2)).value(), peer);
    EXPECT_EQ(peer.bytes()[15], 15);
    EXPECT_EQ(peer.capi().bytes[15], 15);
    EXPECT_EQ(net::peer_id(peer.capi()), peer);
    EXPECT_EQ(net::peer_id::parse("0x12").error(), net::errc::decode);
    // C would see only what is before the zero byte.
    EXPECT_EQ(net::peer_id::parse(text + std::string("\0", 1)).error(), net::errc::decode);
    std::ostringstream out;
    out << peer;
    EXPECT_EQ(out.str(), text);
}

TEST(PeerId, IsComparedAndHashed)
{
    EXPECT_NE(net::peer_id::random().value(), net::peer_id::random().value());
    EXPECT_EQ(net::peer_id(), peer_of(0));
    EXPECT_LT(peer_of(1), peer_of(0xff));
    const std::unordered_set<net::peer_id> set{peer_of(1), peer_of(2), peer_of(1)};
    EXPECT_EQ(set.size(), 2u);
}

TEST(Address, IsReadAndWrittenAsText)
{
    const net::address four = address_of("192.0.2.1:7000");
    EXPECT_EQ(four.family(), net::family::ipv4);
    EXPECT_EQ(four.port(), 7000);
    EXPECT_EQ(four.ip().text(), "\xc0\x00\x02\x01"sv);
    const net::address six = address_of("[fe80::1%3]:7");
    EXPECT_EQ(six.family(), net::family::ipv6);
    EXPECT_EQ(six.scope_id(), 3u);
    EXPECT_EQ(six.ip().size(), 16u);
    EXPECT_EQ(six.text(), "[fe80::1%3]:7");
    EXPECT_EQ(net::address::parse(std::string("1.2.3.4:5\0", 10)).error(),
              net::errc::invalid_address);
    std::ostringstream out;
    out << four << net::address();
    EXPECT_EQ(out.str(), "192.0.2.1:7000");
    const std::unordered_set<net::address> set{four, six, four};
    EXPECT_EQ(set.size(), 2u);
    EXPECT_NE(four, address_of("192.0.2.1:7001"));
    EXPECT_NE(six, address_of("[fe80::1%4]:7"));
}

TEST(Address, OfNothingIsNone)
{
    const net::address none;
    EXPECT_FALSE(none);
    EXPECT_EQ(none.family(), net::family::none);
    EXPECT_TRUE(none.ip().empty());
    EXPECT_THROW(none.text(), net::exception);
}

TEST(Address, GoesToTheSystemsFormAndBack)
{
    const net::address address = address_of("[2001:db8::1]:7000");
    sockaddr_storage storage = {};
    const std::size_t length = address.to_sockaddr(&storage, sizeof storage).value();
    EXPECT_EQ(length, sizeof(sockaddr_in6));
    EXPECT_EQ(net::address::from_sockaddr(&storage, length).value(), address);
    EXPECT_EQ(net::address::from_sockaddr(&storage, 3).error(), net::errc::invalid_address);
    EXPECT_EQ(address.to_sockaddr(&storage, 3).error(), net::errc::insufficient_buffer_size);
}

TEST(Options, AreTheLibrarysDefaultsUntilChanged)
{
    channeler_options raw;
    ASSERT_EQ(channeler_options_init(&raw, sizeof raw), CHANNELER_OK);
    const channeler_options defaults = net::options().capi();
    EXPECT_EQ(std::memcmp(&raw, &defaults, sizeof raw), 0);
    EXPECT_EQ(net::options().idle_timeout, 60s);
    EXPECT_EQ(net::options().connections_max, 16384u);
}

template <class Field> net::options with(Field net::options::*field, Field value)
{
    net::options options;
    options.*field = value;
    return options;
}

// What differs from the defaults is this field alone. Returns the field's size.
template <class Field>
std::size_t reaches(const net::options &changed, Field channeler_options::*field,
                    std::common_type_t<Field> value)
{
    const channeler_options defaults = net::options().capi();
    channeler_options raw = changed.capi();
    EXPECT_EQ(raw.*field, value);
    EXPECT_NE(raw.*field, defaults.*field) << "the value must not be the default";
    raw.*field = defaults.*field;
    EXPECT_EQ(std::memcmp(&raw, &defaults, sizeof raw), 0);
    return sizeof(Field);
}

TEST(Options, EachSettingReachesItsOwnField)
{
    std::size_t sum = 0; // of bytes
    using o = net::options;
    using c = channeler_options;
    sum += reaches(with(&o::mode, net::mode::sans_io), &c::mode, 1);
    sum += reaches(with(&o::legacy, net::legacy::only), &c::legacy, 2);
    sum += reaches(with(&o::accept_incoming, false), &c::accept_incoming, 0);
    sum += reaches(with(&o::padding, true), &c::padding, 1);
    sum += reaches(with<std::uint32_t>(&o::packet_size, 601), &c::packet_size, 601);
    sum += reaches(with<std::uint32_t>(&o::segments_max, 7), &c::segments_max, 7);
    sum += reaches(with<std::uint32_t>(&o::handshake_retries, 9), &c::handshake_retries, 9);
    sum += reaches(with(&o::log_level, net::log_level::error), &c::log_level, CHANNELER_LOG_ERROR);
    using ns = std::chrono::nanoseconds;
    sum += reaches(with<ns>(&o::bundle_delay, 11us), &c::bundle_delay_ns, 11000);
    sum += reaches(with<ns>(&o::handshake_timeout, 12ns), &c::handshake_timeout_ns, 12);
    sum += reaches(with<ns>(&o::cookie_epoch, 13s), &c::cookie_epoch_ns, 13000000000);
    sum += reaches(with<ns>(&o::idle_timeout, 14ns), &c::idle_timeout_ns, 14);
    sum += reaches(with<ns>(&o::keep_alive, 15ns), &c::keep_alive_ns, 15);
    sum += reaches(with<ns>(&o::spin, 16ns), &c::spin_ns, 16);
    using u64 = std::uint64_t;
    sum += reaches(with<u64>(&o::connections_max, 17), &c::connections_max, 17);
    sum += reaches(with<u64>(&o::connections_per_address_max, 18),
                   &c::connections_per_address_max, 18);
    sum += reaches(with<u64>(&o::channels_per_connection_max, 19),
                   &c::channels_per_connection_max, 19);
    sum += reaches(with<u64>(&o::channels_max, 20), &c::channels_max, 20);
    sum += reaches(with<u64>(&o::send_queue_bytes_max, 21), &c::send_queue_bytes_max, 21);
    sum += reaches(with<u64>(&o::send_queue_packets_max, 22), &c::send_queue_packets_max, 22);
    sum += reaches(with<u64>(&o::node_send_queue_bytes_max, 23), &c::node_send_queue_bytes_max, 23);
    sum += reaches(with<u64>(&o::receive_queue_bytes_max, 24), &c::receive_queue_bytes_max, 24);
    sum += reaches(with<u64>(&o::receive_queue_messages_max, 25),
                   &c::receive_queue_messages_max, 25);
    sum += reaches(with<u64>(&o::node_receive_queue_bytes_max, 26),
                   &c::node_receive_queue_bytes_max, 26);
    sum += reaches(with<u64>(&o::replies_max, 27), &c::replies_max, 27);
    sum += reaches(with<u64>(&o::events_max, 28), &c::events_max, 28);

    EXPECT_EQ(sum, offsetof(channeler_options, seed) - offsetof(channeler_options, mode));

    sum = 0;
    sum += reaches(with(&o::congestion, net::congestion::newreno), &c::congestion, 1);
    sum += reaches(with(&o::early_data, true), &c::early_data, 1);
    sum += reaches(with(&o::half_close, true), &c::half_close, 1);
    sum += reaches(with(&o::always_cookie, true), &c::always_cookie, 1);
    sum += reaches(with<ns>(&o::attempt_timeout, 29ns), &c::attempt_timeout_ns, 29);
    sum += reaches(with<ns>(&o::dial_timeout, 30ns), &c::dial_timeout_ns, 30);
    sum += reaches(with<ns>(&o::linger, 31ns), &c::linger_ns, 31);
    sum += reaches(with<ns>(&o::ack_delay, 32ns), &c::ack_delay_ns, 32);
    sum += reaches(with<u64>(&o::half_open_free_max, 33), &c::half_open_free_max, 33);
    sum += reaches(with<u64>(&o::half_open_max, 34), &c::half_open_max, 34);
    sum += reaches(with<u64>(&o::early_bytes_max, 35), &c::early_bytes_max, 35);
    sum += reaches(with<u64>(&o::tickets_max, 36), &c::tickets_max, 36);
    sum += reaches(with<u64>(&o::peer_channels_max, 37), &c::peer_channels_max, 37);
    sum += reaches(with<u64>(&o::message_bytes_max, 38), &c::message_bytes_max, 38);
    sum += reaches(with<u64>(&o::send_low_water_bytes, 39), &c::send_low_water_bytes, 39);
    sum += reaches(with<u64>(&o::receive_window_min, 40), &c::receive_window_min, 40);
    sum += reaches(with<u64>(&o::connection_receive_bytes_max, 41),
                   &c::connection_receive_bytes_max, 41);
    sum += reaches(with<u64>(&o::node_receive_bytes_max, 42), &c::node_receive_bytes_max, 42);
    sum += reaches(with<u64>(&o::loss_tolerance_percent, 43), &c::loss_tolerance_percent, 43);
    sum += reaches(with<u64>(&o::packet_size_max, 44), &c::packet_size_max, 44);

    channeler_options raw = with(&o::peer_id, peer_of(5)).capi();
    EXPECT_EQ(raw.peer_id.bytes[15], 5);
    net::options seeded;
    seeded.seed.fill(6);
    EXPECT_EQ(seeded.capi().seed[31], 6);
    net::options known;
    EXPECT_EQ(known.capi().identity, nullptr);
    EXPECT_EQ(known.capi().instance_label, nullptr);
    known.identity = net::identity::generate().value();
    known.instance_label = "second";
    EXPECT_EQ(known.capi().identity, known.identity->pem());
    EXPECT_STREQ(known.capi().instance_label, "second");
    // Beside these, nothing is left out but profile and reserved.
    sum += sizeof raw.identity + sizeof raw.instance_label + sizeof raw.profile +
           sizeof raw.reserved;
    EXPECT_EQ(sum, sizeof raw - offsetof(channeler_options, profile));
}

TEST(Options, OutOfTheirRangeAreRefusedByName)
{
    net::options options;
    options.idle_timeout = -1s;
    const auto made = net::node::create(options);
    EXPECT_EQ(made.error(), net::errc::invalid_argument);
    EXPECT_NE(made.error().message().find("idle_timeout"), std::string_view::npos);
}

TEST(ChannelOptions, HoldCapabilitiesOrderAndLabel)
{
    net::channel_options options;
    EXPECT_EQ(options.priority, 3u);
    EXPECT_EQ(options.weight, 16u);
    EXPECT_EQ(options.capi().label, nullptr);
    options.priority = 7;
    options.weight = 255;
    options.label = "a\0b"s;
    EXPECT_EQ(options.capi().priority, 7u);
    EXPECT_EQ(options.capi().weight, 255u);
    EXPECT_EQ(options.capi().label_length, 3u);
    EXPECT_EQ(net::bytes(options.capi().label, 3).text(), "a\0b"sv);
    EXPECT_EQ(options.capabilities, net::capabilities::none);
    options.capabilities = net::capabilities::resend | net::capabilities::close_on_loss;
    EXPECT_EQ(options.capi().capabilities, 5u);
    EXPECT_EQ(options.capabilities & net::capabilities::ordered, net::capabilities::none);
}

TEST(ChannelOptions, HoldWhatAMessageIsWorth)
{
    net::channel_options options = net::capabilities::partially_reliable_ordered;
    EXPECT_EQ(options.capi().capabilities, 3u);
    EXPECT_EQ(options.capi().resend_limit, net::resend_always);
    EXPECT_EQ(options.capi().message_lifetime_ns, 0u);
    options.resend_limit = 2;
    options.message_lifetime = 5ms;
    EXPECT_EQ(options.capi().resend_limit, 2u);
    EXPECT_EQ(options.capi().message_lifetime_ns, 5000000u);
    using net::capabilities;
    EXPECT_EQ(capabilities::reliable_ordered,
              capabilities::resend | capabilities::ordered | capabilities::close_on_loss);
    EXPECT_EQ(capabilities::reliable, capabilities::resend | capabilities::close_on_loss);
    EXPECT_EQ(capabilities::loss_closes_ordered,
              capabilities::ordered | capabilities::close_on_loss);
}

TEST(SendOptions, AreTheDefaultsUnlessChanged)
{
    net::send_options options;
    channeler_send_options raw = options.capi();
    EXPECT_EQ(raw.struct_size, sizeof raw);
    EXPECT_EQ(raw.lifetime_ns, CHANNELER_LIFETIME_OF_CHANNEL);
    EXPECT_EQ(raw.report, 0u);
    EXPECT_EQ(raw.may_replay, 0u);
    options.lifetime = 0ns;
    options.report = 0;
    options.may_replay = true;
    raw = options.capi();
    EXPECT_EQ(raw.lifetime_ns, 0u);
    EXPECT_EQ(raw.report, 1u);
    EXPECT_EQ(raw.context, 0u);
    EXPECT_EQ(raw.may_replay, 1u);
    options.report = 77;
    EXPECT_EQ(options.capi().context, 77u);
    for (const auto negative : {-1ns, -1000000000ns}) {
        options.lifetime = negative;
        EXPECT_GT(options.capi().lifetime_ns, std::uint64_t(1) << 62);
        EXPECT_NE(options.capi().lifetime_ns, CHANNELER_LIFETIME_OF_CHANNEL);
    }
}

TEST(DialOptions, AreOfVersion1UnlessChanged)
{
    net::dial_options options(peer_of(1), address_of("192.0.2.1:7"));
    EXPECT_EQ(options.protocol, net::protocol::v1);
    EXPECT_EQ(net::dial_options().capi().address.family, CHANNELER_FAMILY_NONE);
    options.protocol = net::protocol::v0;
    const channeler_dial_options raw = options.capi();
    EXPECT_EQ(raw.protocol, std::uint32_t(CHANNELER_PROTOCOL_V0));
    EXPECT_EQ(net::peer_id(raw.peer), peer_of(1));
    EXPECT_EQ(net::address(raw.address), options.address);
}

TEST(DropReason, HasAName)
{
    EXPECT_EQ(net::drop_reason_name(net::drop_reason::bad_checksum), "bad_checksum");
    EXPECT_EQ(net::drop_reason_name(net::drop_reason::event_queue_full), "event_queue_full");
    EXPECT_EQ(net::drop_reason_name(net::drop_reason(CHANNELER_DROP_COUNT)), "");
}

TEST(Handles, AreValuesWhichAreHashedAndCompared)
{
    static_assert(std::is_trivially_copyable_v<net::connection>);
    static_assert(std::is_trivially_copyable_v<net::channel>);
    static_assert(std::is_trivially_copyable_v<net::node_ref>);
    const net::channel one(nullptr, {1}), two(nullptr, {2});
    const net::connection three(nullptr, {3}), four(nullptr, {4});
    EXPECT_LT(one, two);
    EXPECT_NE(one, two);
    EXPECT_LT(three, four);
    EXPECT_NE(three, four);
    EXPECT_TRUE(one);
    EXPECT_FALSE(net::channel());
    EXPECT_FALSE(net::connection());
    EXPECT_EQ((std::unordered_set<net::channel>{one, two, one}.size()), 2u);
    EXPECT_EQ((std::unordered_set<net::connection>{three, four, three}.size()), 2u);
}

TEST(Handles, OfNothingAreErrors)
{
    std::array<std::uint8_t, 4> room;
    EXPECT_EQ(net::channel().send("x").error(), net::errc::invalid_argument);
    EXPECT_EQ(net::channel().receive(room).error(), net::errc::invalid_argument);
    EXPECT_EQ(net::channel().info().error(), net::errc::invalid_argument);
    EXPECT_EQ(net::channel().stats().error(), net::errc::invalid_argument);
    EXPECT_EQ(net::channel().close().error(), net::errc::invalid_argument);
    EXPECT_EQ(net::channel().send_early("x").error(), net::errc::invalid_argument);
    EXPECT_EQ(net::channel().reset().error(), net::errc::invalid_argument);
    EXPECT_EQ(net::channel().label().error(), net::errc::invalid_argument);
    EXPECT_EQ(net::connection().open_channel().error(), net::errc::invalid_argument);
    EXPECT_EQ(net::connection().info().error(), net::errc::invalid_argument);
    EXPECT_EQ(net::connection().stats().error(), net::errc::invalid_argument);
    EXPECT_EQ(net::connection().close().error(), net::errc::invalid_argument);
    EXPECT_EQ(net::connection().close(1, "x").error(), net::errc::invalid_argument);
    EXPECT_EQ(net::connection().update_keys().error(), net::errc::invalid_argument);
    EXPECT_EQ(net::node_ref().identity().error(), net::errc::invalid_argument);
    EXPECT_EQ(net::node_ref().public_key().error(), net::errc::invalid_argument);
    EXPECT_EQ(net::node_ref().flush().error(), net::errc::invalid_argument);
    EXPECT_FALSE(net::channel().node());
    EXPECT_FALSE(net::connection().node());
}
