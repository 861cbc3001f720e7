// What the README of the reference implementation shows, as a whole program over UDP sockets: two
// of them establish a channel, one sends a message, the other answers it.
//
//     reference_readme SELF PEER 0                   waits; prints the port that it got
//     reference_readme PEER SELF 0 PORT 'a message'  connects to that port
//
// SELF and PEER are peer ids: 32 hexadecimal digits. Only 127.0.0.1 is used: this is an example.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <random>
#include <string>

#include "../lib/internal/api.h"

using namespace std::chrono_literals;
using channeler::channelid;

// The library moves no packets: any type can be an address.
using address = sockaddr_in;
using node = channeler::context::node<16>;
using connection = channeler::context::connection<address, node>;
using api = channeler::internal::connection_api<connection>;
using timeouts = channeler::support::timeouts;

constexpr std::size_t PACKET_SIZE = 1200;
constexpr timeouts::duration RETRY = 200ms;
constexpr timeouts::duration SILENCE = 1s;
constexpr int TRIES_MAX = 100;

static address loopback(unsigned long port)
{
  address at = {};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons(static_cast<std::uint16_t>(port));
  return at;
}

// One end: a socket, and what is done when the library calls.
class end
{
public:
  end(channeler::peerid const & self, channeler::peerid const & peer, unsigned long port)
    : m_local{loopback(port)}
    , m_node{self, PACKET_SIZE, [this] { return m_secret; },
          [this](timeouts::duration amount) { return sleep(amount); }}
    , m_connection{m_node, peer}
    , m_api{m_connection,
          [this](channeler::error_t err, channelid const & id) { established(err, id); },
          [this](channelid const & id) { send(id); },
          [this](channelid const & id, std::size_t size) { read(id, size); }}
    , m_timeouts{m_node.sleep()}
  {
    std::random_device random;
    for (auto & one : m_secret) {
      one = static_cast<channeler::byte>(random());
    }
    socklen_t size = sizeof m_local;
    auto * const local = reinterpret_cast<sockaddr *>(&m_local);
    if (m_socket < 0 || bind(m_socket, local, size) < 0
        || getsockname(m_socket, local, &size) < 0)
    {
      throw channeler::exception{channeler::ERR_UNEXPECTED, "no socket"};
    }
  }

  ~end()
  {
    close(m_socket);
  }

  end(end const &) = delete;
  end & operator=(end const &) = delete;

  // Establishes a channel for the message, and another while no answer comes: packets get lost.
  bool ask(unsigned long port, std::string const & message)
  {
    m_remote = loopback(port);
    m_message = message;
    for (int tries = 0; m_heard.empty() && tries < TRIES_MAX; ++tries) {
      auto const err = m_api.establish_channel(m_connection.peer());
      if (err != channeler::ERR_SUCCESS) {
        std::cerr << "establish_channel: " << channeler::error_message(err) << std::endl;
        return false;
      }
      m_timeouts.add({1, 1}, RETRY);
      while (m_heard.empty() && m_timeouts.wait(RETRY / 10).empty()) {
      }
      m_timeouts.remove({1, 1});
    }
    std::cout << m_heard << std::endl;
    return !m_heard.empty();
  }

  // Answers whatever comes, until nothing more came for a while.
  bool answer()
  {
    std::cout << ntohs(m_local.sin_port) << std::endl;
    for (int tries = 0; tries < TRIES_MAX; ++tries) {
      auto const count = m_count;
      m_timeouts.add({1, 2}, SILENCE);
      while (m_count == count && m_timeouts.wait(SILENCE / 10).empty()) {
      }
      m_timeouts.remove({1, 2});
      if (count > 0 && m_count == count) {
        return true;
      }
    }
    return false;
  }

private:
  void established(channeler::error_t err, channelid const & id)
  {
    if (err != channeler::ERR_SUCCESS) {
      std::cerr << "no channel: " << channeler::error_message(err) << std::endl;
      return;
    }
    std::cerr << "channel " << id << " with " << m_connection.peer() << std::endl;
    if (!m_message.empty()) {
      write(id, m_message);
    }
  }

  // A packet waits for being sent.
  void send(channelid const & id)
  {
    auto const entry = m_api.packet_to_send(id);
    sendto(m_socket, entry.packet.buffer(), entry.packet.buffer_size(), 0,
        reinterpret_cast<sockaddr const *>(&m_remote), sizeof m_remote);
  }

  // A message waits for being read.
  void read(channelid const & id, std::size_t size)
  {
    m_heard.resize(size);
    std::size_t length = 0;
    auto const err = m_api.channel_read(id, m_heard.data(), m_heard.size(), length);
    m_heard.resize(length);
    if (err != channeler::ERR_SUCCESS) {
      std::cerr << "channel_read: " << channeler::error_message(err) << std::endl;
      return;
    }
    ++m_count;
    if (m_message.empty()) {
      std::cerr << "heard: " << m_heard << std::endl;
      write(id, "you said: " + m_heard);
    }
  }

  void write(channelid const & id, std::string const & text)
  {
    std::size_t written = 0;
    auto const err = m_api.channel_write(id, text.data(), text.size(), written);
    if (err != channeler::ERR_SUCCESS) {
      std::cerr << "channel_write: " << channeler::error_message(err) << std::endl;
    }
  }

  // Sleeps until a packet comes, and handles that; tells how long it took.
  timeouts::duration sleep(timeouts::duration amount)
  {
    using clock = std::chrono::steady_clock;
    auto const start = clock::now();
    pollfd wait = {m_socket, POLLIN, 0};
    auto const most = std::chrono::ceil<std::chrono::milliseconds>(amount).count();
    if (poll(&wait, 1, static_cast<int>(most)) > 0) {
      auto slot = m_api.allocate();
      address from = {};
      socklen_t size = sizeof from;
      auto const got = recvfrom(m_socket, slot.data(), slot.size(), 0,
          reinterpret_cast<sockaddr *>(&from), &size);
      if (got > 0) {
        m_remote = from;
        m_api.received_packet(from, m_local, slot);
      }
    }
    return clock::now() - start;
  }

  int m_socket = socket(AF_INET, SOCK_DGRAM, 0);
  address m_local;
  address m_remote = {};
  std::vector<channeler::byte> m_secret = std::vector<channeler::byte>(32);
  node m_node;
  connection m_connection;
  api m_api;
  timeouts m_timeouts;
  // What we say when a channel is established; empty: we only answer.
  std::string m_message;
  // What came last, and how often something came.
  std::string m_heard;
  int m_count = 0;
};

int main(int argc, char ** argv)
{
  if (argc != 4 && argc != 6) {
    std::cerr << "usage: reference_readme SELF PEER LOCAL_PORT [PEER_PORT MESSAGE]" << std::endl;
    return 2;
  }
  try {
    std::string const self = argv[1];
    std::string const peer = argv[2];
    end here{{self.c_str(), self.size()}, {peer.c_str(), peer.size()}, std::stoul(argv[3])};
    bool const done = argc == 4 ? here.answer() : here.ask(std::stoul(argv[4]), argv[5]);
    return done ? 0 : 1;
  }
  catch (std::exception const & ex) {
    std::cerr << ex.what() << std::endl;
    return 2;
  }
}
