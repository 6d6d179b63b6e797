#include "model/quantize/mixture.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace drystone {
namespace {

// file_type numbers: facts of the GGUF format (general.file_type).
constexpr Mixture kMixtures[] = {
    {"F32", DType::f32, 0},        {"F16", DType::f16, 1},      {"BF16", DType::bf16, 32},
    {"Q8_0", DType::q8_0, 7},      {"Q4_0", DType::q4_0, 2},    {"Q4_1", DType::q4_1, 3},
    {"Q5_0", DType::q5_0, 8},      {"Q5_1", DType::q5_1, 9},    {"Q2_K", DType::q2_k, 10},
    {"Q3_K_S", DType::q3_k, 11},   {"Q3_K_M", DType::q3_k, 12}, {"Q3_K_L", DType::q3_k, 13},
    {"Q4_K_S", DType::q4_k, 14},   {"Q4_K_M", DType::q4_k, 15}, {"Q5_K_S", DType::q5_k, 16},
    {"Q5_K_M", DType::q5_k, 17},   {"Q6_K", DType::q6_k, 18},   {"IQ4_NL", DType::iq4_nl, 25},
    {"IQ4_XS", DType::iq4_xs, 30}, {"MXFP4", DType::mxfp4, 38},
};

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::toupper(x) == std::toupper(y); });
}

struct TensorPlace {
  int layer = -1;
  std::string_view part;  // "attn_v" of "blk.3.attn_v.weight", or "output"
};

TensorPlace place_of(std::string_view name) {
  TensorPlace place;
  if (name.starts_with("blk.")) {
    name.remove_prefix(4);
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), place.layer);
    if (error == std::errc()) name.remove_prefix(static_cast<std::size_t>(end - name.data()));
    if (name.starts_with('.')) name.remove_prefix(1);
  }
  place.part = name.substr(0, name.find('.'));
  return place;
}

// The first and last eighth of the layers, and every third between.
bool deserves_more_bits(int layer, int layers) {
  return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
}

DType attention_v(const Mixture& mixture, const MixtureContext& context, int layer) {
  const int layers = static_cast<int>(context.layers);
  const bool shared_by_many =
      context.queries_per_kv_head >= 4;  // so it is small, and its errors are in many heads
  DType type = mixture.base;
  if (mixture.name == "Q2_K") type = shared_by_many ? DType::q4_k : DType::q3_k;
  if (mixture.name == "Q3_K_M") type = layer < 2 ? DType::q5_k : DType::q4_k;
  if (mixture.name == "Q3_K_L") type = DType::q5_k;
  if (mixture.name == "Q4_K_S" && layer < 4) type = DType::q5_k;
  if ((mixture.name == "Q4_K_M" || mixture.name == "Q5_K_M") && deserves_more_bits(layer, layers))
    type = DType::q6_k;
  if ((mixture.base == DType::iq4_nl || mixture.base == DType::iq4_xs) && shared_by_many)
    type = DType::q5_k;
  const bool is_70b = layers == 80 && context.queries_per_kv_head > 1;
  if (is_70b && (type == DType::q3_k || type == DType::q4_k)) type = DType::q5_k;
  return type;
}

DType mlp_down(const Mixture& mixture, const MixtureContext& context, int layer) {
  const int layers = static_cast<int>(context.layers);
  if (mixture.name == "Q2_K") return DType::q3_k;
  if (mixture.name == "Q3_K_M") return layer < layers / 16 ? DType::q5_k : DType::q4_k;
  if (mixture.name == "Q3_K_L") return DType::q5_k;
  if (mixture.name == "Q4_K_S" && layer < layers / 8) return DType::q5_k;
  if ((mixture.name == "Q4_K_M" || mixture.name == "Q5_K_M") && deserves_more_bits(layer, layers))
    return DType::q6_k;
  if ((mixture.base == DType::iq4_nl || mixture.base == DType::iq4_xs) && layer < layers / 8)
    return DType::q5_k;
  return mixture.base;
}

DType attention_output(const Mixture& mixture) {
  if (mixture.name == "Q2_K") return DType::q3_k;
  if (mixture.name == "Q3_K_M") return DType::q4_k;
  if (mixture.name == "Q3_K_L") return DType::q5_k;
  return mixture.base;
}

bool divides(DType type, std::uint64_t cols) { return cols % dtype_info(type).block_elems == 0; }

DType output_head(const Mixture& mixture, std::uint64_t cols) {
  if (!divides(mixture.base, cols)) return DType::q8_0;
  return mixture.base == DType::q8_0 ? DType::q8_0 : DType::q6_k;
}

// Types with blocks of 32 in place of those with 256.
DType smaller_blocks(DType type) {
  switch (type) {
    case DType::q2_k:
    case DType::q3_k:
      return DType::q4_0;
    case DType::iq4_xs:
      return DType::iq4_nl;
    case DType::q4_k:
      return DType::q5_0;
    case DType::q5_k:
      return DType::q5_1;
    case DType::q6_k:
      return DType::q8_0;
    default:
      return type;
  }
}

DType preferred_type(const Mixture& mixture, const MixtureContext& context,
                     const TensorPlace& place, std::uint64_t cols) {
  if (dtype_info(mixture.base).block_elems == 1) return mixture.base;
  if (place.part == "output" || (place.part == "token_embd" && !context.has_output))
    return output_head(mixture, cols);
  if (place.part == "attn_v" || place.part == "attn_qkv")
    return attention_v(mixture, context, place.layer);
  if (place.part == "ffn_down") return mlp_down(mixture, context, place.layer);
  if (place.part == "attn_output") return attention_output(mixture);
  return mixture.base;
}

}  // namespace

const Mixture* find_mixture(std::string_view name) {
  for (const Mixture& mixture : kMixtures)
    if (same_name(mixture.name, name)) return &mixture;
  for (const std::string_view middle : {"Q3_K", "Q4_K", "Q5_K"})
    if (same_name(middle, name)) return find_mixture(std::string(middle) + "_M");
  return nullptr;
}

std::string mixture_names() {
  std::string names;
  for (const Mixture& mixture : kMixtures) (names += names.empty() ? "" : ", ") += mixture.name;
  return names;
}

Result<MixtureContext> MixtureContext::of(const Metadata& metadata, bool has_output) {
  const std::string family = TRY(metadata.string("general.architecture")).value_or("");
  MixtureContext context{.has_output = has_output};
  context.layers = TRY(metadata.u32(family + ".block_count")).value_or(0);
  // Some families give these per layer; such models have no mixture rules that look at them.
  if (metadata.integers(family + ".attention.head_count") ||
      metadata.integers(family + ".attention.head_count_kv"))
    return context;
  const std::uint32_t heads = TRY(metadata.u32(family + ".attention.head_count")).value_or(1);
  const std::uint32_t kv_heads =
      TRY(metadata.u32(family + ".attention.head_count_kv")).value_or(heads);
  context.queries_per_kv_head = kv_heads > 0 ? heads / kv_heads : 1;
  return context;
}

DType choose_type(const Mixture& mixture, const MixtureContext& context, std::string_view name,
                  std::uint64_t cols) {
  const DType type = preferred_type(mixture, context, place_of(name), cols);
  if (divides(type, cols)) return type;
  const DType smaller = smaller_blocks(type);
  return divides(smaller, cols) ? smaller : DType::f16;
}

void write_mixture(const Mixture& mixture, Metadata& metadata) {
  metadata.set("general.file_type", std::int64_t{mixture.file_type});
  metadata.set("general.quantization_version", std::int64_t{2});
}

}  // namespace drystone
