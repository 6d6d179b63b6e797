#include "app/node/members/surroundings.h"

#include <algorithm>
#include <utility>

#include "app/node/peers/node_crypto.h"
#include "app/node/wire/node_descriptor.h"
#include "cluster/state/map_entry.h"

namespace drystone {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLookAroundEvery{1000};  // invitations that end, interfaces that come
constexpr milliseconds kAnnounceEvery{5000};    // while all are there
constexpr milliseconds kAnnounceSoon{1000};     // while somebody is missed or awaited

}  // namespace

void Surroundings::start() {
  look_around();
  for (const auto& [key, value] : rooms_.core.list("node/")) learn_from(key);
  ask_peers();
  if (options_.discover) announce();
}

void Surroundings::close() {
  discovery_.reset();
  fixed_.reset();
  timer_.cancel();
}

void Surroundings::ask_peers() {
  const auto is_settled = [this](const Endpoint& address) {
    return std::ranges::any_of(rooms_.core.alive(), [&](const std::string& node) {
      const auto known = rooms_.book.addresses(node, rooms_.clock.monotonic());
      return std::ranges::find(known, address) != known.end();
    });
  };
  const auto found = [this](const PublicKey& key, const Endpoint& address) {
    rooms_.links.learn(cluster::node_id(to_cluster(key), rooms_.crypto), address);
  };
  fixed_ = std::make_unique<FixedPeers>(rooms_.loop, rooms_.tls, options_.peers,
                                        FixedPeers::Handlers{is_settled, found});
}

bool Surroundings::misses_somebody() const {
  return std::ranges::any_of(rooms_.core.members().members(), [&](const auto& member) {
    return rooms_.core.state(member.first) != cluster::NodeState::alive;
  });
}

void Surroundings::look_around() {
  if (auto found = list_interfaces(); found) {
    interfaces_ = *std::move(found);
    rooms_.book.set_interfaces(interfaces_);
  }
  describe();
  announced_keys_.clear();
  heard_keys_.clear();
  for (const auto& key : rooms_.core.discovery_keys()) heard_keys_.push_back(to_bytes(key));
  if (!heard_keys_.empty()) announced_keys_.push_back(heard_keys_.front());
  const auto invited = rooms_.core.invitation_discovery_keys(rooms_.clock.wall());
  for (const auto& key : invited) announced_keys_.push_back(to_bytes(key));
  rooms_.belonging.set_strangers_welcome(!invited.empty() || misses_somebody());
  timer_.after(kLookAroundEvery, [this] { look_around(); });
}

void Surroundings::describe() {
  const std::string& self = rooms_.core.self();
  if (!rooms_.core.members().is_member(self)) return;
  const NodeDescriptor descriptor{
      .version = options_.version, .api = options_.api, .addresses = addresses()};
  (void)rooms_.core.put(cluster::own_key(self, NodeDescriptor::kName), to_json(descriptor),
                        rooms_.clock.wall());  // full: others know it by discovery
  options_.changed();
}

bool Surroundings::learn_from(const std::string& key) {
  const std::string owner(cluster::owner_of(key));
  if (owner.empty() || owner == rooms_.core.self() ||
      key != cluster::own_key(owner, NodeDescriptor::kName))
    return false;
  const std::string* value = rooms_.core.get(key);
  if (value == nullptr) return false;
  const auto descriptor = parse_node_descriptor(*value);
  if (!descriptor) return false;
  for (const Endpoint& address : endpoints_of(*descriptor)) rooms_.links.learn(owner, address);
  return true;
}

milliseconds Surroundings::until_next() const {
  const bool awaits = announced_keys_.size() > 1 || misses_somebody() ||
                      rooms_.core.members().members().size() == 1;
  return awaits ? kAnnounceSoon : kAnnounceEvery;
}

void Surroundings::announce() {
  auto opened = Discovery::open(rooms_.loop, rooms_.clock,
                                {.port = options_.port,
                                 .self = rooms_.core.self(),
                                 .keys = [this] { return announced_keys_; },
                                 .every = [this] { return until_next(); },
                                 .heard = [this](const DiscoveryPacket& packet,
                                                 const Endpoint& from) { hear(packet, from); }});
  if (!opened) return options_.say("discovery is off: " + opened.error().message());
  discovery_ = *std::move(opened);
  discovery_->send_now();
}

void Surroundings::announce_now() {
  if (discovery_) discovery_->send_now();
}

void Surroundings::hear(const DiscoveryPacket& packet, const Endpoint& from) {
  for (const DiscoveryKey& key : heard_keys_) {
    const auto sealed = open_id(packet, key);
    if (!sealed) continue;
    const std::string node = to_node_id(*sealed);
    if (node == rooms_.core.self() || !rooms_.core.members().key_of(node)) return;
    rooms_.links.learn(node, from);
    rooms_.core.heard_of(node, rooms_.clock.monotonic());
    return options_.changed();
  }
}

}  // namespace drystone
