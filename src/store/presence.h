#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "store/range_set.h"

namespace drystone {

// Bounds of a model's files; beyond them they are refused.
constexpr std::size_t kModelFilesMax = 1024;     // of a split model
constexpr std::size_t kModelFileNameMax = 255;   // bytes
constexpr Bytes kModelFileMax = Bytes{1} << 46;  // bytes of one file

// One file of a model.
struct ModelFile {
  std::string name;        // without folder
  Bytes size = 0;          // of the whole file
  Bytes header_bytes = 0;  // what stands before the first tensor's data
  bool operator==(const ModelFile&) const = default;
};

// A model's files, in order: one, or the parts of a split model.
using ModelFiles = std::vector<ModelFile>;

// Names are plain and different, sizes within bounds, headers within files.
// Errors: corrupt, with the first thing that is wrong.
Result<void> validate(const ModelFiles& files);

// What is known of a copy of a model that has only some of its bytes: the text of its side file
// (docs/formats/files.md). First lines that say which model it is, then one line for each range
// that is there. Ranges are appended when their bytes are on disk; a line that was cut off by a
// crash does not count, and nothing behind it.
struct Presence {
  std::string identity;
  ModelFiles files;
  std::vector<RangeSet> present;  // of each file
};

std::string presence_head(const std::string& identity, const ModelFiles& files);
std::string presence_line(std::size_t file, ByteRange range);

// `text` as the side file holds it, and how much of it was good: what is behind must be cut off
// before more is appended.
struct ReadPresence {
  Presence presence;
  std::size_t good_bytes = 0;
};
// Errors: corrupt  the first lines are not whole: the copy is of no use.
Result<ReadPresence> read_presence(std::string_view text);

}  // namespace drystone
