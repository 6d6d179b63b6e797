#include "serve/peer/split/row_codec.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "compute/blocks/half.h"

namespace drystone {
namespace {

constexpr std::size_t kBlock = 32;
constexpr float kHalfMax = 65504.0f;

void put_half(float value, std::byte* to) {
  const std::uint16_t half = f32_to_f16(std::clamp(value, -kHalfMax, kHalfMax));
  std::memcpy(to, &half, sizeof half);
}

float get_half(const std::byte* from) {
  std::uint16_t half;
  std::memcpy(&half, from, sizeof half);
  return f16_to_f32(half);
}

// Returns where the next block goes.
std::byte* put_block(std::span<const float> values, std::byte* to) {
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(value));
  put_half(largest / 127.0f, to);
  const float scale = get_half(to);
  to += 2;
  for (const float value : values) {
    const float steps = scale > 0 ? std::clamp(std::nearbyint(value / scale), -127.0f, 127.0f) : 0;
    *to++ = static_cast<std::byte>(static_cast<std::int8_t>(std::isnan(steps) ? 0.0f : steps));
  }
  return to;
}

const std::byte* get_block(const std::byte* from, std::span<float> values) {
  const float scale = get_half(from);
  from += 2;
  for (float& value : values) value = scale * static_cast<float>(static_cast<std::int8_t>(*from++));
  return from;
}

}  // namespace

std::span<const std::byte> encode_rows(RowFormat format, std::span<const float> values,
                                       std::size_t width, std::vector<std::byte>& scratch) {
  if (format == RowFormat::f32) return std::as_bytes(values);
  CHECK(width > 0 && values.size() % width == 0, values.size(), width);
  scratch.resize(values.size() / width * row_bytes(format, width));
  std::byte* to = scratch.data();
  if (format == RowFormat::f16) {
    for (const float value : values) put_half(value, to), to += 2;
    return scratch;
  }
  for (std::size_t row = 0; row < values.size(); row += width)
    for (std::size_t at = 0; at < width; at += kBlock)
      to = put_block(values.subspan(row + at, std::min(kBlock, width - at)), to);
  return scratch;
}

void decode_rows(RowFormat format, std::span<const std::byte> bytes, std::size_t width,
                 std::span<float> values) {
  CHECK(format != RowFormat::f32);
  CHECK(width > 0 && bytes.size() == values.size() / width * row_bytes(format, width), bytes.size(),
        values.size(), width);
  const std::byte* from = bytes.data();
  if (format == RowFormat::f16) {
    for (float& value : values) value = get_half(from), from += 2;
    return;
  }
  for (std::size_t row = 0; row < values.size(); row += width)
    for (std::size_t at = 0; at < width; at += kBlock)
      from = get_block(from, values.subspan(row + at, std::min(kBlock, width - at)));
}

}  // namespace drystone
