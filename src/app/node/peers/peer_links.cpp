#include "app/node/peers/peer_links.h"

#include <algorithm>

namespace drystone {

void PeerLinks::send(const std::string& node, const PublicKey& key, std::string text) {
  std::unique_ptr<ControlLink>& link = links_[node];
  if (!link) {
    link = std::make_unique<ControlLink>(
        executor_, tls_, clock_,
        ControlLink::Options{
            .key = key,
            .our_port = port_,
            .addresses = [this, node] { return book_.addresses(node, clock_.monotonic()); },
            .report =
                [this, node](const AddressBook::Endpoint& address, bool worked) {
                  book_.report(node, address, worked, clock_.monotonic());
                }});
  }
  link->send(std::move(text));
}

void PeerLinks::learn(const std::string& node, const boost::asio::ip::tcp::endpoint& address) {
  if (!book_.learn(node, address, clock_.monotonic())) return;
  if (const auto link = links_.find(node); link != links_.end()) link->second->address_came();
}

bool PeerLinks::idle() const {
  return std::ranges::all_of(links_, [&](const auto& one) {
    return one.second->idle() || book_.addresses(one.first, clock_.monotonic()).empty();
  });
}

}  // namespace drystone
