#include "app/cli/engine_flags.h"

#include <map>
#include <string>

namespace drystone {

void add_kv_flag(CLI::App& command, KvType& kv_type) {
  static const std::map<std::string, KvType> kKvTypes = {
      {"f16", KvType::f16}, {"f32", KvType::f32}, {"q8_0", KvType::q8_0}};
  command.add_option("--kv", kv_type, "KV cache: f16, f32 or q8_0 [f16]")
      ->transform(CLI::CheckedTransformer(kKvTypes, CLI::ignore_case).description(""))
      ->type_name("TYPE");
}

void add_threads_flag(CLI::App& command, int& threads) {
  command.add_option("--threads", threads, "Compute threads [one per core that it may use]")
      ->check(CLI::Range(1, kThreadsMax).description(""))
      ->type_name("N");
}

void add_engine_flags(CLI::App& command, EngineFlags& flags) {
  command.add_option("MODEL", flags.model, "GGUF file, or pebble")->required()->type_name("");
  add_threads_flag(command, flags.threads);
  command.add_option("--context", flags.context, "Tokens of context [the model's, at most 8192]")
      ->check(CLI::Range(1u, 1u << 30).description(""))
      ->type_name("N");
  add_kv_flag(command, flags.kv_type);
}

}  // namespace drystone
