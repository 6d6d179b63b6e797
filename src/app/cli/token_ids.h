#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "model/tokenizer/tokenizer.h"

namespace drystone {

// The token ids of a text file: decimal numbers with white space between them.
// Errors: those of read_file; corrupt  something else stands there, or nothing: which word, on
// which line.
Result<std::vector<TokenId>> read_token_ids(const std::string& path);

}  // namespace drystone
