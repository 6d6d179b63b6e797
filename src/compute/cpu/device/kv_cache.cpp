#include "compute/cpu/device/kv_cache.h"

#include <fmt/format.h>

#include <cstring>

namespace drystone {

Bytes KvLayout::row_bytes() const {
  switch (type) {
    case KvType::f32:
      return drystone::row_bytes(DType::f32, head_dim);
    case KvType::f16:
      return drystone::row_bytes(DType::f16, head_dim);
    case KvType::q8_0:
      return drystone::row_bytes(DType::q8_0, (head_dim + 31) / 32 * 32);
  }
  return 0;
}

KvLayout kv_layout(const Program& program, const StageOptions& options) {
  return {.type = options.kv_type,
          .layers = options.layers.size(),
          .pages = static_cast<std::uint32_t>(
              (std::uint64_t{options.kv_tokens} + kKvPageTokens - 1) / kKvPageTokens),
          .kv_heads = program.kv_heads,
          .head_dim = program.head_dim};
}

Result<KvCache> KvCache::reserve(const KvLayout& layout) {
  if (layout.type == KvType::q8_0 && layout.head_dim % 32 != 0)
    return Error(
        Errc::unsupported,
        fmt::format("a q8_0 KV cache holds heads in blocks of 32 values, this model's have "
                    "{}: use f16",
                    layout.head_dim));
  KvCache cache;
  cache.layout_ = layout;
  cache.memory_ = TRY(ReservedMemory::reserve(layout.bytes(), "KV cache"));
  return cache;
}

void KvCache::read_page(std::uint32_t page, std::span<std::byte> bytes) const {
  CHECK(page < layout_.pages && bytes.size() == layout_.page_bytes_of_all(), page, bytes.size());
  const Bytes part = layout_.page_bytes();
  for (std::uint32_t i = 0; i < 2 * layout_.layers; ++i)
    std::memcpy(bytes.data() + i * part, plane(i) + page * part, part);
}

void KvCache::write_page(std::uint32_t page, std::span<const std::byte> bytes) {
  CHECK(page < layout_.pages && bytes.size() == layout_.page_bytes_of_all(), page, bytes.size());
  const Bytes part = layout_.page_bytes();
  for (std::uint32_t i = 0; i < 2 * layout_.layers; ++i)
    std::memcpy(plane(i) + page * part, bytes.data() + i * part, part);
}

KvView KvCache::view(std::uint32_t plane_number, const std::uint32_t* pages) const {
  return {.base = plane(plane_number),
          .page_bytes = layout_.page_bytes(),
          .head_bytes = layout_.head_bytes(),
          .row_bytes = layout_.row_bytes(),
          .pages = pages,
          .page_tokens = kKvPageTokens,
          .type = layout_.type};
}

}  // namespace drystone
