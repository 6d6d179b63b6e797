#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace drystone {

// Small files of the state folder. nullopt: there is none. Errors: io, limit (longer than
// `bytes_max`).
Result<std::optional<std::string>> read_kept_text(const std::filesystem::path& path,
                                                  std::size_t bytes_max);
// Whole or not at all, also when the power fails; only for this user to read. Makes the folder.
// Errors: io; the file before it stays.
Result<void> keep_text(const std::filesystem::path& path, std::string_view text);

}  // namespace drystone
