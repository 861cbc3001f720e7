// The cookies of the reference implementation: CRC-32 over a secret, both peers and the channel.
#ifndef CHANNELER_COOKIE_H
#define CHANNELER_COOKIE_H

// Programs choose their warnings; the library's own tests define this to see them here too.
#if defined(__GNUC__) && !defined(CHANNELER_STRICT)
#pragma GCC system_header
#endif

#include <cstddef>
#include <cstdint>

#include "../channeler.h"
#include "byte.h"
#include "channelid.h"
#include "error.h"
#include "peerid.h"

namespace channeler {

using cookie = std::uint_fast32_t;
using cookie_serialize = std::uint32_t;

// The initiator's cookie, over its half of the channel id. Throws when the secret is null and its
// size is not 0.
inline cookie create_cookie_initiator(byte const * secret, std::size_t secret_size,
    peerid_wrapper const & initiator, peerid_wrapper const & responder,
    channelid::half_type initiator_part)
{
  cookie_serialize made = 0;
  auto const from = detail::to_c(initiator);
  auto const to = detail::to_c(responder);
  if (channeler_wire_cookie_initiator(reinterpret_cast<std::uint8_t const *>(secret),
          secret_size, &from, &to, initiator_part, &made) != CHANNELER_OK)
  {
    throw exception{ERR_UNEXPECTED, channeler_last_error()};
  }
  return made;
}

// The responder's cookie, over the whole channel id. Otherwise the same.
inline cookie create_cookie_responder(byte const * secret, std::size_t secret_size,
    peerid_wrapper const & initiator, peerid_wrapper const & responder, channelid const & id)
{
  cookie_serialize made = 0;
  auto const from = detail::to_c(initiator);
  auto const to = detail::to_c(responder);
  if (channeler_wire_cookie_responder(reinterpret_cast<std::uint8_t const *>(secret),
          secret_size, &from, &to, detail::to_c(id), &made) != CHANNELER_OK)
  {
    throw exception{ERR_UNEXPECTED, channeler_last_error()};
  }
  return made;
}

// Whether the cookie is that of the initiator.
inline bool validate_cookie(cookie const & other, byte const * secret, std::size_t secret_size,
    peerid_wrapper const & initiator, peerid_wrapper const & responder,
    channelid::half_type initiator_part)
{
  return other
      == create_cookie_initiator(secret, secret_size, initiator, responder, initiator_part);
}

// Whether the cookie is that of the responder.
inline bool validate_cookie(cookie const & other, byte const * secret, std::size_t secret_size,
    peerid_wrapper const & initiator, peerid_wrapper const & responder, channelid const & id)
{
  return other == create_cookie_responder(secret, secret_size, initiator, responder, id);
}

}  // namespace channeler

#endif
