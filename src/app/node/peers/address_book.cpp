#include "app/node/peers/address_book.h"

#include <algorithm>

#include "net/address_order.h"

namespace drystone {

AddressBook::Known* AddressBook::find(const std::string& node, const Endpoint& address) {
  const auto known = nodes_.find(node);
  if (known == nodes_.end()) return nullptr;
  const auto at = std::ranges::find(known->second, address, &Known::address);
  return at == known->second.end() ? nullptr : &*at;
}

bool AddressBook::learn(const std::string& node, const Endpoint& address, Clock::Nanoseconds now) {
  if (address.port() == 0 || address.address().is_unspecified() || address.address().is_multicast())
    return false;
  const std::lock_guard lock(mutex_);
  if (Known* known = find(node, address)) {
    known->heard_at = now;
    return known->fails_until > now;
  }
  if (nodes_.size() >= kNodesMax && !nodes_.contains(node)) return false;
  std::vector<Known>& all = nodes_[node];
  if (all.size() >= kAddressesMax) all.erase(std::ranges::min_element(all, {}, &Known::heard_at));
  all.push_back({.address = address, .heard_at = now});
  return true;
}

void AddressBook::report(const std::string& node, const Endpoint& address, bool worked,
                         Clock::Nanoseconds now) {
  const std::lock_guard lock(mutex_);
  Known* known = find(node, address);
  if (!known) return;
  if (worked) known->worked_at = known->heard_at = now;
  known->fails_until = worked ? Clock::Nanoseconds::min() : now + kFailureKept;
}

void AddressBook::forget(const std::string& node) {
  const std::lock_guard lock(mutex_);
  nodes_.erase(node);
  preferred_.erase(node);
}

void AddressBook::prefer(const std::string& node,
                         const std::optional<boost::asio::ip::address>& address) {
  const std::lock_guard lock(mutex_);
  if (!address)
    preferred_.erase(node);
  else if (preferred_.size() < kNodesMax || preferred_.contains(node))
    preferred_[node] = *address;
}

std::vector<AddressBook::Endpoint> AddressBook::addresses(const std::string& node,
                                                          Clock::Nanoseconds now) const {
  const std::lock_guard lock(mutex_);
  const auto known = nodes_.find(node);
  if (known == nodes_.end()) return {};
  std::vector<Endpoint> good, failing;
  for (const Known& one : known->second)
    (one.fails_until > now ? failing : good).push_back(one.address);
  good = fast_addresses_first(std::move(good), interfaces_);
  if (const auto preferred = preferred_.find(node); preferred != preferred_.end())
    std::ranges::stable_partition(
        good, [&](const Endpoint& one) { return one.address() == preferred->second; });
  failing = fast_addresses_first(std::move(failing), interfaces_);
  good.insert(good.end(), failing.begin(), failing.end());
  return good;
}

std::string AddressBook::shown(const std::string& node, Clock::Nanoseconds now) const {
  {
    const std::lock_guard lock(mutex_);
    const auto known = nodes_.find(node);
    if (known == nodes_.end() || known->second.empty()) return {};
    const auto last = std::ranges::max_element(known->second, {}, &Known::worked_at);
    if (last->worked_at != Clock::Nanoseconds::min()) return to_string(last->address);
  }
  const auto best = addresses(node, now);
  return best.empty() ? std::string() : to_string(best.front());
}

void AddressBook::set_interfaces(std::vector<Interface> interfaces) {
  const std::lock_guard lock(mutex_);
  interfaces_ = std::move(interfaces);
}

std::vector<std::string> reachable_addresses(const std::vector<Interface>& interfaces,
                                             std::uint16_t port, const std::string& only) {
  std::vector<AddressBook::Endpoint> found;
  if (!only.empty())
    if (const auto address = boost::asio::ip::make_address(only); !address.is_unspecified())
      return {to_string(AddressBook::Endpoint(address, port))};
  for (const Interface& interface : interfaces) {
    if (!interface.up || interface.kind == InterfaceKind::loopback) continue;
    for (const InterfaceAddress& own : interface.addresses) {
      const auto& address = own.address;
      if (address.is_loopback() || (address.is_v6() && address.to_v6().is_link_local())) continue;
      found.emplace_back(address, port);
    }
  }
  found = fast_addresses_first(std::move(found), interfaces);
  found.resize(std::min(found.size(), AddressBook::kAddressesMax));
  std::vector<std::string> texts;
  for (const auto& address : found) texts.push_back(to_string(address));
  return texts;
}

}  // namespace drystone
