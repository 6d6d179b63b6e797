#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace drystone {

// The name of one part of a split model: FOLDER/PREFIX-00002-of-00005.gguf.
struct SplitName {
  std::filesystem::path prefix;  // FOLDER/PREFIX
  std::uint32_t count = 0;

  std::filesystem::path part(std::uint32_t index) const;  // index from 0
};

constexpr std::uint32_t kSplitPartsMax = 9999;

// nullopt when `path` is not named like a part.
std::optional<SplitName> parse_split_name(const std::filesystem::path& path);

}  // namespace drystone
