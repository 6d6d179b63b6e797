#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "cluster/plan/placement.h"
#include "engine/engine.h"
#include "model/gguf/gguf.h"
#include "serve/peer/split/connect_part.h"
#include "serve/peer/split/loaded_part.h"
#include "serve/peer/split/split_pipe.h"
#include "serve/peer/split/stage_part.h"

namespace drystone {

// What a part of a placement needs of its node. All are borrowed for the part's life. A `part` that
// is loaded already holds the same as this one (same_in_memory), and is not loaded again.
struct PartNode {
  std::string self;  // node id
  LoadedPart& part;
  PeerDialer& dialer;
  Switchboard& switchboard;
  const Clock& clock;
};

struct PartOptions {
  // To connect with all other parts; they must know of the placement by then.
  std::chrono::nanoseconds connect_within = std::chrono::seconds(30);
  LinkOptions links;
  // The model's file with the tensors of the part, once all are connected: it may take minutes to
  // come. Empty: they stand in the file that was given.
  std::function<Result<GgufFile>()> open;
  std::function<void(double done)> progress;  // of loading: fraction in [0, 1]
  PartLinks::OnLost on_lost;                  // also while the rest is still loading
};

// Both connect first and load then, so that a node that is lost while others load is noticed. They
// block for as long as that takes; once `stop` is true they give up behind the tensor that is read.
// The parts are of one placement of several (one part: Engine::load). Of `file` what stands
// before the tensors is enough, if the options open another one.
// Errors: those of part_program, connect_part, PartOptions::open and load_part. What has been
// loaded stays in PartNode::part.

// The part of a node that is not the head. It works until it is destroyed, or on_lost was called.
Result<std::unique_ptr<StagePart>> start_worker(const PartNode& node, const Placement& placement,
                                                const GgufFile& file, PartOptions options,
                                                const std::atomic<bool>& stop);

// The head's: an engine over all parts, which returns when all have loaded. `engine` says what
// requests may do: of its options context, batch_tokens_max and sequences_max are filled in.
// Errors: also those of PartLinks::wait_ready and Engine::over.
Result<std::unique_ptr<Engine>> start_head(const PartNode& node, const Placement& placement,
                                           GgufFile file, PartOptions options, EngineOptions engine,
                                           const std::atomic<bool>& stop);

}  // namespace drystone
