// What each packet begins with.
#ifndef CHANNELER_PROTOID_H
#define CHANNELER_PROTOID_H

// Programs choose their warnings; the library's own tests define this to see them here too.
#if defined(__GNUC__) && !defined(CHANNELER_STRICT)
#pragma GCC system_header
#endif

#include <cstdint>

#include "../channeler.h"

namespace channeler {

using protoid = std::uint32_t;

constexpr protoid PROTOID = CHANNELER_WIRE_PROTOCOL_ID;

}  // namespace channeler

#endif
