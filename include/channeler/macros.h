// Lines for a log on the standard error output, in programs compiled with DEBUG.
//
//     LIBLOG_DEBUG("packet of " << size << " bytes");
//     LIBLOG_ET("could not write", err);
#ifndef CHANNELER_MACROS_H
#define CHANNELER_MACROS_H

// Programs choose their warnings; the library's own tests define this to see them here too.
#if defined(__GNUC__) && !defined(CHANNELER_STRICT)
#pragma GCC system_header
#endif

#include <iostream>

#include "error.h"

#if defined(DEBUG)
#define CHANNELER_LOG_IS_ON_ true
#else
#define CHANNELER_LOG_IS_ON_ false
#endif

// The expression is compiled in any case, so that it does not rot and its names are used.
#define CHANNELER_LOG_LINE_(level, message)                                   \
  do {                                                                        \
    if (CHANNELER_LOG_IS_ON_) {                                               \
      std::cerr << "[" level "] " << message << std::endl;                    \
    }                                                                         \
  } while (false)

#if !defined(LIBLOG_DEBUG)
#define LIBLOG_DEBUG(message) CHANNELER_LOG_LINE_("DEBUG", message)
#endif
#if !defined(LIBLOG_WARN)
#define LIBLOG_WARN(message) CHANNELER_LOG_LINE_("WARN", message)
#endif
#if !defined(LIBLOG_ERROR)
#define LIBLOG_ERROR(message) CHANNELER_LOG_LINE_("ERROR", message)
#endif
// A line with an error code of this library, by name and in words.
#if !defined(LIBLOG_ET)
#define LIBLOG_ET(message, code)                                              \
  CHANNELER_LOG_LINE_("ERROR", message << " // [" << ::channeler::error_name(code) << "] "      \
                                       << ::channeler::error_message(code))
#endif

#endif
