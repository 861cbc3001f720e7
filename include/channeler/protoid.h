// What each packet begins with.
#ifndef CHANNELER_PROTOID_H
#define CHANNELER_PROTOID_H

#include <cstdint>

#include "../channeler.h"

namespace channeler {

using protoid = std::uint32_t;

constexpr protoid PROTOID = CHANNELER_WIRE_PROTOCOL_ID;

}  // namespace channeler

#endif
