#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

// AMX tile registers, and the same in plain C++ for machines without them. Tiles have 16 rows of 64
// bytes: A holds bf16 [16 rows][32 k], B bf16 [16 k pairs][16 columns][2], C f32 [16 rows][16
// columns]. Tiles 0..3 are sums, 4 and 5 A, 6 and 7 B. Written as assembly, since gcc's intrinsics
// take tile numbers as literals only.

namespace drystone {

class AmxTiles {
 public:
  AmxTiles() {
    struct alignas(64) {
      std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
      std::uint16_t bytes_per_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } config;
    _tile_loadconfig(&config);
  }
  ~AmxTiles() { _tile_release(); }
  AmxTiles(const AmxTiles&) = delete;
  AmxTiles& operator=(const AmxTiles&) = delete;

  template <int kTile>
  void load(const void* from, std::size_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kTile>
  void store(void* to, std::size_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(kTile) : "memory");
  }
  // sum += a * b
  template <int kSum, int kA, int kB>
  void multiply_add() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSum), "i"(kA), "i"(kB));
  }
};

class EmulatedTiles {
 public:
  template <int kTile>
  void load(const void* from, std::size_t stride) {
    for (std::size_t row = 0; row < 16; ++row)
      std::memcpy(tiles_[kTile].bytes[row], static_cast<const char*>(from) + row * stride, 64);
  }
  template <int kTile>
  void store(void* to, std::size_t stride) {
    for (std::size_t row = 0; row < 16; ++row)
      std::memcpy(static_cast<char*>(to) + row * stride, tiles_[kTile].bytes[row], 64);
  }
  template <int kSum, int kA, int kB>
  void multiply_add() {
    for (int row = 0; row < 16; ++row)
      for (int column = 0; column < 16; ++column) {
        float sum;
        std::memcpy(&sum, tiles_[kSum].bytes[row] + 4 * column, 4);
        for (int k = 0; k < 32; ++k)
          sum += bf16(tiles_[kA].bytes[row] + 2 * k) *
                 bf16(tiles_[kB].bytes[k / 2] + 4 * column + 2 * (k % 2));
        std::memcpy(tiles_[kSum].bytes[row] + 4 * column, &sum, 4);
      }
  }

 private:
  static float bf16(const unsigned char* at) {
    std::uint16_t half;
    std::memcpy(&half, at, 2);
    const std::uint32_t bits = std::uint32_t{half} << 16;
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
  }
  struct Tile {
    unsigned char bytes[16][64];
  };
  Tile tiles_[8];
};

}  // namespace drystone
