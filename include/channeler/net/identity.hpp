// The keys by which peers know each other.
// Part of channeler/channeler.hpp: include that.

#ifndef CHANNELER_NET_IDENTITY_HPP
#define CHANNELER_NET_IDENTITY_HPP

#include <channeler/net/peer_id.hpp>

namespace channeler {
namespace net {

/// A peer's public key, as SubjectPublicKeyInfo.
class public_key {
public:
    /// None.
    public_key() = default;
    explicit public_key(const channeler_public_key &raw) noexcept : raw_(raw) {}
    explicit public_key(const std::array<std::uint8_t, 44> &from) noexcept
    {
        std::memcpy(raw_.bytes, from.data(), from.size());
    }

    /// What others know the owner of the key by; an error when the bytes are no key.
    result<net::peer_id> peer_id() const
    {
        channeler_peer_id raw;
        const std::int32_t status = channeler_public_key_peer_id(&raw_, &raw);
        return detail::made(status, [&] { return net::peer_id(raw); });
    }

    net::bytes bytes() const noexcept { return raw_.bytes; }

    /// Whether there is one.
    explicit operator bool() const noexcept
    {
        const channeler_public_key none = {};
        return std::memcmp(&raw_, &none, sizeof none) != 0;
    }

    const channeler_public_key &capi() const noexcept { return raw_; }

private:
    channeler_public_key raw_ = {};
};

inline bool operator==(const public_key &left, const public_key &right) noexcept
{
    return left.bytes().text() == right.bytes().text();
}
inline bool operator!=(const public_key &left, const public_key &right) noexcept
{
    return !(left == right);
}
inline bool operator<(const public_key &left, const public_key &right) noexcept
{
    return left.bytes().text() < right.bytes().text();
}

/// The private key that makes a node the peer that others know: a secret. A copy of it is wiped
/// from memory when it is destroyed.
class identity {
public:
    /// A fresh one.
    static result<identity> generate()
    {
        char text[CHANNELER_IDENTITY_PEM_MAX] = {};
        const std::int32_t status = channeler_identity_generate(text, sizeof text);
        return take(status, text);
    }

    /// Reads the text that pem() gives, and openssl writes.
    static result<identity> from_pem(std::string_view text)
    {
        if (detail::has_zero(text)) return error(errc::decode, "the text has a zero byte inside");
        identity out;
        out.pem_ = text;
        channeler_public_key key;
        const std::int32_t status = channeler_identity_public_key(out.pem_.c_str(), &key);
        if (status != CHANNELER_OK) return detail::failure(status);
        out.public_key_ = net::public_key(key);
        return result<identity>(std::move(out));
    }

    /// The identity of a node.
    static result<identity> of(channeler_node *node)
    {
        char text[CHANNELER_IDENTITY_PEM_MAX] = {};
        const std::int32_t status = channeler_node_identity(node, text, sizeof text);
        return take(status, text);
    }

    identity(const identity &) = default;
    identity(identity &&) noexcept = default;
    identity &operator=(identity other) noexcept
    {
        pem_.swap(other.pem_);
        public_key_ = other.public_key_;
        return *this;
    }
    ~identity() { wipe(pem_.data(), pem_.size()); }

    /// The key as text. Keep it where only you can read it.
    const std::string &pem() const noexcept { return pem_; }

    const net::public_key &public_key() const noexcept { return public_key_; }
    net::peer_id peer_id() const { return public_key_.peer_id().value(); }

private:
    identity() = default;

    static result<identity> take(std::int32_t status, char (&text)[CHANNELER_IDENTITY_PEM_MAX])
    {
        if (status != CHANNELER_OK) return detail::failure(status);
        result<identity> out = from_pem(text);
        wipe(text, sizeof text);
        return out;
    }

    /// As volatile, since a compiler leaves out writes that nobody reads.
    static void wipe(volatile char *text, std::size_t size) noexcept
    {
        for (std::size_t i = 0; i < size; i++) text[i] = 0;
    }

    std::string pem_;
    net::public_key public_key_;
};

} // namespace net
} // namespace channeler

namespace std {

template <> struct hash<channeler::net::public_key> {
    size_t operator()(const channeler::net::public_key &key) const noexcept
    {
        return hash<string_view>()(key.bytes().text());
    }
};

} // namespace std

#endif
