// Error codes of the reference implementation, and the exception that carries one.
#ifndef CHANNELER_ERROR_H
#define CHANNELER_ERROR_H

// Programs choose their warnings; the library's own tests define this to see them here too.
#if defined(__GNUC__) && !defined(CHANNELER_STRICT)
#pragma GCC system_header
#endif

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

#include "../channeler.h"
#include "visibility.h"

namespace channeler {

using error_t = std::uint32_t;

enum error_numbers : error_t {
  ERR_SUCCESS = 0,
  ERR_UNEXPECTED = CHANNELER_ERR_UNEXPECTED,
  ERR_INSUFFICIENT_BUFFER_SIZE = CHANNELER_ERR_INSUFFICIENT_BUFFER_SIZE,
  ERR_DECODE = CHANNELER_ERR_DECODE,
  ERR_ENCODE = CHANNELER_ERR_ENCODE,
  ERR_INVALID_CHANNELID = CHANNELER_ERR_INVALID_CHANNELID,
  ERR_INVALID_REFERENCE = CHANNELER_ERR_INVALID_REFERENCE,
  ERR_INVALID_PIPE_EVENT = CHANNELER_ERR_INVALID_PIPE_EVENT,
  ERR_INVALID_MESSAGE_TYPE = CHANNELER_ERR_INVALID_MESSAGE_TYPE,
  ERR_WRITE = CHANNELER_ERR_WRITE,
  ERR_STATE = CHANNELER_ERR_STATE,
  ERR_DATA_UNAVAILABLE = CHANNELER_ERR_DATA_UNAVAILABLE,

  // From here on numbers belong to applications.
  ERR_START_USER_RANGE = CHANNELER_ERR_USER
};

// The name of an error code, such as "ERR_STATE"; never null.
inline char const * error_name(error_t code)
{
  if (code == ERR_SUCCESS) {
    return "ERR_SUCCESS";
  }
  if (code > ERR_DATA_UNAVAILABLE) {
    return "unidentified error";
  }
  return channeler_error_name(static_cast<std::int32_t>(code)) + std::strlen("CHANNELER_");
}

// One sentence on an error code; never null.
inline char const * error_message(error_t code)
{
  if (code > ERR_DATA_UNAVAILABLE) {
    return "unidentified error";
  }
  return channeler_error_text(static_cast<std::int32_t>(code));
}

// Thrown by constructors that cannot do what they are for.
class CHANNELER_API exception : public std::runtime_error
{
public:
  exception(error_t code, std::string const & details = {})
    : std::runtime_error{describe(code, details)}
    , m_code{code}
  {
  }

  char const * name() const noexcept
  {
    return error_name(m_code);
  }

  error_t code() const noexcept
  {
    return m_code;
  }

private:
  static std::string describe(error_t code, std::string const & details)
  {
    std::string text = "[";
    text.append(error_name(code)).append("] ").append(error_message(code));
    if (!details.empty()) {
      text.append(" // ").append(details);
    }
    return text;
  }

  error_t m_code;
};

}  // namespace channeler

#endif
