// What a byte is in this API.
#ifndef CHANNELER_BYTE_H
#define CHANNELER_BYTE_H

// Programs choose their warnings; the library's own tests define this to see them here too.
#if defined(__GNUC__) && !defined(CHANNELER_STRICT)
#pragma GCC system_header
#endif

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
