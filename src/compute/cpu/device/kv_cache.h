#pragma once

#include <cstdint>
#include <span>

#include "compute/cpu/device/reserved_memory.h"
#include "compute/cpu/vector_kernels.h"
#include "compute/device.h"

namespace drystone {

constexpr std::uint32_t kKvPageTokens = 64;
static_assert(kKvPageTokens % kKeyBlock == 0);

// Sizes of the keys and values of a stage.
//   [layers][K, V][pages][kv_heads][kKvPageTokens][head_dim], keys in blocks (KvView)
struct KvLayout {
  KvType type = KvType::f16;
  std::uint32_t layers = 0, pages = 0, kv_heads = 0, head_dim = 0;

  Bytes row_bytes() const;  // one position of one KV head
  Bytes head_bytes() const { return row_bytes() * kKvPageTokens; }
  Bytes page_bytes() const { return head_bytes() * kv_heads; }
  Bytes page_bytes_of_all() const { return Bytes{2} * layers * page_bytes(); }
  Bytes bytes() const { return pages * page_bytes_of_all(); }
};

KvLayout kv_layout(const Program& program, const StageOptions& options);

// The keys and values of a stage's layers, reserved at load.
class KvCache {
 public:
  // Errors: unsupported (q8_0 with a head size that is no multiple of its block), out_of_memory.
  static Result<KvCache> reserve(const KvLayout& layout);

  const KvLayout& layout() const { return layout_; }
  KvView keys(std::uint32_t layer, const std::uint32_t* pages) const {
    return view(2 * layer, pages);
  }
  KvView values(std::uint32_t layer, const std::uint32_t* pages) const {
    return view(2 * layer + 1, pages);
  }
  // A page of all layers: [layers][K, V][kv_heads][kKvPageTokens][head_dim], keys in blocks.
  void read_page(std::uint32_t page, std::span<std::byte> bytes) const;
  void write_page(std::uint32_t page, std::span<const std::byte> bytes);

 private:
  std::byte* plane(std::uint32_t plane) const {
    return memory_.data() + Bytes{plane} * layout_.pages * layout_.page_bytes();
  }
  KvView view(std::uint32_t plane, const std::uint32_t* pages) const;
  KvLayout layout_;
  ReservedMemory memory_;
};

// Where one position of one KV head stands.
inline std::byte* kv_row(const KvView& view, std::uint32_t kv_head, std::uint32_t position) {
  return const_cast<std::byte*>(view.base) +
         view.pages[position / view.page_tokens] * view.page_bytes + kv_head * view.head_bytes +
         position % view.page_tokens * view.row_bytes;
}

}  // namespace drystone
