#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace drystone {

// An array of a GGUF file. Integers of every width widen to int64 (u64 keeps its bits), floats to
// double.
using MetadataArray = std::variant<std::vector<std::int64_t>, std::vector<double>,
                                   std::vector<bool>, std::vector<std::string>>;
using MetadataValue = std::variant<std::int64_t, double, bool, std::string, MetadataArray>;

// The key-value part of a model file.
class Metadata {
 public:
  const MetadataValue* find(std::string_view key) const;
  void set(std::string key, MetadataValue value);
  const std::map<std::string, MetadataValue, std::less<>>& all() const { return values_; }

  // nullopt when the key is absent. Errors: corrupt (another type, or out of the range of u32),
  // naming the key.
  Result<std::optional<std::uint32_t>> u32(std::string_view key) const;
  Result<std::optional<float>> f32(std::string_view key) const;  // accepts integers too
  Result<std::optional<bool>> boolean(std::string_view key) const;
  Result<std::optional<std::string>> string(std::string_view key) const;
  // Errors: not_found when the key is absent.
  Result<std::uint32_t> required_u32(std::string_view key) const;
  Result<float> required_f32(std::string_view key) const;
  Result<std::string> required_string(std::string_view key) const;

  // Null when absent or not an array of that kind.
  const std::vector<std::string>* strings(std::string_view key) const;
  const std::vector<std::int64_t>* integers(std::string_view key) const;
  const std::vector<double>* doubles(std::string_view key) const;
  const std::vector<bool>* booleans(std::string_view key) const;

 private:
  std::map<std::string, MetadataValue, std::less<>> values_;
};

}  // namespace drystone
