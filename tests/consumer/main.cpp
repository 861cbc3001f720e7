// A program against an installed library: every header of the reference, also where its README
// finds them, and two instances that exchange a message.
#include <channeler/capabilities.h>
#include <channeler/channeler.h>
#include <channeler/channelid.h>
#include <channeler/cookie.h>
#include <channeler/error.h>
#include <channeler/message.h>
#include <channeler/packet.h>
#include <channeler/peerid.h>
#include <channeler/protoid.h>
#include <channeler/version.h>
#include <channeler/visibility.h>

#include <channeler/context/connection.h>
#include <channeler/context/node.h>
#include <channeler/internal/api.h>
#include <channeler/lock_policy.h>
#include <channeler/macros.h>
#include <channeler/memory/packet_pool.h>
#include <channeler/support/timeouts.h>

#include "../lib/context/connection.h"
#include "../lib/context/node.h"
#include "../lib/internal/api.h"
#include "../lib/lock_policy.h"
#include "../lib/macros.h"
#include "../lib/memory/packet_pool.h"
#include "../lib/support/timeouts.h"

#include <iostream>

using namespace channeler;

using address = int;
using node = context::node<42>;
using connection = context::connection<address, node>;
using api = internal::connection_api<connection>;

// What the other file of the program makes of the same headers.
std::string other_file();

int main()
{
  auto const secret = [] { return std::vector<channeler::byte>(16); };
  auto const sleep = [](support::timeouts::duration amount) { return amount; };
  peerid const first;
  peerid const second;
  node a{first, 1200, secret, sleep};
  node b{second, 1200, secret, sleep};
  connection to_b{a, second};
  connection to_a{b, first};

  api * left = nullptr;
  api * right = nullptr;
  channelid established;
  std::string heard;
  api api_a{to_b,
      [&](channeler::error_t err, channelid const & id) {
        LIBLOG_ET("established", err);
        established = id;
      },
      [&](channelid const & id) { right->received_packet(1, 2, left->packet_to_send(id).data); },
      [](channelid const &, std::size_t) {}};
  api api_b{to_a, [](channeler::error_t, channelid const &) {},
      [&](channelid const & id) { left->received_packet(2, 1, right->packet_to_send(id).data); },
      [&](channelid const & id, std::size_t size) {
        heard.resize(size);
        right->channel_read(id, heard.data(), size, size);
      }};
  left = &api_a;
  right = &api_b;

  std::size_t written = 0;
  if (api_a.establish_channel(second) != ERR_SUCCESS
      || api_a.channel_write(established, "hello", 5, written) != ERR_SUCCESS)
  {
    return 1;
  }
  std::cout << version().first << "." << version().second << " " << established << " " << heard
            << " " << other_file() << std::endl;
  return heard == "hello" && other_file() == "throws" ? 0 : 1;
}
