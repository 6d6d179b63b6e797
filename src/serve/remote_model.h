#pragma once

#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "base/result.h"
#include "engine/classifier.h"
#include "model/gguf/metadata.h"
#include "serve/http/served_model.h"

namespace drystone {

struct RemoteModelOptions {
  Metadata metadata;  // of the model file
  std::uint64_t weights_bytes = 0;
  std::uint32_t context = 0;               // that the instance was placed with
  std::shared_ptr<JobQueue> jobs;          // such as a ReplayQueue
  std::unique_ptr<Classifier> classifier;  // Classifier::of its file; null: it ranks nothing
};

// A model that is computed elsewhere, or by whoever `jobs` reaches: its API from the metadata
// alone, on a node that may hold no part of it. Borrows the clock. Errors: those of
// Tokenizer::load; not_found, corrupt (a key that is missing or wrong).
Result<std::unique_ptr<ServedModel>> make_remote_model(RemoteModelOptions options,
                                                       const Clock& clock);

}  // namespace drystone
