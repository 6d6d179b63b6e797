#include "app/load/open_model.h"

#include <filesystem>

#include "app/load/demo_model.h"

namespace drystone {

Result<GgufFile> open_model(const std::string& model) {
  if (model != kDemoModelName) return GgufFile::open(model);
  if (demo_model().empty())
    return Error(Errc::not_found,
                 "pebble is not part of this build: models/pebble/pebble.gguf was missing. "
                 "Name a GGUF file instead (./pebble for a file of that name)");
  return GgufFile::parse(demo_model(), kDemoModelName);
}

std::string model_name(const std::string& model) {
  const std::filesystem::path path(model);
  return path.extension() == ".gguf" ? path.stem().string() : path.filename().string();
}

}  // namespace drystone
