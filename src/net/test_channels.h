#pragma once

#include <sys/socket.h>

#include <memory>

#include "net/socket_handle.h"
#include "net/tls_channel.h"

namespace drystone {

// For tests: two sockets that are joined inside this machine, without a network.
struct SocketPair {
  SocketPair() {
    int ends[2];
    CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    client = SocketHandle(ends[0]);
    server = SocketHandle(ends[1]);
  }
  SocketHandle client, server;
};

inline TlsPolicy anyone() {
  return [](const TlsPeer&) { return true; };
}

// For tests: a node's key and what it makes of it.
struct TestNode {
  explicit TestNode(TlsPolicy policy = anyone()) : tls(TlsContext::make(key, std::move(policy))) {}
  NodeKey key = NodeKey::make();
  std::unique_ptr<TlsContext> tls;
};

// For tests: both ends of one TLS connection, driven by one thread.
struct ChannelPair {
  ChannelPair(const TestNode& client_node, const TestNode& server_node,
              Protocol protocol = Protocol::data, TlsPolicy client_policy = nullptr,
              std::uint64_t records_per_key = 1 << 20)
      : client(std::make_unique<TlsChannel>(
            *client_node.tls, TlsChannel::Options{.socket = sockets.client.get(),
                                                  .side = TlsSide::client,
                                                  .protocol = protocol,
                                                  .policy = std::move(client_policy),
                                                  .records_per_key = records_per_key})),
        server(std::make_unique<TlsChannel>(
            *server_node.tls, TlsChannel::Options{.socket = sockets.server.get(),
                                                  .side = TlsSide::server,
                                                  .records_per_key = records_per_key})) {}

  // Steps both until both are through, or one of them fails.
  void shake_hands() {
    constexpr int kStepsMax = 16;
    for (int i = 0; i < kStepsMax; ++i) {
      client_says = client->handshake();
      server_says = server->handshake();
      if (!client_says || !server_says) return;
      if (*client_says == TlsChannel::Wait::none && *server_says == TlsChannel::Wait::none) return;
    }
  }
  bool shaken() const {
    return client_says && server_says && *client_says == TlsChannel::Wait::none &&
           *server_says == TlsChannel::Wait::none;
  }

  SocketPair sockets;
  std::unique_ptr<TlsChannel> client, server;
  Result<TlsChannel::Wait> client_says = TlsChannel::Wait::readable;
  Result<TlsChannel::Wait> server_says = TlsChannel::Wait::readable;
};

}  // namespace drystone
