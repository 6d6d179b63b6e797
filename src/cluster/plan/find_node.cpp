#include "cluster/plan/find_node.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

namespace drystone {
namespace {

constexpr std::size_t kIdPrefixMin = 4;
constexpr std::size_t kIdShown = 8;

}  // namespace

std::string name_with_id(const std::string& name, const std::string& id) {
  return fmt::format("{} ({})", name, id.substr(0, kIdShown));
}

Result<std::string> find_node(const std::map<std::string, std::string>& names,
                              const std::string& said) {
  std::vector<std::string> named, begun;
  for (const auto& [id, name] : names) {
    if (id == said) return id;
    if (name == said || name_with_id(name, id) == said) named.push_back(id);
    if (said.size() >= kIdPrefixMin && id.starts_with(said)) begun.push_back(id);
  }
  const std::vector<std::string>& found = named.empty() ? begun : named;
  if (found.size() == 1) return found.front();
  if (found.empty())
    return Error(
        Errc::not_found,
        fmt::format("there is no node {} in this cluster; `drystone nodes` lists them", said));
  std::vector<std::string> shown;
  for (const std::string& id : found) shown.push_back(name_with_id(names.at(id), id));
  return Error(Errc::invalid_argument,
               fmt::format("{} nodes are called {}: name one by the beginning of its id ({})",
                           found.size(), said, fmt::join(shown, ", ")));
}

}  // namespace drystone
