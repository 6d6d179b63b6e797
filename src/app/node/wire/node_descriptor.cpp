#include "app/node/wire/node_descriptor.h"

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
      TRY(parse_json(text, {.bytes_max = cluster::kMapValueBytesMax, .depth_max = 8}));
  JsonFields fields(value, "a node");
  NodeDescriptor descriptor;
  fields.text("version", descriptor.version, kTextBytesMax);
  fields.text("api", descriptor.api, kTextBytesMax);
  fields.elements("addresses", descriptor.addresses, kAddressesMax,
                  [](const json::value& element) -> Result<std::string> {
                    const json::string* address = element.if_string();
                    if (!address || address->size() > kTextBytesMax)
                      return Error(Errc::corrupt, "is no address");
                    return std::string(*address);
                  });
  TRY(fields.finish());
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
