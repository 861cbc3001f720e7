// What a channel promises.
#ifndef CHANNELER_CAPABILITIES_H
#define CHANNELER_CAPABILITIES_H

// Programs choose their warnings; the library's own tests define this to see them here too.
#if defined(__GNUC__) && !defined(CHANNELER_STRICT)
#pragma GCC system_header
#endif

#include <bitset>
#include <cstddef>
#include <cstdint>

namespace channeler {

using capability_bits_t = std::uint16_t;

constexpr std::size_t CAPABILITY_COUNT = 8 * sizeof(capability_bits_t);

using capabilities_t = std::bitset<CAPABILITY_COUNT>;

enum capability_index : std::size_t {
  // Lost messages are sent again.
  CAP_RESEND = 0,
  // Messages are never delivered out of order.
  CAP_ORDERED = 1,
  // A loss closes the channel.
  CAP_CLOSE_ON_LOSS = 2
};

}  // namespace channeler

#endif
