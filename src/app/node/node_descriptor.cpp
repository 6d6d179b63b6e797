#include "app/node/node_descriptor.h"

#include <boost/json.hpp>

#include "cluster/state/map_entry.h"
#include "cluster/wire/json_fields.h"
#include "net/address_order.h"

namespace drystone {
namespace json = boost::json;

namespace {
constexpr std::size_t kAddressesMax = 32, kTextBytesMax = 256;
}

std::string to_json(const NodeDescriptor& descriptor) {
  json::array addresses;
  for (const std::string& address : descriptor.addresses) addresses.emplace_back(address);
  return json::serialize(json::object{{"version", descriptor.version},
                                      {"api", descriptor.api},
                                      {"addresses", std::move(addresses)}});
}

Result<NodeDescriptor> parse_node_descriptor(std::string_view text) {
  const auto value =
      TRY(cluster::parse_json(text, {.bytes_max = cluster::kMapValueBytesMax, .depth_max = 8}));
  const auto fields = TRY(cluster::JsonFields::of(value));
  NodeDescriptor descriptor;
  descriptor.version = TRY(fields.text("version", kTextBytesMax));
  descriptor.api = TRY(fields.text("api", kTextBytesMax));
  for (const json::value& element : *TRY(fields.array("addresses", kAddressesMax))) {
    const json::string* address = element.if_string();
    if (!address || address->size() > kTextBytesMax)
      return Error(Errc::corrupt, "field addresses has something that is no address");
    descriptor.addresses.emplace_back(*address);
  }
  return descriptor;
}

std::optional<NodeDescriptor> descriptor_of(const cluster::ClusterCore& core,
                                            const std::string& node) {
  const std::string* value = core.get(cluster::own_key(node, NodeDescriptor::kName));
  if (value == nullptr) return std::nullopt;
  auto read = parse_node_descriptor(*value);
  if (!read) return std::nullopt;
  return *std::move(read);
}

std::vector<boost::asio::ip::tcp::endpoint> endpoints_of(const NodeDescriptor& descriptor) {
  std::vector<boost::asio::ip::tcp::endpoint> endpoints;
  for (const std::string& text : descriptor.addresses) {
    const auto parsed = parse_host_port(text);
    boost::system::error_code error;
    const auto address =
        parsed ? boost::asio::ip::make_address(parsed->host, error) : boost::asio::ip::address();
    if (parsed && !error) endpoints.emplace_back(address, parsed->port);
  }
  return endpoints;
}

}  // namespace drystone
