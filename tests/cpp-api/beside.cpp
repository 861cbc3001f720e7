// The C++ API beside the reference's drop-in headers: one program may use both.
#include <channeler/channeler.hpp>

#if __has_include(<channeler/channeler.h>)
#include <channeler/channeler.h>
#include <channeler/message.h>
#include <channeler/packet.h>
#include <channeler/peerid.h>

#include "pair.hpp"

#include <unordered_set>

using namespace channeler;

TEST(Beside, NamesOfBothAreTheirOwn)
{
    const peerid theirs("000102030405060708090a0b0c0d0e0f", 32);
    const net::peer_id ours = net::peer_id::parse(theirs.display()).value();
    EXPECT_EQ(ours.text(), theirs.display());
    EXPECT_EQ(std::memcmp(ours.bytes().data(), theirs.raw, PEERID_SIZE_BYTES), 0);
    const std::unordered_set<net::peer_id> set{ours};
    EXPECT_EQ(set.count(ours), 1u);
    EXPECT_EQ(std::int32_t(net::errc::would_block), 12);
    EXPECT_EQ(std::uint32_t(net::errc::state), std::uint32_t(ERR_STATE));
    EXPECT_STREQ(error_name(ERR_STATE), "ERR_STATE");
    EXPECT_EQ(net::error_name(net::errc::state), "CHANNELER_ERR_STATE");
    static_assert(!std::is_same_v<net::exception, channeler::exception>);
    static_assert(!std::is_same_v<net::message, channeler::message>);
}
#endif
