#pragma once

#include <CLI/CLI.hpp>

#include "app/load/load_engine.h"

namespace drystone {

constexpr int kThreadsMax = 1024;

// Adds MODEL, --threads, --context and --kv to a command. `flags` must live as long as `command`.
void add_engine_flags(CLI::App& command, EngineFlags& flags);

// --threads, of which 0 means threads_or_default.
void add_threads_flag(CLI::App& command, int& threads);

void add_kv_flag(CLI::App& command, KvType& kv_type);

}  // namespace drystone
