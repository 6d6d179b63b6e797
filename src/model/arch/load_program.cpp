#include <fmt/format.h>

#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <string_view>
#include <tuple>
#include <vector>

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
      is_vector(spec) ? std::uint64_t{spec.file_rows} * file_cols(spec) : file_cols(spec);
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
  const std::uint32_t block = dtype_info(tensor->type).block_elems;
  if (spec.first_col % block != 0 || spec.cols % block != 0)
    return Error(Errc::unsupported,
                 fmt::format("{}: columns [{}, {}) of tensor {} cut a block of {}, which has {}",
                             file.name(), spec.first_col, spec.first_col + spec.cols, spec.name,
                             to_string(tensor->type), block));
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
    const auto rows = whole_rows(*tensor, spec);
    const Bytes stride = row_bytes(tensor->type, file_cols(spec));
    const Bytes begin = row_bytes(tensor->type, spec.first_col);
    const Bytes part = row_bytes(tensor->type, spec.cols);
    if (spec.rows == 1 || part == stride)
      return Tensor{tensor->type, rows.subspan(begin, spec.rows * part)};
    // Columns of several rows: a copy, and the file's pages are needed no more.
    std::vector<std::byte> copy(spec.rows * part);
    for (std::uint32_t row = 0; row < spec.rows; ++row)
      std::memcpy(copy.data() + row * part, rows.data() + row * stride + begin, part);
    file_.drop(rows);
    const std::lock_guard lock(mutex_);
    auto& kept = copies_[key(spec)];
    kept = std::move(copy);
    return Tensor{tensor->type, kept};
  }

  Result<DType> type(const TensorSpec& spec) override {
    return TRY(find_tensor(file_, spec))->type;
  }

  Result<void> release(const TensorSpec& spec) override {
    const GgufTensor* tensor = file_.find(spec.name);
    if (tensor != nullptr) {
      const std::lock_guard lock(mutex_);
      if (copies_.erase(key(spec)) == 0) file_.drop(whole_rows(*tensor, spec));
    }
    return file_.check_whole();
  }

 private:
  // Name, first row, first column.
  using Key = std::tuple<std::string, std::uint32_t, std::uint32_t>;
  static Key key(const TensorSpec& spec) { return {spec.name, spec.first_row, spec.first_col}; }

  std::span<const std::byte> whole_rows(const GgufTensor& tensor, const TensorSpec& spec) const {
    const Bytes stride = row_bytes(tensor.type, file_cols(spec));
    return file_.data(tensor).subspan(spec.first_row * stride, spec.rows * stride);
  }

  const GgufFile& file_;
  std::mutex mutex_;
  std::map<Key, std::vector<std::byte>> copies_;
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
  TRY(file.check_whole());
  return program;
}

std::unique_ptr<TensorSource> tensor_source(const GgufFile& file) {
  return std::make_unique<FileTensorSource>(file);
}

}  // namespace drystone
