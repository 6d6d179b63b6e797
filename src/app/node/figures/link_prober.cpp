#include "app/node/figures/link_prober.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "net/connect.h"
#include "net/frame.h"
#include "serve/peer/data_door.h"
#include "serve/peer/probe/link_probe.h"

namespace drystone {
namespace {

namespace json = boost::json;

constexpr std::size_t kInterfacesMax = 64, kAddressesMax = 16, kTextMax = 128;

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  return text != nullptr && text->size() <= kTextMax ? std::string(std::string_view(*text))
                                                     : std::string();
}

const json::array* list_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value == nullptr ? nullptr : value->if_array();
}

// Our address in the network of `address`.
std::optional<boost::asio::ip::address> own_address(const Interface& interface,
                                                    const boost::asio::ip::address& address) {
  for (const InterfaceAddress& own : interface.addresses) {
    Interface alone = interface;
    alone.addresses = {own};
    if (own.address.is_v4() == address.is_v4() && reaches(alone, address)) return own.address;
  }
  return std::nullopt;
}

std::string interface_of(const std::vector<PeerInterface>& theirs, const std::string& address) {
  for (const PeerInterface& one : theirs)
    if (std::ranges::find(one.addresses, address) != one.addresses.end()) return one.name;
  return "";
}

double slower_way(const LinkFigures& link) {
  return std::min(link.bandwidth.value_or(0), link.bandwidth_back.value_or(0));
}

}  // namespace

std::vector<PeerInterface> peer_interfaces(const json::value& figures) {
  std::vector<PeerInterface> found;
  const json::object* object = figures.if_object();
  const json::value* machine = object == nullptr ? nullptr : object->if_contains("machine");
  const json::object* facts = machine == nullptr ? nullptr : machine->if_object();
  const json::array* list = facts == nullptr ? nullptr : list_of(*facts, "interfaces");
  if (list == nullptr) return found;
  for (const json::value& item : *list) {
    const json::object* one = item.if_object();
    if (one == nullptr || found.size() >= kInterfacesMax) continue;
    PeerInterface interface{.name = text_of(*one, "name")};
    const json::array* addresses = list_of(*one, "addresses");
    if (addresses == nullptr || interface.name.empty()) continue;
    for (const json::value& address : *addresses)
      if (const json::string* text = address.if_string();
          text != nullptr && text->size() <= kTextMax && interface.addresses.size() < kAddressesMax)
        interface.addresses.emplace_back(std::string_view(*text));
    if (const json::value* up = one->if_contains("up"); up != nullptr && up->is_bool())
      interface.up = up->get_bool();
    if (const json::value* speed = one->if_contains("speed_mbit")) {
      boost::system::error_code error;
      const auto told = speed->to_number<std::uint64_t>(error);
      if (!error) interface.speed_mbit = told;
    }
    found.push_back(std::move(interface));
  }
  return found;
}

std::vector<LinkPath> link_paths(const std::vector<Interface>& ours,
                                 const std::vector<PeerInterface>& theirs,
                                 const std::vector<boost::asio::ip::tcp::endpoint>& addresses) {
  std::vector<LinkPath> paths;
  std::set<std::pair<std::string, std::string>> seen;
  for (const auto& to : addresses)
    for (const Interface& interface : ours) {
      if (!interface.up || paths.size() >= kLinkPathsMax) continue;
      const auto from = own_address(interface, to.address());
      if (!from) continue;
      const std::string text = to.address().to_string();
      const std::string name = interface_of(theirs, text);
      if (!seen.emplace(interface.name, name.empty() ? text : name).second) continue;
      paths.push_back(
          {.from_interface = interface.name, .from = from, .to_interface = name, .to = {to}});
    }
  if (paths.empty()) paths.push_back({.to = addresses});
  return paths;
}

json::object to_json(const MeasuredLink& link) {
  json::object out = to_json(link.used);
  json::array paths;
  for (const LinkFigures& path : link.paths) {
    json::object each = to_json(path);
    each.erase("from");
    each.erase("to");
    paths.push_back(std::move(each));
  }
  out["paths"] = std::move(paths);
  return out;
}

Result<MeasuredLink> LinkProber::measure(const std::string& self, const std::string& peer,
                                         const PublicKey& key, const std::vector<LinkPath>& paths,
                                         const std::atomic<bool>& stop) {
  const ProbeGate::Pass pass(gate_);
  if (!pass) return Error(Errc::limit, "this node is measuring another link");
  const auto probe = [&](const LinkPath& path) -> Result<ProbeFigures> {
    const auto stream = TRY(connect_data(tls_, clock_,
                                         {.addresses = path.to,
                                          .within = kConnectWithin,
                                          .policy = expect_key(key),
                                          .from = path.from},
                                         stop));
    FrameStream frames(*stream, {.payload_bytes_max = 0});
    TRY(frames.write({.type = kPurposeFrame, .tag = static_cast<std::uint64_t>(DataPurpose::probe)},
                     {}, {.within = kConnectWithin}));
    return probe_link(*stream, clock_);
  };
  MeasuredLink measured;
  std::string why;
  for (const LinkPath& path : paths) {
    if (stop) return Error(Errc::cancelled, "measuring was stopped");
    const auto figures = probe(path);
    if (figures.is(Errc::limit)) return figures.error();
    if (!figures) {
      why += (why.empty() ? "" : "; ") + figures.error().message();
      continue;
    }
    LinkFigures link{.from = self,
                     .to = peer,
                     .round_trip_s = figures->round_trip_s,
                     .exchange_s = figures->exchange_s,
                     .bandwidth = figures->bandwidth,
                     .bandwidth_back = figures->bandwidth_back,
                     .from_interface = path.from_interface,
                     .to_interface = path.to_interface};
    if (path.from && path.to.size() == 1) {
      link.from_address = path.from->to_string();
      link.to_address = path.to[0].address().to_string();
    }
    measured.paths.push_back(link);
  }
  if (measured.paths.empty()) return Error(Errc::unavailable, why);
  measured.used = *std::ranges::max_element(measured.paths, {}, slower_way);
  return measured;
}

}  // namespace drystone
