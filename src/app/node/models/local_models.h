#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/gguf/gguf.h"
#include "serve/peer/files/model_identity.h"

namespace drystone {

// Models in files of this machine, and the demo model. Files are opened anew each time; what they
// are is read and hashed again only when they have changed. Thread-safe; calls block.
class LocalModels {
 public:
  static constexpr std::size_t kKnownMax = 256;  // then all are forgotten

  struct Model {
    GgufFile file;
    ModelIdentity identity;
  };
  // Errors: those of GgufFile::open and identify.
  Result<Model> open(const std::filesystem::path& path);

  // Errors: not_found (not in this build).
  Result<Model> open_demo();
  bool is_demo(const std::string& identity);

 private:
  // Of one file: another one at its path, or other bytes in it, differ here.
  struct Stamp {
    std::uint64_t device = 0, inode = 0;
    std::int64_t size = 0, modified_ns = 0, changed_ns = 0;
    bool operator==(const Stamp&) const = default;
  };
  struct Known {
    std::vector<Stamp> stamps;
    ModelIdentity identity;
  };
  static std::optional<std::vector<Stamp>> stamps_of(const GgufFile& file);

  std::mutex mutex_;
  std::map<std::filesystem::path, Known> known_;
  std::optional<ModelIdentity> demo_;
};

}  // namespace drystone
