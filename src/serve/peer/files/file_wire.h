#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/presence.h"

namespace drystone {

// What is said on a connection for bytes of model files (docs/formats/files.md).
enum class FileFrame : std::uint16_t {
  open = 1,    // text identity
  files = 2,   // the model's files
  read = 3,    // a range; the tag numbers it
  data = 4,    // its bytes
  failed = 5,  // instead of files or data; ends the connection
};

constexpr std::uint32_t kReadBytesMax = 256 * 1024;  // of one read
constexpr std::uint32_t kFileFrameMax = 512 * 1024;  // payload of any frame: files of a long list
constexpr std::size_t kIdentityTextMax = 128;
// Flag of DATA: others wait, and this client has had its turn: it ends the connection when what it
// has asked for has come, and may come again.
constexpr std::uint16_t kMakeRoom = 1;
// Reads that may be asked for before their answers have come.
constexpr std::size_t kReadsInFlightMax = 16;

struct FileRead {
  std::uint32_t file = 0;
  Bytes offset = 0;
  std::uint32_t bytes = 0;  // 1 to kReadBytesMax
  bool operator==(const FileRead&) const = default;
};

std::vector<std::byte> encode_open(std::string_view identity);
std::vector<std::byte> encode(const ModelFiles& files);
std::vector<std::byte> encode(const FileRead& read);
std::vector<std::byte> encode_failed(const Error& error);

// Errors of all: corrupt.
Result<std::string> decode_open(std::span<const std::byte> payload);
Result<ModelFiles> decode_files(std::span<const std::byte> payload);  // validated
Result<FileRead> decode_read(std::span<const std::byte> payload);     // of `bytes` within bounds
// The peer's error, or that it could not be read.
Error decode_failed(std::span<const std::byte> payload);

}  // namespace drystone
