#include "model/arch/family.h"

#include <fmt/format.h>

namespace drystone {
namespace {

const Family* const kFamilies[] = {&kGemma3, &kLlama, &kPhi3, &kQwen2, &kQwen3};

}  // namespace

std::span<const Family* const> families() { return kFamilies; }

const Family* find_family(std::string_view name) {
  for (const Family* family : kFamilies)
    if (family->name == name) return family;
  return nullptr;
}

std::string supported_architectures() {
  std::string names;
  for (const Family* family : kFamilies)
    names += fmt::format("{}{}", names.empty() ? "" : ", ", family->name);
  return names;
}

std::string config_key(const ModelConfig& config, std::string_view name) {
  return fmt::format("{}.{}", config.architecture, name);
}

}  // namespace drystone
