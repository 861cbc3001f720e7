// libchanneler for C++17: the C API of channeler.h as classes. Headers only: a program links the
// library itself, and nothing else.
//
//     #include <channeler/channeler.hpp>
//     namespace net = channeler::net;
//
//     net::callbacks callbacks;
//     callbacks.on_message = [](net::connection, net::channel from, net::bytes message) {
//         from.send(message).value();                              // send it back
//     };
//     net::node node = net::node::create({}, std::move(callbacks)).value();
//     node.bind(net::address::parse("[::]:7000").value()).value();
//     while (running) node.process().value();
//
// It has no logic of its own: what a function does, its units, limits, errors and threads are said
// once, in channeler.h, at the function of the same name (node.bind is channeler_node_bind). Said
// here is only what C++ adds.
//
// NAMESPACE
//
// channeler::net, because the names of the reference implementation (peerid, message, error_t,
// version ..) are directly in `channeler`, in the headers beside this one. A program may use both.
// (Not channeler::v1: v0 and v1 are protocols here.)
//
// ERRORS
//
// A function that can fail returns a result<T>, which must be looked at: test it as a bool and ask
// error(), or take value(), which throws an exception when the call failed. error() holds the
// number and, copied at once, the text of channeler_last_error.
//
// WHO IS WHO
//
// An identity is the private key that makes a node the peer that others know. Keep the text of its
// pem() in a file that only you can read, and give it to the next node as options::identity;
// without one each node is a new peer.
//
// WHO OWNS WHAT
//
// Only a node owns something: it can be moved, not copied, and frees itself. node_ref, connection
// and channel are values like the C handles, with the node they belong to inside: copy, store and
// compare them at will, from any thread. Dropping one closes nothing; close() does. One that ended,
// or whose node is gone, is safe to use: each call returns an error, as channeler.h promises.
// bytes and what callbacks get are views: copy what you keep.
//
// QUIC CHANNELS
//
// node.open_quic(..) gives a quic::endpoint: messages on (address, team, label), beside the node's
// own traffic on the same sockets. It is a value, too, and what it names ends with the node. For a
// port of their own, make a node for them alone, with options::accept_incoming off.
//
// EXCEPTIONS IN CALLBACKS
//
// The library must not be unwound. What a callback throws is caught and handed to on_exception when
// there is one. Otherwise the first one is kept, and thrown again by the function that ran the
// callback: process, handle_datagram or handle_timeout; of a node with its own thread, by stop. A
// callback of on_accept that throws refuses.
//
// THREADS
//
// As channeler.h says: any function from any thread. But moving and destroying a node object, as of
// any other object, must not run while another thread uses this same object; use a node_ref there.
// A node may be destroyed in its own callback: it is freed when the callback returns.

#ifndef CHANNELER_CHANNELER_HPP
#define CHANNELER_CHANNELER_HPP

#include <channeler/net/address.hpp>
#include <channeler/net/bytes.hpp>
#include <channeler/net/callbacks.hpp>
#include <channeler/net/channel.hpp>
#include <channeler/net/constants.hpp>
#include <channeler/net/error.hpp>
#include <channeler/net/identity.hpp>
#include <channeler/net/node.hpp>
#include <channeler/net/node_ref.hpp>
#include <channeler/net/options.hpp>
#include <channeler/net/peer_id.hpp>
#include <channeler/net/quic.hpp>
#include <channeler/net/quic_options.hpp>
#include <channeler/net/time.hpp>

#endif
