// Where a peer is.
// Part of channeler/channeler.hpp: include that.

#ifndef CHANNELER_NET_ADDRESS_HPP
#define CHANNELER_NET_ADDRESS_HPP

#include <channeler/net/peer_id.hpp>

namespace channeler {
namespace net {

/// A UDP address.
class address {
public:
    /// None.
    address() = default;
    explicit address(const channeler_address &raw) noexcept : raw_(raw) {}

    static result<address> parse(std::string_view text)
    {
        if (detail::has_zero(text))
            return error(errc::invalid_address, "the text has a zero byte inside");
        channeler_address raw;
        const std::int32_t status = channeler_address_parse(std::string(text).c_str(), &raw);
        return detail::made(status, [&] { return address(raw); });
    }

    /// `from` is a sockaddr_in or sockaddr_in6.
    static result<address> from_sockaddr(const void *from, std::size_t length)
    {
        channeler_address raw;
        const std::int32_t status = channeler_address_from_sockaddr(from, length, &raw);
        return detail::made(status, [&] { return address(raw); });
    }

    /// Returns how many bytes of `out` were written.
    result<std::size_t> to_sockaddr(void *out, std::size_t capacity) const
    {
        std::size_t length = 0;
        const std::int32_t status = channeler_address_to_sockaddr(&raw_, out, capacity, &length);
        return detail::made(status, [&] { return length; });
    }

    /// Throws when there is no address.
    std::string text() const
    {
        char buffer[CHANNELER_ADDRESS_TEXT_MAX] = {};
        detail::done(channeler_address_format(&raw_, buffer, sizeof buffer)).value();
        return buffer;
    }

    net::family family() const noexcept { return net::family(raw_.family); }
    std::uint16_t port() const noexcept { return raw_.port; }
    std::uint32_t scope_id() const noexcept { return raw_.scope_id; }

    /// 4 bytes, 16, or none.
    bytes ip() const noexcept
    {
        const bool is_ipv4 = family() == net::family::ipv4;
        return {raw_.ip, is_ipv4 ? 4 : family() == net::family::ipv6 ? sizeof raw_.ip : 0};
    }

    explicit operator bool() const noexcept { return family() != net::family::none; }
    const channeler_address &capi() const noexcept { return raw_; }

private:
    channeler_address raw_ = {};
};

inline bool operator==(const address &left, const address &right) noexcept
{
    return left.family() == right.family() && left.port() == right.port() &&
           left.scope_id() == right.scope_id() && left.ip().text() == right.ip().text();
}
inline bool operator!=(const address &left, const address &right) noexcept
{
    return !(left == right);
}

/// Writes the text; nothing when there is no address.
inline std::ostream &operator<<(std::ostream &out, const address &address)
{
    return address ? out << address.text() : out;
}

} // namespace net
} // namespace channeler

namespace std {

template <> struct hash<channeler::net::address> {
    size_t operator()(const channeler::net::address &address) const noexcept
    {
        return hash<string_view>()(address.ip().text()) ^ address.port();
    }
};

} // namespace std

#endif
