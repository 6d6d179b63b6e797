#include "engine/classifier.h"

#include <algorithm>

#include "base/check.h"
#include "compute/blocks/dequantize.h"
#include "engine/portable_math.h"
#include "model/arch/architecture.h"

namespace drystone {

Result<Classifier> Classifier::load(const TensorSpec& spec, std::vector<std::string> classes,
                                    TensorSource& source) {
  CHECK(spec.rows == classes.size(), spec.rows, classes.size());
  const TensorSource::Tensor tensor = TRY(source.read(spec));
  Classifier classifier;
  classifier.classes_ = std::move(classes);
  classifier.weights_.resize(std::size_t{spec.rows} * spec.cols);
  const Bytes bytes = row_bytes(tensor.type, spec.cols);
  for (std::uint32_t row = 0; row < spec.rows; ++row)
    dequantize_row(tensor.type, tensor.bytes.data() + row * bytes,
                   classifier.weights_.data() + std::size_t{row} * spec.cols, spec.cols);
  TRY(source.release(spec));
  return classifier;
}

Result<std::unique_ptr<Classifier>> Classifier::of(const GgufFile& file) {
  const ModelConfig config = TRY(read_config(file));
  if (config.classes.empty()) return std::unique_ptr<Classifier>();
  const Program program = TRY(load_program(file, config.context));
  CHECK(program.classifier != kNoTensor);
  const TensorSpec& spec = program.tensors[static_cast<std::size_t>(program.classifier)];
  Classifier loaded = TRY(load(spec, config.classes, *tensor_source(file)));
  return std::make_unique<Classifier>(std::move(loaded));
}

std::vector<float> Classifier::probabilities(std::span<const float> hidden) const {
  CHECK(hidden.size() * classes_.size() == weights_.size(), hidden.size(), weights_.size());
  std::vector<float> out;
  for (std::span<const float> rest = weights_; !rest.empty(); rest = rest.subspan(hidden.size())) {
    double sum = 0;
    for (std::size_t i = 0; i < hidden.size(); ++i) sum += double{rest[i]} * hidden[i];
    out.push_back(static_cast<float>(sum));
  }
  const float max = *std::ranges::max_element(out);
  double total = 0;
  for (float& value : out) total += value = portable_exp(value - max);
  for (float& value : out) value = static_cast<float>(value / total);
  return out;
}

}  // namespace drystone
