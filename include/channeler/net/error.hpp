// Errors, and results that may be one.
// Part of channeler/channeler.hpp: include that.

#ifndef CHANNELER_NET_ERROR_HPP
#define CHANNELER_NET_ERROR_HPP

#include <channeler/net/constants.hpp>

#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace channeler {
namespace net {

/// Why a call failed, or errc::ok.
class error {
public:
    error() = default;
    explicit error(errc code, std::string detail = {}) : code_(code), detail_(std::move(detail)) {}

    errc code() const noexcept { return code_; }
    std::string_view name() const { return error_name(code_); }

    /// What exactly was wrong; where there is no such text, what the code means.
    std::string_view message() const
    {
        return detail_.empty() ? error_text(code_) : std::string_view(detail_);
    }

private:
    errc code_ = errc::ok;
    std::string detail_;
};

inline bool operator==(const error &left, errc right) noexcept { return left.code() == right; }
inline bool operator==(errc left, const error &right) noexcept { return left == right.code(); }
inline bool operator!=(const error &left, errc right) noexcept { return left.code() != right; }
inline bool operator!=(errc left, const error &right) noexcept { return left != right.code(); }

/// Writes "message (NAME)".
inline std::ostream &operator<<(std::ostream &out, const error &error)
{
    return out << error.message() << " (" << error.name() << ")";
}

/// What result::value() throws.
class exception : public std::runtime_error {
public:
    explicit exception(net::error error)
        : std::runtime_error(std::string(error.message()) + " (" + std::string(error.name()) + ")"),
          error_(std::move(error))
    {
    }

    const net::error &error() const noexcept { return error_; }
    errc code() const noexcept { return error_.code(); }

private:
    net::error error_;
};

/// What a call made, or why it failed. Every way to the value throws when there is none.
template <class T> class [[nodiscard]] result {
public:
    result(T value) : value_(std::move(value)) {}
    result(net::error error) : error_(std::move(error)) {}

    bool has_value() const noexcept { return value_.has_value(); }
    explicit operator bool() const noexcept { return has_value(); }

    /// Why it failed; errc::ok when it did not.
    const net::error &error() const noexcept { return error_; }

    T &value() & { return require(), *value_; }
    const T &value() const & { return require(), *value_; }
    T &&value() && { return require(), *std::move(value_); }
    T &operator*() & { return value(); }
    const T &operator*() const & { return value(); }
    T &&operator*() && { return std::move(*this).value(); }
    T *operator->() { return &value(); }
    const T *operator->() const { return &value(); }

private:
    void require() const
    {
        if (!has_value()) throw exception(error_);
    }

    std::optional<T> value_;
    net::error error_;
};

/// That a call was good, or why it failed.
template <> class [[nodiscard]] result<void> {
public:
    result() = default;
    result(net::error error) : error_(std::move(error)) {}

    bool has_value() const noexcept { return error_.code() == errc::ok; }
    explicit operator bool() const noexcept { return has_value(); }

    /// Why it failed; errc::ok when it did not.
    const net::error &error() const noexcept { return error_; }

    void value() const
    {
        if (!has_value()) throw exception(error_);
    }

private:
    net::error error_;
};

namespace detail {

/// Copies the text of the call that just failed. "Not now" is no mistake and common: no text then.
inline error failure(std::int32_t status)
{
    const errc code = errc(status);
    if (code == errc::would_block || code == errc::data_unavailable) return error(code);
    return error(code, channeler_last_error());
}

inline result<void> done(std::int32_t status)
{
    if (status == CHANNELER_OK) return {};
    return failure(status);
}

/// `make` is called only when there is something to make a value from.
template <class Make> auto made(std::int32_t status, Make make) -> result<decltype(make())>
{
    if (status == CHANNELER_OK) return make();
    return failure(status);
}

} // namespace detail

} // namespace net
} // namespace channeler

#endif
