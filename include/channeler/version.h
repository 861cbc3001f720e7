// The version of the library, and on what terms it comes.
#ifndef CHANNELER_VERSION_H
#define CHANNELER_VERSION_H

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
