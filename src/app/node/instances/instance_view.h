#pragma once

#include <boost/json/value.hpp>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "app/node/models/model_source.h"
#include "cluster/instance/map_view.h"

namespace drystone {

// ModelSource (model_catalog.h): which file an instance's model is.
constexpr std::string_view kSourcePrefix = "source/";

// The shared state as the life of instances sees it: the values that it uses, parsed once. Not
// thread-safe.
class InstanceView final : public MapView {
 public:
  // Whether a key is one of those.
  static bool concerns(std::string_view key);

  // The text that now stands at `key`; null: none. What concerns nobody here, and what is no JSON,
  // counts as none.
  void set(std::string_view key, const std::string* text);

  const boost::json::value* get(std::string_view key) const override;
  std::vector<std::string> keys(std::string_view prefix) const override;
  // Errors: not_found, corrupt.
  Result<ModelSource> source(const std::string& model) const;

 private:
  std::map<std::string, boost::json::value, std::less<>> values_;
  std::map<std::string, Result<ModelSource>, std::less<>> sources_;  // by model
};

}  // namespace drystone
