#include "app/node/models/model_catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "app/load/demo_model.h"
#include "app/load/load_engine.h"
#include "app/load/open_model.h"
#include "app/node/models/copy_shelf.h"
#include "app/node/models/find_model_file.h"
#include "app/node/models/known_models.h"
#include "app/node/models/local_models.h"
#include "app/node/models/model_figures_of.h"
#include "model/gguf/split_name.h"
#include "serve/peer/files/fetch_model.h"
#include "serve/peer/files/part_ranges.h"
#include "serve/peer/files/whole_files.h"

namespace drystone {
namespace {

namespace fs = std::filesystem;

bool is_file_name(const std::string& text) {
  return !text.empty() && text.size() <= 128 &&
         std::ranges::all_of(text, [](unsigned char c) { return std::isxdigit(c) != 0; });
}

class Catalog final : public ModelCatalog {
 public:
  explicit Catalog(CatalogOptions options)
      : options_(std::move(options)),
        known_(options_.state / "models.json"),
        shelf_(options_.state / "files", options_.wall) {}

  Result<Found> find(const std::string& path_or_name) override {
    if (path_or_name == kDemoModelName) {
      const LocalModels::Model demo = TRY(local_.open_demo());
      return found(demo, kDemoModelName, kDemoModelName);
    }
    const fs::path path = TRY(locate(path_or_name));
    const LocalModels::Model model = TRY(local_.open(path));
    const std::string name = name_of_model(path);
    Found result = TRY(found(model, name, path.string()));
    remember(name, model.identity.identity, path);
    return result;
  }

  Result<GgufFile> open(const ModelSource& source, const Placement& placement, std::uint32_t part,
                        std::function<void(double)> progress,
                        const std::atomic<bool>& stop) override {
    if (auto local = open_here(source)) return std::move(local->file);
    return open_copy(
        source,
        [&](const ModelHolders& holders, SparseCopy& copy, const GgufFile& file) -> Result<void> {
          const auto ranges = TRY(part_ranges(placement, part, file));
          return fetch_ranges(holders, copy, ranges, progress, stop);
        },
        stop);
  }

  Result<GgufFile> open_header(const ModelSource& source, const std::atomic<bool>& stop) override {
    if (auto local = open_here(source)) return std::move(local->file);
    return open_copy(
        source, [](const ModelHolders&, SparseCopy&, const GgufFile&) { return Result<void>(); },
        stop);
  }

  Result<std::shared_ptr<const WholeFiles>> whole_files(const std::string& identity) override {
    if (local_.is_demo(identity))
      return whole_file_in_memory(TRY(local_.open_demo()).identity.files, demo_model());
    for (const KnownModels::Model& known : known_.of_identity(identity)) {
      const auto model = local_.open(known.path);
      if (!model || model->identity.identity != identity) continue;
      const std::vector<fs::path> paths(model->file.files().begin(), model->file.files().end());
      if (auto files = open_whole_files(model->identity.files, paths)) return files;
    }
    return Error(Errc::not_found, "this node has no such model (any more)");
  }

  void set_wanted(std::set<std::string> identities) override {
    shelf_.set_wanted(std::move(identities));
  }

 private:
  Result<Found> found(const LocalModels::Model& model, const std::string& name,
                      std::string path) const {
    const auto device = TRY(make_device(options_.threads));
    return Found{.source = {.model = name,
                            .identity = model.identity.identity,
                            .path = std::move(path),
                            .holders = {options_.self}},
                 .figures = TRY(model_figures_of(model.file, name, *device))};
  }

  void remember(const std::string& name, const std::string& identity, const fs::path& path) {
    // A disk that refuses costs the next life a search, nothing now.
    static_cast<void>(known_.remember({.model = name, .identity = identity, .path = path}));
  }

  // The first file of the model that a person names.
  Result<fs::path> locate(const std::string& path_or_name) const {
    std::error_code error;
    if (fs::is_regular_file(path_or_name, error)) {
      fs::path path = fs::canonical(path_or_name, error);
      if (error) path = fs::absolute(path_or_name, error);
      if (const auto split = parse_split_name(path)) path = split->part(0);
      return path;
    }
    for (const KnownModels::Model& known : known_.of_name(path_or_name))
      if (fs::is_regular_file(known.path, error)) return known.path;
    if (path_or_name.find('/') == std::string::npos)
      if (const auto files = find_model_files(options_.folders, path_or_name); !files.empty())
        return files[0];
    if (path_or_name.find('/') != std::string::npos && fs::is_directory(path_or_name, error))
      return Error(Errc::invalid_argument,
                   fmt::format("{} is a folder: give the path of a GGUF file in it, or make it a "
                               "model folder (drystone up --models {})",
                               path_or_name, path_or_name));
    std::string folders;
    for (const fs::path& folder : options_.folders)
      folders += (folders.empty() ? "" : ", ") + folder.string();
    return Error(
        Errc::not_found,
        fmt::format("there is no file {}, and no model of that name in {}. Give the path of a GGUF "
                    "file on this node, or put one into a model folder (drystone up --models)",
                    path_or_name, folders.empty() ? "a model folder (none is set)" : folders));
  }

  // A whole file of this machine that is the very same model.
  std::optional<LocalModels::Model> open_here(const ModelSource& source) {
    if (local_.is_demo(source.identity))
      if (auto demo = local_.open_demo()) return *std::move(demo);
    const auto take = [&](const fs::path& path) -> std::optional<LocalModels::Model> {
      auto model = local_.open(path);
      if (!model || model->identity.identity != source.identity) return std::nullopt;
      remember(source.model, source.identity, path);
      return *std::move(model);
    };
    for (const KnownModels::Model& known : known_.of_identity(source.identity))
      if (auto model = take(known.path)) return model;
    const fs::path published(source.path);
    if (published.is_absolute())
      if (auto model = take(published)) return model;
    std::vector<std::string> names = {published.filename().string(), source.model};
    for (const std::string& name : names)
      if (!name.empty())
        for (const fs::path& path : find_model_files(options_.folders, name))
          if (auto model = take(path)) return model;
    return std::nullopt;
  }

  ModelHolders holders(const ModelSource& source) const {
    ModelHolders holders{
        .dialer = *options_.dialer, .model = source.model, .identity = source.identity};
    const auto add = [&](const std::vector<std::string>& nodes) {
      for (const std::string& node : nodes)
        if (node != options_.self && std::ranges::find(holders.nodes, node) == holders.nodes.end())
          holders.nodes.push_back(node);
    };
    add(source.holders);
    if (options_.others) add(options_.others());
    return holders;
  }

  // The copy of this node, with headers, what programs need and what `fill` brings.
  template <typename Fill>
  Result<GgufFile> open_copy(const ModelSource& source, Fill fill, const std::atomic<bool>& stop) {
    if (!is_file_name(source.identity))
      return Error(Errc::corrupt, fmt::format("the source of {} has no identity", source.model));
    if (options_.dialer == nullptr)
      return Error(Errc::unavailable,
                   fmt::format("{} is not on this node, and no others are asked", source.model));
    const CopyShelf::Lease lease = shelf_.take(source.identity, stop);
    if (!lease.held()) return Error(Errc::cancelled, "fetching was stopped");
    const ModelHolders nodes = holders(source);  // asks the cluster's loop
    const auto fetch = [&]() -> Result<GgufFile> {
      SparseCopy copy = TRY(fetch_headers(nodes, lease.folder(), stop));
      GgufFile file = TRY(GgufFile::open(copy.path(0)));
      TRY(fetch_ranges(nodes, copy, program_ranges(file), nullptr, stop));
      TRY(fill(nodes, copy, file));
      return file;
    };
    auto file = fetch();
    // A full disk, mostly: copies of models that nobody wants make room.
    while (file.is(Errc::io) && !stop && shelf_.make_room()) file = fetch();
    return file;
  }

  const CatalogOptions options_;
  KnownModels known_;
  LocalModels local_;
  CopyShelf shelf_;
};

}  // namespace

std::unique_ptr<ModelCatalog> open_catalog(CatalogOptions options) {
  return std::make_unique<Catalog>(std::move(options));
}

}  // namespace drystone
