// Views of bytes, and of other things in a row.
// Part of channeler/channeler.hpp: include that.

#ifndef CHANNELER_NET_BYTES_HPP
#define CHANNELER_NET_BYTES_HPP

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>
#include <type_traits>
#include <utility>

namespace channeler {
namespace net {

namespace detail {

template <class C>
using element = std::remove_pointer_t<decltype(std::data(std::declval<C &>()))>;

/// Whether `C` is a container, or an array, of things of one byte.
template <class C, class = void> struct holds_bytes : std::false_type {};
template <class C>
struct holds_bytes<C, std::void_t<element<C>, decltype(std::size(std::declval<C &>()))>>
    : std::bool_constant<sizeof(element<C>) == 1 && std::is_trivially_copyable_v<element<C>>> {};

/// Whether `C` is an array of char: as a literal it has a zero at its end, which is no text.
template <class C>
constexpr bool is_char_array = std::is_array_v<C> && std::is_same_v<std::decay_t<C>, const char *>;

} // namespace detail

/// Many T in a row, as in C++20's std::span: a vector, an array, a pointer with a count.
template <class T> class span {
public:
    constexpr span() = default;
    constexpr span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}

    template <class C, class = std::enable_if_t<
                           std::is_convertible_v<detail::element<C> (*)[], T (*)[]>>>
    constexpr span(C &&container) noexcept
        : data_(std::data(container)), size_(std::size(container))
    {
    }

    constexpr T *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr T *begin() const noexcept { return data_; }
    constexpr T *end() const noexcept { return data_ + size_; }
    constexpr T &operator[](std::size_t index) const { return data_[index]; }

private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};

/// Bytes to read: text, or any container or array of things of one byte.
class bytes {
public:
    bytes() = default;
    bytes(const void *data, std::size_t size) noexcept
        : data_(static_cast<const std::uint8_t *>(data)), size_(size)
    {
    }
    bytes(std::string_view text) noexcept : bytes(text.data(), text.size()) {}
    bytes(const char *text) : bytes(std::string_view(text)) {}

    template <class C, class = std::enable_if_t<detail::holds_bytes<const C>::value &&
                                                !detail::is_char_array<const C>>>
    bytes(const C &container) noexcept : bytes(std::data(container), std::size(container))
    {
    }

    const std::uint8_t *data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    const std::uint8_t *begin() const noexcept { return data_; }
    const std::uint8_t *end() const noexcept { return data_ + size_; }
    const std::uint8_t &operator[](std::size_t index) const { return data_[index]; }

    /// The bytes as text, whatever they are.
    std::string_view text() const noexcept
    {
        return {reinterpret_cast<const char *>(data_), size_};
    }

private:
    const std::uint8_t *data_ = nullptr;
    std::size_t size_ = 0;
};

/// Room for bytes: any container or array of things of one byte.
class mutable_bytes {
public:
    mutable_bytes() = default;
    mutable_bytes(void *data, std::size_t size) noexcept
        : data_(static_cast<std::uint8_t *>(data)), size_(size)
    {
    }

    template <class C, class = std::enable_if_t<detail::holds_bytes<C>::value &&
                                                !std::is_const_v<detail::element<C>>>>
    mutable_bytes(C &container) noexcept : mutable_bytes(std::data(container), std::size(container))
    {
    }

    std::uint8_t *data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }

private:
    std::uint8_t *data_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace net
} // namespace channeler

#endif
