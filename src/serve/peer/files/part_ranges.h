#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "cluster/plan/placement.h"
#include "model/gguf/gguf.h"
#include "serve/peer/files/file_session.h"

namespace drystone {

// What every node of a model needs of its files besides the headers: factors of the rotation, which
// a program is made with, and the head that tells classes apart, which the node that was asked
// applies.
std::vector<FileRange> program_ranges(const GgufFile& file);

// The tensors that a part of a placement reads of a file: rows of those that its rank divides by
// rows, all of those that it divides by columns. Of the file only what stands before the tensors is
// read, and what program_ranges() tells. Errors: those of part_program.
Result<std::vector<FileRange>> part_ranges(const Placement& placement, std::uint32_t part,
                                           const GgufFile& file);

}  // namespace drystone
