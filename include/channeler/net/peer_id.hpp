// Who a peer is.
// Part of channeler/channeler.hpp: include that.

#ifndef CHANNELER_NET_PEER_ID_HPP
#define CHANNELER_NET_PEER_ID_HPP

#include <channeler/net/bytes.hpp>
#include <channeler/net/error.hpp>

#include <array>
#include <cstring>
#include <functional>

namespace channeler {
namespace net {

namespace detail {

/// C strings end at a zero byte: a text with one inside would be cut, and then mean something else.
inline bool has_zero(std::string_view text) noexcept
{
    return text.find('\0') != std::string_view::npos;
}

} // namespace detail

/// Who a peer is.
class peer_id {
public:
    /// None.
    peer_id() = default;
    explicit peer_id(const channeler_peer_id &raw) noexcept : raw_(raw) {}
    explicit peer_id(const std::array<std::uint8_t, 16> &from) noexcept
    {
        std::memcpy(raw_.bytes, from.data(), from.size());
    }

    static result<peer_id> random()
    {
        channeler_peer_id raw;
        return detail::made(channeler_peer_id_random(&raw), [&] { return peer_id(raw); });
    }

    static result<peer_id> parse(std::string_view text)
    {
        if (detail::has_zero(text)) return error(errc::decode, "the text has a zero byte inside");
        channeler_peer_id raw;
        const std::int32_t status = channeler_peer_id_parse(std::string(text).c_str(), &raw);
        return detail::made(status, [&] { return peer_id(raw); });
    }

    std::string text() const
    {
        char buffer[CHANNELER_PEER_ID_TEXT_MAX] = {};
        detail::done(channeler_peer_id_format(&raw_, buffer, sizeof buffer)).value();
        return buffer;
    }

    net::bytes bytes() const noexcept { return raw_.bytes; }
    const channeler_peer_id &capi() const noexcept { return raw_; }

private:
    channeler_peer_id raw_ = {};
};

inline bool operator==(const peer_id &left, const peer_id &right) noexcept
{
    return left.bytes().text() == right.bytes().text();
}
inline bool operator!=(const peer_id &left, const peer_id &right) noexcept
{
    return !(left == right);
}
inline bool operator<(const peer_id &left, const peer_id &right) noexcept
{
    return left.bytes().text() < right.bytes().text();
}
inline std::ostream &operator<<(std::ostream &out, const peer_id &peer)
{
    return out << peer.text();
}

} // namespace net
} // namespace channeler

namespace std {

template <> struct hash<channeler::net::peer_id> {
    size_t operator()(const channeler::net::peer_id &peer) const noexcept
    {
        return hash<string_view>()(peer.bytes().text());
    }
};

} // namespace std

#endif
