// Identities and public keys: made, kept as text, read again; and what is none.
#include "pair.hpp"

#include <type_traits>
#include <unordered_set>

namespace {

// Of the private key 9d61b1.. in RFC 8032, section 7.1, test 1, as openssl writes it.
constexpr std::string_view known_pem =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
    "-----END PRIVATE KEY-----\n";

net::node node_with(std::optional<net::identity> identity)
{
    net::options options;
    options.mode = net::mode::sans_io;
    options.identity = std::move(identity);
    return net::node::create(options).value();
}

} // namespace

TEST(Identity, GoesOutAndInAgain)
{
    const net::identity made = net::identity::generate().value();
    const net::identity again = net::identity::from_pem(made.pem()).value();
    EXPECT_EQ(again.public_key(), made.public_key());
    EXPECT_EQ(again.peer_id(), made.public_key().peer_id().value());
    const net::node node = node_with(again);
    EXPECT_EQ(node.peer_id().value(), made.peer_id());
    EXPECT_EQ(node.public_key().value(), made.public_key());
    EXPECT_EQ(node.identity().value().pem(), made.pem());
    EXPECT_NE(net::identity::generate()->public_key(), made.public_key());
}

TEST(Identity, OfAFreshNodeCanBeKept)
{
    net::node first = node_with({});
    const net::identity kept = first.identity().value();
    const net::peer_id peer = first.peer_id().value();
    first.reset();
    EXPECT_EQ(node_with(kept).peer_id().value(), peer);
}

TEST(Identity, IsCopiedMovedAndAssigned)
{
    static_assert(std::is_nothrow_move_constructible_v<net::identity>);
    static_assert(!std::is_default_constructible_v<net::identity>, "there is no key that is none");
    net::identity one = net::identity::from_pem(known_pem).value();
    net::identity copy = one;
    EXPECT_EQ(copy.pem(), known_pem);
    net::identity other = net::identity::generate().value();
    const std::string others = other.pem();
    one = other;
    EXPECT_EQ(one.pem(), others);
    EXPECT_EQ(one.public_key(), other.public_key());
    copy = std::move(other);
    EXPECT_EQ(copy.pem(), others);
    net::identity &itself = copy;
    copy = itself;
    EXPECT_EQ(copy.pem(), others);
}

TEST(Identity, IsRefusedWhenItIsNoKey)
{
    for (const std::string_view text : {""sv, "hello"sv, known_pem.substr(1)}) {
        const auto read = net::identity::from_pem(text);
        EXPECT_EQ(read.error(), net::errc::decode);
        EXPECT_FALSE(read.error().message().empty());
    }
    // C would see only what is before the zero byte.
    EXPECT_EQ(net::identity::from_pem(std::string(known_pem) + "\0more"s).error(),
              net::errc::decode);
    net::options options;
    options.mode = net::mode::sans_io;
    options.legacy = net::legacy::only;
    EXPECT_EQ(net::node::create(options)->public_key().error(), net::errc::unsupported);
    EXPECT_EQ(net::node::create(options)->identity().error(), net::errc::unsupported);
    options.identity = net::identity::from_pem(known_pem).value();
    EXPECT_EQ(net::node::create(options).error(), net::errc::invalid_argument);
}

TEST(PublicKey, IsAValue)
{
    const net::public_key none, key = net::identity::from_pem(known_pem)->public_key();
    EXPECT_FALSE(none);
    EXPECT_TRUE(key);
    EXPECT_NE(none, key);
    EXPECT_LT(none, key);
    EXPECT_EQ(none.peer_id().error(), net::errc::decode);
    EXPECT_EQ(key.bytes().size(), 44u);
    EXPECT_EQ(key.bytes()[43], 0x1a);
    std::array<std::uint8_t, 44> raw;
    std::copy(key.bytes().begin(), key.bytes().end(), raw.begin());
    EXPECT_EQ(net::public_key(raw), key);
    EXPECT_EQ(net::public_key(key.capi()), key);
    EXPECT_EQ((std::unordered_set<net::public_key>{key, none, key}.size()), 2u);
}
