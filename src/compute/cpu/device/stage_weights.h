#pragma once

#include <functional>
#include <vector>

#include "compute/cpu/matmul.h"
#include "compute/device.h"

namespace drystone {

// The tensors that a stage holds memory for, in the order in which they are read.
std::vector<TensorId> stage_tensors(const Program& program, const StageOptions& options);

// The weights of a stage: matrices packed for an instruction set, vectors (norms, biases) in f32.
// An embedding that is the output matrix as well, whole or in part, is held once.
class StageWeights {
 public:
  // Reads and packs tensor by tensor, giving each one's file pages back before the next.
  // Errors: those of the source and of PackedMatrix::pack, with the tensor's name; cancelled.
  static Result<StageWeights> load(ThreadPool& pool, const Program& program,
                                   const StageOptions& options, TensorSource& source);
  static Bytes estimate(const Program& program, const StageOptions& options,
                        const std::function<DType(const TensorSpec&)>& type_of);

  const PackedMatrix& matrix(TensorId id) const;
  const float* vector(TensorId id) const;  // null for kNoTensor
  Bytes bytes() const { return bytes_; }

 private:
  struct Slot {
    PackedMatrix matrix;
    std::vector<float> vector;
  };
  std::vector<Slot> tensors_;  // by TensorId; empty for those of other stages
  Bytes bytes_ = 0;
};

}  // namespace drystone
