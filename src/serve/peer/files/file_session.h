#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/frame.h"
#include "serve/peer/split/switchboard.h"
#include "store/presence.h"
#include "store/range_set.h"

namespace drystone {

// A range of one of a model's files.
struct FileRange {
  std::size_t file = 0;
  ByteRange bytes;
};

// A connection to a node that has a model's files whole. One thread.
class FileSession {
 public:
  static constexpr std::chrono::seconds kDialWithin{5}, kAnswerWithin{15};

  // `dialer` dials for files (DataPurpose). Errors: unavailable (the node is not there), busy (it
  // gives files to as many others as it can: ask again soon), not_found (it does not have the
  // model), corrupt, cancelled.
  static Result<std::unique_ptr<FileSession>> open(PeerDialer& dialer, const std::string& node,
                                                   const std::string& identity,
                                                   const std::atomic<bool>& stop);

  const ModelFiles& files() const { return files_; }

  // Reads the ranges in their order, several pieces in flight, and gives each piece to `sink` when
  // it is there. Stops at an error of `sink`. Errors: those of `sink`; unavailable or io (the
  // connection), busy (its turn is over: some came, ask for the rest on another one soon), corrupt,
  // cancelled (`stop`): the session is of no more use.
  using Sink = std::function<Result<void>(const FileRange& piece, std::span<const std::byte>)>;
  Result<void> read(std::span<const FileRange> ranges, const Sink& sink,
                    const std::atomic<bool>& stop);

 private:
  explicit FileSession(std::unique_ptr<DataStream> stream);
  Result<void> hello(const std::string& identity);
  Result<FrameHeader> next();

  std::unique_ptr<DataStream> stream_;
  FrameStream frames_;
  ModelFiles files_;
  std::uint64_t asked_ = 0, answered_ = 0;
  bool make_room_ = false;  // the other side asked for it
  std::vector<std::byte> buffer_;
};

}  // namespace drystone
