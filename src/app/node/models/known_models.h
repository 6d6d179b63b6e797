#pragma once

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace drystone {

// Where the files of models are that somebody asked this node for: STATE/models.json, so that they
// are found again after a restart. Thread-safe.
class KnownModels {
 public:
  static constexpr std::size_t kModelsMax = 1000;  // the oldest go
  struct Model {
    std::string model, identity;
    std::filesystem::path path;  // of its first file
    bool operator==(const Model&) const = default;
  };

  // A file that cannot be read counts as empty.
  explicit KnownModels(std::filesystem::path file);

  // The newest first.
  std::vector<Model> of_identity(const std::string& identity) const;
  std::vector<Model> of_name(const std::string& model) const;
  // Writes only what is new. Errors: io; it is known all the same, until the process ends.
  Result<void> remember(const Model& model);

 private:
  const std::filesystem::path file_;
  mutable std::mutex mutex_;
  std::vector<Model> models_;  // the oldest first
};

}  // namespace drystone
