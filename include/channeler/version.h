// The version of the library, and on what terms it comes.
#ifndef CHANNELER_VERSION_H
#define CHANNELER_VERSION_H

// Programs choose their warnings; the library's own tests define this to see them here too.
#if defined(__GNUC__) && !defined(CHANNELER_STRICT)
#pragma GCC system_header
#endif

#include <string>
#include <utility>

#include "../channeler.h"

namespace channeler {

// The library's major version, and the rest: {"0", "1.0"} for 0.1.0.
inline std::pair<std::string, std::string> version()
{
  std::string const full = channeler_version();
  auto const dot = full.find('.');
  return {full.substr(0, dot), dot == std::string::npos ? "0" : full.substr(dot + 1)};
}

inline char const * copyright_string()
{
  return "Copyright (c) 2026 The libchanneler authors";
}

inline char const * license_string()
{
  return "Licensed under either of the MIT license or the Apache License, Version 2.0, at your "
         "option.";
}

}  // namespace channeler

#endif
