#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cluster/plan/model_figures.h"
#include "cluster/plan/placement.h"
#include "model/gguf/gguf.h"
#include "serve/peer/files/file_server.h"
#include "serve/peer/split/switchboard.h"

namespace drystone {

// What all nodes know of a model: stands in the shared state at source/MODEL.
struct ModelSource {
  std::string model;                 // "qwen3-8b-q4_k_m"
  std::string identity;              // ModelIdentity
  std::string path;                  // where its publisher has it: tried first elsewhere
  std::vector<std::string> holders;  // ids of nodes that have the whole file
};

// The model files of this node, and those that it can have from others. Any thread; calls block.
class ModelCatalog {
 public:
  virtual ~ModelCatalog() = default;

  // A path of a GGUF file, a name in one of the model folders, or "pebble": a model of this node.
  // Remembers it (it survives restarts). Errors: not_found (says where it looked), those of
  // GgufFile.
  struct Found {
    ModelSource source;
    ModelFigures figures;
  };
  virtual Result<Found> find(const std::string& path_or_name) = 0;

  // The model's file with at least the tensors of `part` in it: from this node's disk, else from a
  // peer that has it (only those tensors, kept in the state folder). Errors: unavailable (nobody
  // alive has it), io (disk full: how much is missing), corrupt (not the model that was meant).
  virtual Result<GgufFile> open(const ModelSource& source, const Placement& placement,
                                std::uint32_t part, std::function<void(double)> progress,
                                const std::atomic<bool>& stop) = 0;
  // Only what stands before the tensors: for nodes that serve a model of which they have no part.
  virtual Result<GgufFile> open_header(const ModelSource& source,
                                       const std::atomic<bool>& stop) = 0;
  // The whole files of a model of this node, for others to read (FileServer). Errors: not_found.
  virtual Result<std::shared_ptr<const WholeFiles>> whole_files(const std::string& identity) = 0;

  // The identities of all models that somebody wants: copies of others may go (CopyShelf). Returns
  // at once.
  virtual void set_wanted(std::set<std::string> identities) = 0;
};

struct CatalogOptions {
  std::filesystem::path state;                 // models.json and files/ are kept there
  std::vector<std::filesystem::path> folders;  // models that have a name
  std::string self;                            // node id
  int threads = 0;                             // of a part: some of its working memory is theirs
  PeerDialer* dialer = nullptr;                // for DataPurpose::files; null: no others are asked
  // Ids of nodes alive, which are asked behind the holders: they may have the file as well. Any
  // thread; may be empty.
  std::function<std::vector<std::string>()> others;
  std::function<Clock::WallTime()> wall;  // by which copies grow old; empty: they do not
};
// Borrows the dialer for its life.
std::unique_ptr<ModelCatalog> open_catalog(CatalogOptions options);

}  // namespace drystone
