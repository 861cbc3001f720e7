// What a byte is in this API.
#ifndef CHANNELER_BYTE_H
#define CHANNELER_BYTE_H

#include <cstddef>
#include <cstdint>

namespace channeler {

// The switch is that of the reference's support library.
#if defined(LIBERATE_HAVE_STD_BYTE)
using byte = std::byte;
#else
using byte = std::uint8_t;
#endif

}  // namespace channeler

#endif
