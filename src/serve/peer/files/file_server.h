#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "base/units.h"
#include "net/data_stream.h"
#include "store/presence.h"

namespace drystone {

// The files of one model, whole, as this node has them. Any thread.
class WholeFiles {
 public:
  virtual ~WholeFiles() = default;
  virtual const ModelFiles& files() const = 0;
  // Fills `into` from the file's bytes behind `offset`. Errors: io (it is shorter now, or broken).
  virtual Result<void> read(std::size_t file, Bytes offset, std::span<std::byte> into) const = 0;
};

// Gives bytes of model files to other members. While more of them want some than it serves at once,
// they take turns. Thread-safe.
class FileServer {
 public:
  static constexpr int kSessionsMax = 16;  // at once; one more is told `busy`, and tries again
  // Then a session makes room for one that waits. More than the headers and samples of any model,
  // which come on one session.
  static constexpr Bytes kTurnBytes = 32 * kMiB;
  static constexpr std::chrono::seconds kIdleWithin{60}, kWriteWithin{30};

  // Only what `find` gives can be read. Errors of `find`: not_found.
  using Find =
      std::function<Result<std::shared_ptr<const WholeFiles>>(const std::string& identity)>;
  explicit FileServer(Find find) : find_(std::move(find)) {}

  // One connection, from its first frame on; blocks until it ends.
  void serve(std::unique_ptr<DataStream> stream);

 private:
  const Find find_;
  std::atomic<int> sessions_ = 0;
  std::atomic<bool> others_wait_ = false;  // one was refused, and nobody has made room since
};

}  // namespace drystone
