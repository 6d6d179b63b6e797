#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/tokenizer/split_pass.h"

namespace drystone {

// How the text of a byte-level BPE model is cut before merging, and what else its name stands for.
struct PreTokenizer {
  std::vector<std::unique_ptr<const SplitPass>> passes;
  bool ignore_merges = false;    // a piece that is a token is that token, whatever the merges say
  bool add_bos = false;          // where the file does not say
  bool merges_optional = false;  // files without merges mean "the pair with the lowest id"

  // Ends of all pieces of `text`.
  void split(std::string_view text, PieceEnds& ends, PieceEnds& scratch) const;
};

// By the name in tokenizer.ggml.pre. Errors: unsupported, listing the names that are.
Result<PreTokenizer> make_pre_tokenizer(std::string_view name);

}  // namespace drystone
