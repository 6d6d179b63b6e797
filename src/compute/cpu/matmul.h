#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "compute/cpu/isa.h"
#include "compute/cpu/memory.h"
#include "compute/device.h"
#include "compute/dtype.h"
#include "compute/thread_pool.h"

// Products of activations with packed weights: the bulk of all work. Weights are packed once into
// the layout that the kernels of all instruction sets read, with the same bytes per weight as in
// the file.

namespace drystone {

// Weights [rows, cols] of one type, packed (matmul/layout.h). Owns its memory, unless it is a view.
class PackedMatrix {
 public:
  // Bytes that pack() would take.
  static Bytes packed_bytes(DType type, std::uint32_t rows, std::uint32_t cols);

  // `source`: rows * row_bytes(type, cols) bytes as in a GGUF file. Packs on all threads of `pool`.
  // Errors: unsupported  not a computed type
  //         out_of_memory
  static Result<PackedMatrix> pack(ThreadPool& pool, DType type, std::uint32_t rows,
                                   std::uint32_t cols, std::span<const std::byte> source);

  PackedMatrix() = default;
  PackedMatrix(PackedMatrix&&) noexcept = default;
  PackedMatrix& operator=(PackedMatrix&&) noexcept = default;

  DType type() const { return type_; }
  std::uint32_t rows() const { return rows_; }
  std::uint32_t cols() const { return cols_; }
  Bytes bytes() const { return data_.get_deleter().bytes; }  // 0 of a view
  const std::byte* data() const { return data_.get(); }
  // Rows [first, first + rows) as a matrix of their own, which borrows the memory of this one.
  // `first` must be the beginning of a panel.
  PackedMatrix view(std::uint32_t first, std::uint32_t rows) const;
  static bool can_view(std::uint32_t first);
  // f16 weights that are all small enough to be multiplied in f16 (matmul/kernels.h).
  bool fits_halves() const { return fits_halves_; }

  // Row `row` as float32 [cols]: for embedding look-ups from a tied output matrix.
  void unpack_row(std::uint32_t row, float* out) const;

 private:
  DType type_ = DType::f32;
  std::uint32_t rows_ = 0, cols_ = 0;
  bool fits_halves_ = false;
  MappedMemory data_;
};

// The input of one or several products, prepared (quantized, re-ordered) once. Reused from step to
// step; its memory is reserved at construction and never grows.
class Activations {
 public:
  // Throws std::bad_alloc.
  Activations(Isa isa, int threads, std::uint32_t rows_max, std::uint32_t cols_max);
  ~Activations();
  Activations(Activations&&) noexcept;

  // Takes f32 row-major x [rows, cols]. Rows [0, generated_rows) are generated rows, the others
  // prompt rows: the kind chooses the arithmetic (RowKind), never the neighbours. `for_types`: the
  // weights it will meet. `x` is borrowed until the last matmul() with it. `cols` is a multiple of
  // 32 if any of the types is quantized.
  void prepare(ThreadPool& pool, const float* x, std::uint32_t rows, std::uint32_t generated_rows,
               std::uint32_t cols, std::span<const DType> for_types);

  static Bytes reserved_bytes(Isa isa, int threads, std::uint32_t rows_max, std::uint32_t cols_max);

 private:
  friend void matmul(ThreadPool& pool, const Activations& activations,
                     std::span<const struct MatmulPart> parts);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Whether generated rows and prompt rows have the same bits: everywhere but with AMX, whose tiles
// sum bf16.
bool same_arithmetic(Isa isa);

// One product: out[r, :] = W x[r] (+ bias), or out[r, :] += that when `accumulate` (the residual
// stream).
struct MatmulPart {
  const PackedMatrix* weight;
  const float* bias = nullptr;  // f32 [weight->rows()]
  float* out;                   // f32 [rows, weight->rows()], rows `out_stride` values apart
  std::size_t out_stride;
  bool accumulate = false;
};

// All parts over all prepared rows, on all threads of `pool`: as many as `activations` was made
// for.
void matmul(ThreadPool& pool, const Activations& activations, std::span<const MatmulPart> parts);

}  // namespace drystone
