#include "model/quantize/quantize_model.h"

#include <fmt/format.h>

#include <vector>

#include "compute/blocks/dequantize.h"
#include "model/gguf/gguf_writer.h"
#include "model/quantize/quantize_rows.h"

namespace drystone {
namespace {

bool is_matrix(const GgufTensor& tensor) { return tensor.n_dims >= 2; }

bool is_float(DType type) { return dtype_info(type).block_elems == 1; }

// Rotation factors and norms are read as vectors of f32 by everyone; so are matrices that are not
// weights of a product.
DType target_type(const GgufTensor& tensor, const Mixture& mixture, const MixtureContext& context) {
  if (!dtype_info(tensor.type).computed && !tensor.name.ends_with(".weight"))
    return tensor.type;  // i32 tables ...
  if (!is_matrix(tensor) || !tensor.name.ends_with(".weight") ||
      tensor.name.ends_with("_norm.weight"))
    return DType::f32;
  return choose_type(mixture, context, tensor.name, tensor.dims[0]);
}

class Progress {
 public:
  Progress(Bytes total, const std::function<void(double)>& report)
      : total_(total), report_(report) {}
  void add(Bytes bytes) {
    done_ += bytes;
    if (report_) report_(total_ > 0 ? static_cast<double>(done_) / static_cast<double>(total_) : 1);
  }

 private:
  Bytes done_ = 0, total_;
  const std::function<void(double)>& report_;
};

Result<void> convert(const GgufFile& file, const GgufTensor& tensor, DType type, ThreadPool& pool,
                     const ByteSink& sink) {
  const auto bytes = file.data(tensor);
  if (type == tensor.type) return sink(bytes);
  const std::uint64_t cols = tensor.dims[0],
                      rows = tensor.dims[1] * tensor.dims[2] * tensor.dims[3];
  const Bytes stride = row_bytes(tensor.type, cols);
  const auto read_row = [&](std::uint64_t row, float* out) {
    dequantize_row(tensor.type, bytes.data() + row * stride, out, cols);
  };
  auto done = quantize_rows(pool, {.type = type, .rows = rows, .cols = cols}, read_row, sink);
  if (!done)
    return std::move(done).error().with(fmt::format("{}: tensor {}", file.name(), tensor.name));
  return {};
}

Result<void> check_types(const GgufFile& file) {
  for (const GgufTensor& tensor : file.tensors())
    if (!dtype_info(tensor.type).computed && tensor.name.ends_with(".weight"))
      return Error(Errc::unsupported,
                   fmt::format("{}: tensor {} is of type {}, which cannot be read as numbers here. "
                               "Start from a file in "
                               "f32, f16, bf16 or one of the usual quantized types",
                               file.name(), tensor.name, to_string(tensor.type)));
  return {};
}

}  // namespace

Result<QuantizeSummary> quantize_model(const GgufFile& file, const Mixture& mixture,
                                       const std::filesystem::path& out, ThreadPool& pool,
                                       const std::function<void(double)>& progress) {
  TRY(check_types(file));
  const MixtureContext context = TRY(
      MixtureContext::of(file.metadata(), /*has_output=*/file.find("output.weight") != nullptr));
  Metadata metadata = file.metadata();
  write_mixture(mixture, metadata);

  QuantizeSummary summary;
  for (const GgufTensor& tensor : file.tensors()) summary.bytes_before += tensor.bytes;
  Progress done(summary.bytes_before, progress);
  std::vector<GgufTensorToWrite> tensors;
  for (const GgufTensor& tensor : file.tensors()) {
    const DType type = target_type(tensor, mixture, context);
    const std::vector<std::uint64_t> dims(tensor.dims, tensor.dims + tensor.n_dims);
    summary.bytes_after +=
        row_bytes(type, tensor.dims[0]) * tensor.dims[1] * tensor.dims[2] * tensor.dims[3];
    if (type != tensor.type && !is_float(tensor.type) && !is_float(type)) ++summary.requantized;
    if (is_matrix(tensor) && tensor.dims[0] % dtype_info(mixture.base).block_elems != 0)
      ++summary.fallbacks;
    tensors.push_back({tensor.name, type, dims, [&, type](const ByteSink& sink) -> Result<void> {
                         TRY(convert(file, tensor, type, pool, sink));
                         TRY(file.check_whole());
                         file.drop(file.data(tensor));
                         done.add(tensor.bytes);
                         return {};
                       }});
  }
  TRY(write_gguf(out, metadata, tensors));
  return summary;
}

}  // namespace drystone
