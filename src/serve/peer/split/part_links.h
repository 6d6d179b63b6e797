#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "cluster/plan/placement.h"
#include "serve/peer/split/link.h"
#include "serve/peer/split/row_codec.h"
#include "serve/peer/split/step_inbox.h"
#include "serve/peer/split/stream_reducer.h"
#include "serve/peer/split/wires.h"

namespace drystone {

// A stream of a part, connected.
struct WiredStream {
  Wire wire;
  std::unique_ptr<DataStream> stream;
};

// What a part must tell the others when it has loaded.
struct PartFigures {
  std::uint32_t page_tokens = 0, page_count = 0;
  bool kinds_agree = false;  // DeviceStage::kinds_agree
};

struct LinkOptions {
  LinkTiming timing;
  StreamReducer::Options reduce;  // what the placement says is filled in
};

// Everything that one part of an instance has to do with the others: their streams, with threads
// that read them and one that says that we live; messages for who computes; sums.
//
// A part is of no use without the others: when one link is lost all are closed, and so one part
// after the other learns of it, up to the head.
class PartLinks {
 public:
  // Called once, from a thread of the links or of who calls them, when they are lost by no wish of
  // ours. Must neither block nor destroy them.
  using OnLost = std::function<void(const Error&)>;

  // `clock` is borrowed. `limits` without pages, which are known later. The
  // streams are all those of the part; they work at once.
  PartLinks(const Placement& placement, std::uint32_t part, const StepLimits& limits,
            std::vector<WiredStream> streams, const Clock& clock, LinkOptions options,
            OnLost on_lost);
  ~PartLinks();  // stop()
  PartLinks(const PartLinks&) = delete;
  PartLinks& operator=(const PartLinks&) = delete;

  Reducer* reducer() { return reducer_.get(); }  // null: the only rank of its stage
  const Wires& wires() const { return wires_; }
  std::uint32_t stage() const { return here().stage; }
  std::uint32_t rank() const { return here().rank; }
  const StepLimits& limits() const { return limits_; }
  // Rows of the output matrix of a rank of the first stage.
  const Span& vocab_of(std::uint32_t rank) const { return placement_.parts[rank].vocab; }

  // This part has loaded. The head is told when all parts behind this one have, too.
  void loaded(const PartFigures& figures);
  // At the head: until all parts have loaded, or `stop` is true. The figures that hold for all: the
  // least. Errors: unavailable (a link is lost), unsupported (pages differ in size), cancelled.
  Result<PartFigures> wait_ready(const std::atomic<bool>& stop);

  // Steps and rows for this part, in the order in which they came.
  StepInbox& inbox() { return inbox_; }
  // At the head: slices of logits from a rank of the first stage (1 and up).
  StepInbox& slices(std::uint32_t rank) { return *slices_.at(rank - 1); }

  // Errors of all: unavailable (a link is lost; all are closed then).
  // A step to the other ranks of the first stage; from the head alone.
  Result<void> send_to_ranks(std::uint64_t step, std::span<const std::byte> layout,
                             std::span<const float> hidden);
  // A step to the next stage.
  Result<void> send_on(std::uint64_t step, std::span<const std::byte> layout,
                       std::span<const float> hidden);
  // What the last stage gives, to the first.
  Result<void> send_back(std::uint64_t step, std::span<const std::byte> layout,
                         std::span<const float> hidden);
  // A rank's slice, to the head.
  Result<void> send_logits(std::uint64_t step, std::span<const float> logits);

  // The links are lost, or of no more use: the first reason stays.
  void fail(const Error& error);
  // The same; returns the first reason, as unavailable.
  Error failed(const Error& error);
  bool ended() const;  // failed or stopped
  // From any thread but those of the links, more than once: closes all without on_lost, and waits
  // for the threads.
  void stop();

 private:
  struct Wired {
    Wire wire;
    std::unique_ptr<Link> link;
    std::uint64_t steps = 0;  // the last one that came
  };
  const PlacedPart& here() const { return placement_.parts[part_]; }
  bool is_head() const { return part_ == 0; }
  std::uint32_t payload_max() const;
  Result<void> on_frame(Wired& wired, const FrameHeader& header);
  Result<void> on_ready(const Wired& wired);
  Result<void> on_step(Wired& wired, const FrameHeader& header, PeerFrame kind);
  Result<void> on_logits(Wired& wired, const FrameHeader& header);
  void tell_ready();
  // Which streams, and how.
  struct Send {
    PeerFrame kind;
    StreamRole role;
    bool to_first_stage;
    RowFormat rows;
  };
  Result<void> send(const Send& how, std::uint64_t step, std::span<const std::byte> layout,
                    std::span<const float> hidden);
  Link* to_parent();
  void close_all(const Error& error);
  void keep_alive();

  const Placement placement_;
  const std::uint32_t part_;
  const Wires wires_;
  StepLimits limits_;  // pages: set before loaded_
  const Clock& clock_;
  const LinkOptions options_;
  const OnLost on_lost_;
  StepInbox inbox_;
  std::vector<std::unique_ptr<StepInbox>> slices_;  // by rank - 1
  std::vector<Wired> links_;
  std::vector<std::unique_ptr<DataStream>> sums_;
  std::unique_ptr<StreamReducer> reducer_;
  std::vector<std::byte> scratch_;  // of who computes

  std::atomic<bool> loaded_ = false;
  mutable std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  std::optional<PartFigures> own_;
  std::map<std::uint32_t, PartFigures> ready_;  // by part: those behind this one
  std::size_t children_ = 0;
  bool told_ = false;
  std::optional<Error> lost_;
  bool stopping_ = false;
  std::thread keeper_;
};

}  // namespace drystone
