#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "compute/device.h"
#include "compute/program.h"
#include "model/gguf/gguf.h"

namespace drystone {

// <arch>.pooling_type: how the authors of a model that is made for embeddings or ranking make one
// vector of a text's hidden states.
enum class PoolingType : std::uint32_t { none = 0, mean = 1, cls = 2, last = 3, rank = 4 };

// Hyper-parameters of a dense decoder, as the metadata of a file gives them (docs/formats/gguf.md,
// "Keys").
struct ModelConfig {
  std::string architecture;  // general.architecture: llama, qwen2, qwen3, phi3, gemma3
  std::uint32_t layers = 0, d_model = 0, ff_width = 0, heads = 0, kv_heads = 0;
  std::uint32_t head_dim = 0;  // attention.key_length; equals value_length in all families here
  std::uint32_t vocab = 0, context = 0;
  float norm_eps = 1e-5f;
  std::uint32_t rope_dims = 0;  // values rotated per head
  float rope_base = 10000;
  float rope_base_window = 10000;  // layers with a sliding window (gemma3)
  struct RopeScaling {
    enum class Kind { none, linear, yarn, longrope } kind = Kind::none;
    float factor = 1, attn_factor = 1;
    std::uint32_t original_context = 0;
    float yarn_ext_factor = 1, yarn_beta_fast = 32, yarn_beta_slow = 1;
  } rope_scaling;
  std::uint32_t window = 0,
                window_period = 0;  // every window_period-th layer attends to everything
  std::optional<float> attention_scale;
  float attention_softcap = 0, logit_softcap = 0, logit_scale = 1, embedding_scale = 1;
  bool tied_output = false;
  bool qkv_bias = false, attention_output_bias = false, mlp_bias = false;
  bool fused_qkv = false;      // blk.N.attn_qkv holds q, k, v rows in this order (always in phi3)
  bool fused_gate_up = false;  // blk.N.ffn_up holds gate rows, then up rows (always in phi3)
  std::optional<PoolingType> pooling;  // absent of models that are made to write
  // The classes that a ranking model tells apart, as the rows of cls.output.weight; empty of
  // others.
  std::vector<std::string> classes;
};

// Errors: unsupported (architecture, or a feature of it, by name), corrupt / not_found naming the
// key.
Result<ModelConfig> read_config(const GgufFile& file);

// Fills in what the family fixes (0 in `config`: kv_heads, head_dim, rope_dims, window_period;
// gemma3's scales) and checks every figure's range, so that no later sum of them overflows.
// read_config and build_program do this themselves; who makes a config by hand may call it to see
// the figures. Errors: unsupported (architecture by name), corrupt naming the key.
Result<ModelConfig> complete_config(ModelConfig config);

// Names of the supported architectures: "gemma3, llama, ...".
std::string supported_architectures();

// The metadata that read_config and llama.cpp read back, for files that we write (synth).
void write_config(const ModelConfig& config, Metadata& metadata);

// Extra tensors a family computes with at build time: rope_freqs.weight,
// rope_factors_long/short.weight.
struct RopeTensors {
  std::vector<float> freqs, factors_long, factors_short;
};

// The program of a model for sequences of up to `context` tokens (it chooses between short and long
// rope factors). Errors: those of complete_config; corrupt when a rope tensor's length is not half
// of the rotated values.
Result<Program> build_program(const ModelConfig& config, const RopeTensors& rope,
                              std::uint32_t context);

// read_config, the rope tensors and build_program of a file; checks that each tensor of the program
// is there with its shape and a type that is computed with. Takes no memory for weights.
Result<Program> load_program(const GgufFile& file, std::uint32_t context);

// The tensors of a program, read from a file. A slice of a fused bias is [rows, 1] of the file's
// vector. Rows are read in place; columns of a matrix are copied, until release().
std::unique_ptr<TensorSource> tensor_source(const GgufFile& file);  // borrows `file`

}  // namespace drystone
