#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "compute/device.h"
#include "model/gguf/gguf.h"

namespace drystone {

// The head of a model that tells classes apart by a text's hidden state. Two rows, most often: too
// little for a device. Immutable; safe from several threads.
class Classifier {
 public:
  // `spec` is the program's classifier, `classes` the names of its rows. Errors: those of `source`.
  static Result<Classifier> load(const TensorSpec& spec, std::vector<std::string> classes,
                                 TensorSource& source);

  // Of a model's file, of which what stands before the tensors and the head are enough; null: it
  // has none. Errors: those of load_program and of GgufFile's tensors.
  static Result<std::unique_ptr<Classifier>> of(const GgufFile& file);

  const std::vector<std::string>& classes() const { return classes_; }
  // The probability of each class (softmax of the head's products) by the hidden state behind the
  // final norm, f32 [d_model]. The same bits on every machine.
  std::vector<float> probabilities(std::span<const float> hidden) const;

 private:
  std::vector<std::string> classes_;
  std::vector<float> weights_;  // [classes, d_model]
};

}  // namespace drystone
