#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "compute/dtype.h"
#include "model/gguf/metadata.h"

namespace drystone {

// A recipe that gives each tensor of a model its type: mostly one type, more bits where errors hurt
// most (the output head, attention values, the down projection). Names and choices are those of
// llama.cpp for dense models.
struct Mixture {
  std::string_view name;  // "Q4_K_M"
  DType base;
  std::uint32_t file_type;  // general.file_type
};

// By name, case-insensitive; "q4_k", "q5_k" and "q3_k" mean their _M. Null when unknown.
const Mixture* find_mixture(std::string_view name);
// "F32, F16, BF16, Q8_0, ...": for messages.
std::string mixture_names();

// What the choices look at.
struct MixtureContext {
  std::uint32_t layers = 0;
  std::uint32_t queries_per_kv_head = 1;
  bool has_output = false;  // else the embedding is the output head too

  // Errors: corrupt  a key that is needed has another type; absent ones count as the defaults
  // above.
  static Result<MixtureContext> of(const Metadata& metadata, bool has_output);
};

// The type of the matrix `name` with rows of `cols` weights. Where `cols` is no multiple of the
// chosen type's block, a type of about the same size that divides it (at last f16).
DType choose_type(const Mixture& mixture, const MixtureContext& context, std::string_view name,
                  std::uint64_t cols);

// general.file_type and general.quantization_version.
void write_mixture(const Mixture& mixture, Metadata& metadata);

}  // namespace drystone
