#include "app/node/models/local_models.h"

#include <sys/stat.h>

#include <utility>

#include "app/load/demo_model.h"
#include "app/load/open_model.h"

namespace drystone {
namespace {

namespace fs = std::filesystem;

std::int64_t nanoseconds(const struct timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

std::optional<std::vector<LocalModels::Stamp>> LocalModels::stamps_of(const GgufFile& file) {
  std::vector<Stamp> stamps;
  for (const fs::path& path : file.files()) {
    struct stat found = {};
    if (::stat(path.c_str(), &found) != 0) return std::nullopt;
    stamps.push_back({.device = found.st_dev,
                      .inode = found.st_ino,
                      .size = found.st_size,
                      .modified_ns = nanoseconds(found.st_mtim),
                      .changed_ns = nanoseconds(found.st_ctim)});
  }
  return stamps;
}

Result<LocalModels::Model> LocalModels::open(const fs::path& path) {
  GgufFile file = TRY(GgufFile::open(path));
  const auto stamps = stamps_of(file);
  if (stamps) {
    const std::lock_guard lock(mutex_);
    if (const auto at = known_.find(path); at != known_.end() && at->second.stamps == *stamps)
      return Model{std::move(file), at->second.identity};
  }
  ModelIdentity identity = TRY(identify(file));
  // One that changed while it was read is read again the next time.
  if (stamps && stamps_of(file) == stamps) {
    const std::lock_guard lock(mutex_);
    if (known_.size() >= kKnownMax) known_.clear();
    known_.insert_or_assign(path, Known{*stamps, identity});
  }
  return Model{std::move(file), std::move(identity)};
}

Result<LocalModels::Model> LocalModels::open_demo() {
  GgufFile file = TRY(open_model(kDemoModelName));
  const std::lock_guard lock(mutex_);
  if (!demo_) demo_ = identify(file, demo_model(), std::string(kDemoModelName) + ".gguf");
  return Model{std::move(file), *demo_};
}

bool LocalModels::is_demo(const std::string& identity) {
  {
    const std::lock_guard lock(mutex_);
    if (demo_) return demo_->identity == identity;
  }
  const auto demo = open_demo();
  return demo && demo->identity.identity == identity;
}

}  // namespace drystone
