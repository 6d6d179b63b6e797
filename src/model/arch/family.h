#pragma once

#include <span>
#include <string_view>

#include "model/arch/architecture.h"
#include "model/arch/layer_builder.h"
#include "model/gguf/metadata.h"

namespace drystone {

// What distinguishes one model family; one per file of this folder.
struct Family {
  std::string_view name;
  // Keys that only this family reads and writes, below "<name>.". May be null.
  Result<void> (*read)(const Metadata& metadata, ModelConfig& config);
  void (*write)(const ModelConfig& config, Metadata& metadata);
  // Sets what the family fixes whatever the file says. May be called again on its own result. May
  // be null.
  void (*complete)(ModelConfig& config);
  // The operations of one layer.
  void (*build_layer)(LayerBuilder& layer);
};

extern const Family kLlama, kQwen2, kQwen3, kPhi3, kGemma3;

// Null when there is no such family here.
const Family* find_family(std::string_view name);
std::span<const Family* const> families();

// "llama.attention.head_count" from "attention.head_count".
std::string config_key(const ModelConfig& config, std::string_view name);

}  // namespace drystone
