#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "compute/device.h"
#include "engine/engine.h"

namespace drystone {

// What a command line says about how to run a model.
struct EngineFlags {
  std::string model;          // as open_model takes it
  int threads = 0;            // 0: one per core that the process may use
  std::uint32_t context = 0;  // 0: the model's own, at most kDefaultContextMax
  KvType kv_type = KvType::f16;
  std::uint32_t kv_tokens = 0;      // of all requests together; 0: see load_engine
  std::uint32_t sequences_max = 1;  // requests that run at once
  std::size_t queue_max = 1;        // requests that wait
  bool speculate = true;            // guess tokens ahead
  double stall = kDefaultStall;     // EngineOptions::stall
  Bytes kv_disk_bytes = 0;          // second tier of the prefix cache; 0: none
  std::string kv_disk_folder = "/var/tmp";
};

struct LoadedEngine {
  std::unique_ptr<Device> device;
  std::unique_ptr<Engine> engine;  // borrows `device`, so it stands after it
};

constexpr std::uint32_t kContextsMax = 4;

// `threads`, or for 0 one per processor that this process may use (usable_processors).
int threads_or_default(int threads);

// The device that the flags and $DRYSTONE_ISA ask for. Errors: invalid_argument (an instruction set
// not here).
Result<std::unique_ptr<Device>> make_device(int threads);

// Without kv_tokens, the cache holds kContextsMax contexts if several requests may run at once and
// memory allows it, or 2, or 1. Blocks for seconds. `progress` (fraction in [0, 1]) may be empty.
// Errors: those of open_model, make_device and Engine::load.
Result<LoadedEngine> load_engine(const EngineFlags& flags,
                                 std::function<void(double done)> progress);

}  // namespace drystone
