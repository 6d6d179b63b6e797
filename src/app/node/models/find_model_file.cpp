#include "app/node/models/find_model_file.h"

#include <cstdlib>

#include "app/load/open_model.h"
#include "model/gguf/split_name.h"

namespace drystone {
namespace {

namespace fs = std::filesystem;

bool is_named(const fs::path& path, const std::string& name) {
  const std::string file = path.filename().string();
  if (file == name) return path.extension() == ".gguf";
  if (file == name + ".gguf") return true;
  const auto split = parse_split_name(path);
  return split && split->prefix.filename() == name && path == split->part(0);
}

}  // namespace

fs::path default_models_folder() {
  if (const char* data = std::getenv("XDG_DATA_HOME"); data != nullptr && *data == '/')
    return fs::path(data) / "drystone/models";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/')
    return fs::path(home) / ".local/share/drystone/models";
  return {};
}

std::vector<fs::path> find_model_files(const std::vector<fs::path>& folders,
                                       const std::string& name) {
  std::vector<fs::path> found;
  std::size_t looked_at = 0;
  for (const fs::path& folder : folders) {
    std::error_code error;
    fs::recursive_directory_iterator at(folder, fs::directory_options::skip_permission_denied,
                                        error);
    for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
      if (++looked_at > kFolderEntriesMax) return found;
      std::error_code unreadable;
      if (is_named(at->path(), name) && at->is_regular_file(unreadable))
        found.push_back(at->path());
    }
  }
  return found;
}

std::string name_of_model(const fs::path& path) {
  if (const auto split = parse_split_name(path)) return split->prefix.filename().string();
  return model_name(path.string());
}

}  // namespace drystone
