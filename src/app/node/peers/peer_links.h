#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "app/node/peers/address_book.h"
#include "base/clock.h"
#include "net/tls_context.h"
#include "serve/peer/control/control_link.h"

namespace drystone {

// The control links to all other nodes, opened by need. On the executor.
class PeerLinks {
 public:
  // Borrows all for its life.
  PeerLinks(boost::asio::any_io_executor executor, const TlsContext& tls, const Clock& clock,
            AddressBook& book, std::uint16_t our_port)
      : executor_(std::move(executor)), tls_(tls), clock_(clock), book_(book), port_(our_port) {}

  void send(const std::string& node, const PublicKey& key, std::string text);
  // Where a node may be reached: if that is news, what waits for it goes out at once.
  void learn(const std::string& node, const boost::asio::ip::tcp::endpoint& address);
  void drop(const std::string& node) { links_.erase(node); }
  bool idle() const;  // nothing waits to be sent to a node of which an address is known
  void close() { links_.clear(); }

 private:
  boost::asio::any_io_executor executor_;
  const TlsContext& tls_;
  const Clock& clock_;
  AddressBook& book_;
  const std::uint16_t port_;
  std::map<std::string, std::unique_ptr<ControlLink>> links_;
};

}  // namespace drystone
