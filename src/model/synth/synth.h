#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "base/result.h"
#include "compute/thread_pool.h"
#include "model/arch/architecture.h"
#include "model/quantize/mixture.h"

namespace drystone {

// A model with random weights: the material for goldens and benchmarks. It says nothing of sense,
// but its activations and logits have the spread of a trained model's, so that rounding matters as
// much as there.
struct SynthModel {
  ModelConfig config;
  bool rope_freqs = false;  // Llama-3.1 style rotation factors (rope_freqs.weight)
  // config.pooling and config.classes make it a model for embeddings or, of qwen3, for ranking,
  // with the template that writes a query and a document as one prompt.
  std::uint64_t seed = 1;
};

// Writes it as GGUF, loadable by us and by llama.cpp, with a small tokenizer of config.vocab
// tokens. For a seed the weights before quantization are the same for every type; the file is the
// same on every machine and for any number of threads. Memory: some megabytes. `progress` gets the
// fraction done, in [0, 1]; may be empty. Errors: invalid_argument  figures that make no model (the
// message names the one); those of write_gguf
Result<void> write_synth(const SynthModel& model, const Mixture& mixture,
                         const std::filesystem::path& out, ThreadPool& pool,
                         const std::function<void(double)>& progress);

}  // namespace drystone
