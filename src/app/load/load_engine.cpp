#include "app/load/load_engine.h"

#include <cstdlib>

#include "app/load/open_model.h"
#include "app/load/processors.h"
#include "compute/cpu/cpu_device.h"

namespace drystone {

int threads_or_default(int threads) { return threads > 0 ? threads : usable_processors(); }

Result<std::unique_ptr<Device>> make_device(int threads) {
  const char* forced = std::getenv("DRYSTONE_ISA");
  const Isa isa = TRY(choose_isa(forced == nullptr ? "" : forced));
  return make_cpu_device(isa, threads_or_default(threads));
}

Result<LoadedEngine> load_engine(const EngineFlags& flags,
                                 std::function<void(double done)> progress) {
  LoadedEngine loaded;
  loaded.device = TRY(make_device(flags.threads));
  const bool choose = flags.kv_tokens == 0 && flags.sequences_max > 1;
  for (std::uint32_t contexts = choose ? kContextsMax : 1;; contexts /= 2) {
    auto engine = Engine::load(TRY(open_model(flags.model)), *loaded.device,
                               {.context = flags.context,
                                .kv_tokens = flags.kv_tokens,
                                .kv_contexts = contexts,
                                .sequences_max = flags.sequences_max,
                                .queue_max = flags.queue_max,
                                .speculate = flags.speculate,
                                .stall = flags.stall,
                                .kv_type = flags.kv_type,
                                .kv_disk_folder = flags.kv_disk_folder,
                                .kv_disk_bytes = flags.kv_disk_bytes,
                                .progress = progress});
    // Refused before any memory was taken.
    if (engine.is(Errc::out_of_memory) && contexts > 1) continue;
    loaded.engine = TRY(std::move(engine));
    return loaded;
  }
}

}  // namespace drystone
