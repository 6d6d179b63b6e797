#include "serve/peer/files/part_ranges.h"

#include <string_view>

#include "compute/dtype.h"
#include "serve/peer/split/part_stages.h"

namespace drystone {
namespace {

bool is_for_all(std::string_view name) {
  return name.starts_with("rope_freqs.") || name.starts_with("rope_factors_") ||
         name == "cls.output.weight";
}

FileRange all_of(const GgufTensor& tensor) {
  return {.file = tensor.part, .bytes = {tensor.offset, tensor.offset + tensor.bytes}};
}

bool needs(const Program& program, const PlacedPart& part, TensorId id) {
  const TensorSpec& spec = program.tensors[static_cast<std::size_t>(id)];
  if (spec.layer >= 0) {
    const auto layer = static_cast<std::uint32_t>(spec.layer);
    return layer >= part.layers.begin && layer < part.layers.end;
  }
  if (part.stage != 0) return false;
  if (id == program.output_norm || id == program.output) return true;
  return part.rank == 0 && id == program.embedding;
}

// Rows [first_row, first_row + rows) of a matrix; of vectors everything.
FileRange rows_of(const TensorSpec& spec, const GgufTensor& tensor) {
  if (tensor.dims[1] == 1) return all_of(tensor);
  const Bytes row = row_bytes(tensor.type, file_cols(spec));
  const Bytes begin = tensor.offset + spec.first_row * row;
  return {.file = tensor.part, .bytes = {begin, begin + spec.rows * row}};
}

}  // namespace

std::vector<FileRange> program_ranges(const GgufFile& file) {
  std::vector<FileRange> ranges;
  for (const GgufTensor& tensor : file.tensors())
    if (is_for_all(tensor.name)) ranges.push_back(all_of(tensor));
  return ranges;
}

Result<std::vector<FileRange>> part_ranges(const Placement& placement, std::uint32_t part,
                                           const GgufFile& file) {
  const Program program = TRY(part_program(placement, part, file)).program;
  std::vector<FileRange> ranges;
  for (std::size_t id = 0; id < program.tensors.size(); ++id) {
    if (!needs(program, placement.parts[part], static_cast<TensorId>(id))) continue;
    const TensorSpec& spec = program.tensors[id];
    const GgufTensor* tensor = file.find(spec.name);
    CHECK(tensor != nullptr, spec.name);  // load_program has looked
    ranges.push_back(rows_of(spec, *tensor));
  }
  return ranges;
}

}  // namespace drystone
