#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "compute/device.h"

namespace drystone {

// The head of a model that tells classes apart by a text's hidden state. Two rows, most often: too
// little for a device. Immutable; safe from several threads.
class Classifier {
 public:
  // `spec` is the program's classifier, `classes` the names of its rows. Errors: those of `source`.
  static Result<Classifier> load(const TensorSpec& spec, std::vector<std::string> classes,
                                 TensorSource& source);

  const std::vector<std::string>& classes() const { return classes_; }
  // The probability of each class (softmax of the head's products) by the hidden state behind the
  // final norm, f32 [d_model]. The same bits on every machine.
  std::vector<float> probabilities(std::span<const float> hidden) const;

 private:
  std::vector<std::string> classes_;
  std::vector<float> weights_;  // [classes, d_model]
};

}  // namespace drystone
