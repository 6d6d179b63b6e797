#pragma once

#include <string>

#include "base/result.h"
#include "model/gguf/gguf.h"

namespace drystone {

constexpr const char* kDemoModelName = "pebble";

// The model that a command line names: a path, or `pebble` for the one inside the program.
// Errors: those of GgufFile::open; not_found for `pebble` in a build without it.
Result<GgufFile> open_model(const std::string& model);

// What to call it towards people and clients: the file's name without folder and `.gguf`.
std::string model_name(const std::string& model);

}  // namespace drystone
