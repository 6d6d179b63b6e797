#include "app/node/members/node_name.h"

#include <boost/json.hpp>

namespace drystone {
namespace {

namespace json = boost::json;

std::string key_of(const std::string& id) { return std::string(kNamePrefix) + id; }

std::string name_of(const cluster::ClusterCore& core, const cluster::MemberList::Member& member) {
  const std::string* text = core.get(key_of(member.id));
  boost::system::error_code error;
  const json::value value = text == nullptr ? json::value() : json::parse(*text, error);
  const json::string* name = error ? nullptr : value.if_string();
  return name != nullptr && cluster::check_name(*name) ? std::string(*name) : member.name;
}

}  // namespace

std::map<std::string, std::string> node_names(const cluster::ClusterCore& core) {
  std::map<std::string, std::string> names;
  for (const auto& [id, member] : core.members().members()) names[id] = name_of(core, member);
  return names;
}

std::string node_name(const cluster::ClusterCore& core, const std::string& id) {
  const auto* member = core.members().find(id);
  return member == nullptr ? id : name_of(core, *member);
}

std::string with_names(const cluster::ClusterCore& core, std::string text) {
  for (const auto& [id, name] : node_names(core))
    for (auto at = text.find(id); at != std::string::npos; at = text.find(id, at + name.size()))
      text.replace(at, id.size(), name);
  return text;
}

Result<void> rename_self(cluster::ClusterCore& core, const std::string& name,
                         Clock::WallTime wall) {
  TRY(cluster::check_name(name));
  if (node_name(core, core.self()) == name) return {};
  return core.put(key_of(core.self()), json::serialize(json::string(name)), wall);
}

}  // namespace drystone
