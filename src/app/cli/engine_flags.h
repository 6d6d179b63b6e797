#pragma once

#include <CLI/CLI.hpp>

#include "app/load_engine.h"

namespace drystone {

constexpr int kThreadsMax = 1024;

// Adds MODEL, --threads, --context and --kv to a command. `flags` must live as long as `command`.
void add_engine_flags(CLI::App& command, EngineFlags& flags);

void add_kv_flag(CLI::App& command, KvType& kv_type);

}  // namespace drystone
