#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "serve/peer/files/sparse_copy.h"

namespace drystone {

// Where the bytes of a model come from. The dialer dials for files and is borrowed.
struct ModelHolders {
  PeerDialer& dialer;
  std::string model;               // its name, for messages
  std::string identity;            // as ModelIdentity has it
  std::vector<std::string> nodes;  // ids, asked in this order
  // One that serves too many others is left alone for so long, then asked again, as often as
  // needed.
  std::chrono::milliseconds busy_pause{1000};
};

// The copy in `folder` with at least the headers and what else its identity is made of, and that
// identity; made from a holder where there is none. Blocks. Errors: unavailable (no holder could
// give it: says for each why), corrupt (its holders have another model), io (the disk; nothing is
// left), cancelled.
Result<SparseCopy> fetch_headers(const ModelHolders& holders, const std::filesystem::path& folder,
                                 const std::atomic<bool>& stop);

// Brings the ranges into the copy; goes on with another holder where one fails, from where it
// stood. `progress`: fraction of what was missing; may be empty. Errors: as above; what came stays.
Result<void> fetch_ranges(const ModelHolders& holders, SparseCopy& copy,
                          std::span<const FileRange> ranges,
                          const std::function<void(double)>& progress,
                          const std::atomic<bool>& stop);

}  // namespace drystone
