#include <fmt/format.h>

#include <cstring>
#include <set>
#include <string_view>

#include "model/arch/architecture.h"

namespace drystone {
namespace {

constexpr std::string_view kRopeTensors[] = {"rope_freqs.weight", "rope_factors_long.weight",
                                             "rope_factors_short.weight"};

Result<std::vector<float>> read_vector(const GgufFile& file, std::string_view name) {
  const GgufTensor* tensor = file.find(name);
  if (tensor == nullptr) return std::vector<float>{};
  if (tensor->type != DType::f32 || tensor->dims[1] != 1 || tensor->dims[2] != 1 ||
      tensor->dims[3] != 1)
    return Error(Errc::corrupt,
                 fmt::format("{} is {} [{}, {}]: expected a vector of f32", name,
                             to_string(tensor->type), tensor->dims[0], tensor->dims[1]));
  const auto bytes = file.data(*tensor);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

bool is_vector(const TensorSpec& spec) {
  return spec.role == TensorRole::norm || spec.role == TensorRole::bias;
}

Result<const GgufTensor*> find_tensor(const GgufFile& file, const TensorSpec& spec) {
  const GgufTensor* tensor = file.find(spec.name);
  if (tensor == nullptr)
    return Error(Errc::not_found, fmt::format("{}: tensor {} is missing", file.name(), spec.name));
  const std::uint64_t inputs =
      is_vector(spec) ? std::uint64_t{spec.file_rows} * spec.cols : spec.cols;
  const std::uint64_t rows = is_vector(spec) ? 1 : spec.file_rows;
  if (tensor->dims[0] != inputs || tensor->dims[1] != rows || tensor->dims[2] != 1 ||
      tensor->dims[3] != 1)
    return Error(Errc::corrupt,
                 fmt::format("{}: tensor {} has shape [{}, {}, {}, {}], expected [{}, {}]",
                             file.name(), spec.name, tensor->dims[0], tensor->dims[1],
                             tensor->dims[2], tensor->dims[3], inputs, rows));
  if (is_vector(spec) ? tensor->type != DType::f32 : !dtype_info(tensor->type).computed)
    return Error(Errc::unsupported,
                 fmt::format("{}: tensor {} is of type {}, which {}", file.name(), spec.name,
                             to_string(tensor->type),
                             is_vector(spec) ? "norms and biases cannot be: expected f32"
                                             : "is not computed with"));
  return tensor;
}

// A tensor that the program does not use would mean that we compute something else than the model's
// authors did.
Result<void> check_nothing_left(const GgufFile& file, const Program& program) {
  std::set<std::string_view> known(std::begin(kRopeTensors), std::end(kRopeTensors));
  for (const TensorSpec& spec : program.tensors) known.insert(spec.name);
  for (const GgufTensor& tensor : file.tensors()) {
    if (known.contains(tensor.name) || tensor.name.ends_with(".rope_freqs.weight") ||
        tensor.name.ends_with(".rot_embd.weight") || tensor.name.ends_with(".attn_rot_embd.weight"))
      continue;
    return Error(Errc::unsupported,
                 fmt::format("{}: tensor {} has no place in a model of architecture '{}' as it is "
                             "known here; results would be wrong without it",
                             file.name(), tensor.name, program.architecture));
  }
  return {};
}

class FileTensorSource final : public TensorSource {
 public:
  explicit FileTensorSource(const GgufFile& file) : file_(file) {}

  Result<Tensor> read(const TensorSpec& spec) override {
    const GgufTensor* tensor = TRY(find_tensor(file_, spec));
    return Tensor{tensor->type, slice(*tensor, spec)};
  }

  void release(const TensorSpec& spec) override {
    if (const GgufTensor* tensor = file_.find(spec.name)) file_.drop(slice(*tensor, spec));
  }

 private:
  std::span<const std::byte> slice(const GgufTensor& tensor, const TensorSpec& spec) const {
    const Bytes bytes_per_row = row_bytes(tensor.type, spec.cols);
    return file_.data(tensor).subspan(spec.first_row * bytes_per_row, spec.rows * bytes_per_row);
  }

  const GgufFile& file_;
};

}  // namespace

Result<Program> load_program(const GgufFile& file, std::uint32_t context) {
  const ModelConfig config = TRY(read_config(file));
  RopeTensors rope;
  rope.freqs = TRY(read_vector(file, kRopeTensors[0]));
  rope.factors_long = TRY(read_vector(file, kRopeTensors[1]));
  rope.factors_short = TRY(read_vector(file, kRopeTensors[2]));
  Program program = TRY(build_program(config, rope, context));
  for (const TensorSpec& spec : program.tensors) TRY(find_tensor(file, spec));
  TRY(check_nothing_left(file, program));
  return program;
}

std::unique_ptr<TensorSource> tensor_source(const GgufFile& file) {
  return std::make_unique<FileTensorSource>(file);
}

}  // namespace drystone
