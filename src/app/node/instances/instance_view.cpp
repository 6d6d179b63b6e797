#include "app/node/instances/instance_view.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>

namespace drystone {

bool InstanceView::concerns(std::string_view key) {
  static constexpr std::array kPrefixes = {kWantPrefix,  kPlacePrefix,   kLoadsPrefix,
                                           kPartPrefix,  kFiguresPrefix, kLinkPrefix,
                                           kModelPrefix, kSourcePrefix};
  return std::ranges::any_of(kPrefixes,
                             [&](std::string_view prefix) { return key.starts_with(prefix); });
}

void InstanceView::set(std::string_view key, const std::string* text) {
  if (!concerns(key)) return;
  const bool is_source = key.starts_with(kSourcePrefix);
  if (is_source) sources_.erase(std::string(key.substr(kSourcePrefix.size())));
  boost::system::error_code error;
  boost::json::value value;
  if (text != nullptr) value = boost::json::parse(*text, error);
  if (text == nullptr || error) {
    if (const auto at = values_.find(key); at != values_.end()) values_.erase(at);
    return;
  }
  if (is_source) sources_.emplace(key.substr(kSourcePrefix.size()), model_source_from_json(value));
  values_.insert_or_assign(std::string(key), std::move(value));
}

const boost::json::value* InstanceView::get(std::string_view key) const {
  const auto at = values_.find(key);
  return at == values_.end() ? nullptr : &at->second;
}

std::vector<std::string> InstanceView::keys(std::string_view prefix) const {
  std::vector<std::string> keys;
  for (auto at = values_.lower_bound(prefix); at != values_.end() && at->first.starts_with(prefix);
       ++at)
    keys.push_back(at->first);
  return keys;
}

Result<ModelSource> InstanceView::source(const std::string& model) const {
  const auto at = sources_.find(model);
  if (at == sources_.end())
    return Error(Errc::not_found, "nobody says where the file of " + model + " is");
  return at->second;
}

}  // namespace drystone
