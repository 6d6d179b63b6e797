#include "compute/cpu/device/stage_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace drystone {
namespace {

bool is_vector(const TensorSpec& spec) {
  return spec.role == TensorRole::norm || spec.role == TensorRole::bias;
}

Bytes tensor_bytes(const TensorSpec& spec, DType type) {
  if (is_vector(spec)) return Bytes{spec.rows} * spec.cols * sizeof(float);
  return PackedMatrix::packed_bytes(type, spec.rows, spec.cols);
}

Result<std::vector<float>> read_vector(const TensorSpec& spec, const TensorSource::Tensor& tensor) {
  std::vector<float> values(std::size_t{spec.rows} * spec.cols);
  if (tensor.type != DType::f32)
    return Error(Errc::unsupported,
                 fmt::format("norms and biases must be f32, it is {}", to_string(tensor.type)));
  CHECK(tensor.bytes.size() == values.size() * sizeof(float), spec.name, tensor.bytes.size(),
        values.size());
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

bool has_head(const StageOptions& options) { return options.head != HeadPlace::none; }

// Whether the output matrix is a part of the embedding that this stage holds anyway: of a rank's
// tied output.
bool output_in_embedding(const Program& program, const StageOptions& options) {
  if (!options.embed || !has_head(options) || program.output == program.embedding) return false;
  const TensorSpec& output = program.tensors[program.output];
  const TensorSpec& embedding = program.tensors[program.embedding];
  return output.name == embedding.name && output.cols == embedding.cols &&
         output.first_row >= embedding.first_row &&
         output.first_row + output.rows <= embedding.first_row + embedding.rows &&
         PackedMatrix::can_view(output.first_row - embedding.first_row);
}

}  // namespace

std::vector<TensorId> stage_tensors(const Program& program, const StageOptions& options) {
  std::vector<TensorId> ids;
  for (TensorId id = 0; id < static_cast<TensorId>(program.tensors.size()); ++id) {
    const TensorSpec& spec = program.tensors[id];
    const bool in_layers = spec.layer >= 0 &&
                           static_cast<std::uint32_t>(spec.layer) >= options.layers.begin &&
                           static_cast<std::uint32_t>(spec.layer) < options.layers.end;
    const bool in_head =
        has_head(options) && (id == program.output_norm ||
                              (id == program.output && !output_in_embedding(program, options)));
    if (in_layers || in_head || (options.embed && id == program.embedding)) ids.push_back(id);
  }
  return ids;
}

Result<StageWeights> StageWeights::load(ThreadPool& pool, const Program& program,
                                        const StageOptions& options, TensorSource& source) {
  const std::vector<TensorId> ids = stage_tensors(program, options);
  double values_total = 0, values_done = 0;
  for (const TensorId id : ids)
    values_total += double(program.tensors[id].rows) * program.tensors[id].cols;

  StageWeights weights;
  weights.tensors_.resize(program.tensors.size());
  for (const TensorId id : ids) {
    if (options.stop != nullptr && *options.stop)
      return Error(Errc::cancelled, "loading was stopped");
    const TensorSpec& spec = program.tensors[id];
    const TensorSource::Tensor tensor = TRY(source.read(spec));
    Slot& slot = weights.tensors_[id];
    if (is_vector(spec)) {
      auto values = read_vector(spec, tensor);
      if (!values) return std::move(values).error().with("tensor " + spec.name);
      slot.vector = *std::move(values);
    } else {
      auto matrix = PackedMatrix::pack(pool, tensor.type, spec.rows, spec.cols, tensor.bytes);
      if (!matrix) return std::move(matrix).error().with("tensor " + spec.name);
      slot.matrix = *std::move(matrix);
    }
    weights.bytes_ += tensor_bytes(spec, tensor.type);
    TRY(source.release(spec));
    values_done += double(spec.rows) * spec.cols;
    if (options.progress) options.progress(values_done / values_total);
  }
  if (output_in_embedding(program, options)) {
    const TensorSpec& output = program.tensors[program.output];
    const std::uint32_t first = output.first_row - program.tensors[program.embedding].first_row;
    weights.tensors_[program.output].matrix =
        weights.matrix(program.embedding).view(first, output.rows);
  }
  return weights;
}

Bytes StageWeights::estimate(const Program& program, const StageOptions& options,
                             const std::function<DType(const TensorSpec&)>& type_of) {
  Bytes bytes = 0;
  for (const TensorId id : stage_tensors(program, options)) {
    const TensorSpec& spec = program.tensors[id];
    bytes += tensor_bytes(spec, type_of(spec));
  }
  return bytes;
}

const PackedMatrix& StageWeights::matrix(TensorId id) const {
  CHECK(id >= 0 && tensors_[id].matrix.rows() > 0, id);
  return tensors_[id].matrix;
}

const float* StageWeights::vector(TensorId id) const {
  if (id == kNoTensor) return nullptr;
  CHECK(!tensors_[id].vector.empty(), id);
  return tensors_[id].vector.data();
}

}  // namespace drystone
