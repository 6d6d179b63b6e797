#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/gguf/gguf.h"
#include "model/gguf/metadata.h"

namespace drystone {

constexpr std::uint32_t kGgufMagic = 0x46554747;  // "GGUF" as the bytes stand in the file
constexpr std::uint32_t kGgufVersion = 3;
constexpr std::uint32_t kGgufAlignment =
    32;  // of tensor data, unless general.alignment says otherwise

// The value types of the format, by their numbers in the file.
enum class GgufValueType : std::uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12,
};

// What stands before the tensor data of one GGUF file.
struct GgufHeader {
  Metadata metadata;
  std::vector<GgufTensor> tensors;  // offsets from the start of the file, checked to lie within it
};

// Reads the header of the file whose bytes are `file`; `name` stands in front of every message.
// Names are unique and data does not overlap within the file. Allocates at most a small multiple of
// file.size(). Errors: corrupt, unsupported, as GgufFile::parse.
Result<GgufHeader> read_gguf_header(std::span<const std::byte> file, const std::string& name);

// For messages: at most 64 bytes of `text` in quotes, control characters and broken bytes as \xNN.
std::string quote_name(std::string_view text);

}  // namespace drystone
