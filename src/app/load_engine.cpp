#include "app/load_engine.h"

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "app/open_model.h"
#include "compute/cpu/cpu_device.h"

namespace drystone {

int threads_or_default(int threads) {
  return threads > 0 ? threads : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

Result<std::unique_ptr<Device>> make_device(int threads) {
  const char* forced = std::getenv("DRYSTONE_ISA");
  const Isa isa = TRY(choose_isa(forced == nullptr ? "" : forced));
  return make_cpu_device(isa, threads_or_default(threads));
}

Result<LoadedEngine> load_engine(const EngineFlags& flags,
                                 std::function<void(double done)> progress) {
  GgufFile file = TRY(open_model(flags.model));
  LoadedEngine loaded;
  loaded.device = TRY(make_device(flags.threads));
  loaded.engine = TRY(Engine::load(
      std::move(file), *loaded.device,
      {.context = flags.context, .kv_type = flags.kv_type, .progress = std::move(progress)}));
  return loaded;
}

}  // namespace drystone
