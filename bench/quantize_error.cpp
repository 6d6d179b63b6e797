// Errors of two quantizations of one model, tensor by tensor: quantize_error SOURCE.gguf OURS.gguf
// THEIRS.gguf Prints a CSV line: relative rms error of ours and theirs over the matrices that have
// the same type in both (each matrix counts alike), their quotient, and how many matrices have the
// same type and how many have not.

#include <fmt/format.h>

#include <cmath>
#include <vector>

#include "compute/blocks/dequantize.h"
#include "model/gguf/gguf.h"

namespace drystone {
namespace {

std::vector<float> weights_of(const GgufFile& file, const GgufTensor& tensor) {
  std::vector<float> out(tensor.dims[0] * tensor.dims[1]);
  dequantize_row(tensor.type, file.data(tensor).data(), out.data(), out.size());
  return out;
}

double square_error(const std::vector<float>& x, const std::vector<float>& y) {
  double error = 0, energy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    error += (x[i] - y[i]) * (x[i] - y[i]);
    energy += x[i] * x[i];
  }
  return error / energy;
}

Result<void> compare(const char* source_path, const char* ours_path, const char* theirs_path) {
  const GgufFile source = TRY(GgufFile::open(source_path));
  const GgufFile ours = TRY(GgufFile::open(ours_path)), theirs = TRY(GgufFile::open(theirs_path));
  double our_error = 0, their_error = 0;
  int same = 0, different = 0;
  for (const GgufTensor& tensor : source.tensors()) {
    const GgufTensor *a = ours.find(tensor.name), *b = theirs.find(tensor.name);
    if (tensor.n_dims != 2) continue;
    if (a == nullptr || b == nullptr)
      return Error(Errc::corrupt, tensor.name + " is missing in one of the files");
    if (a->type != b->type) {
      fmt::print(stderr, "{}: {} is {} in ours, {} in theirs\n", source_path, tensor.name,
                 to_string(a->type), to_string(b->type));
      ++different;
      continue;
    }
    const auto weights = weights_of(source, tensor);
    our_error += square_error(weights, weights_of(ours, *a));
    their_error += square_error(weights, weights_of(theirs, *b));
    ++same;
  }
  if (same == 0) return Error(Errc::corrupt, "no matrix has the same type in both files");
  fmt::print("{:.6f},{:.6f},{:.4f},{},{}\n", std::sqrt(our_error / same),
             std::sqrt(their_error / same),
             their_error > 0 ? std::sqrt(our_error / their_error) : 1.0, same, different);
  return {};
}

}  // namespace
}  // namespace drystone

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: quantize_error SOURCE.gguf OURS.gguf THEIRS.gguf\n");
    return 2;
  }
  const auto done = drystone::compare(argv[1], argv[2], argv[3]);
  if (!done) fmt::print(stderr, "quantize_error: {}\n", done.error().message());
  return done ? 0 : 1;
}
