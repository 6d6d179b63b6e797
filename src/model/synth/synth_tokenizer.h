#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "model/arch/architecture.h"
#include "model/gguf/metadata.h"

namespace drystone {

// Writes a tokenizer of exactly config.vocab tokens, of the kind that the family uses: byte-level
// BPE for qwen, SentencePiece-style for the others. Every text can be tokenized: single bytes are
// tokens; the rest are short runs of letters. Returns the ids of the control tokens. Errors:
// invalid_argument  the vocabulary is too small to hold the bytes, or larger than there are runs of
// letters
Result<std::vector<std::uint32_t>> write_synth_tokenizer(const ModelConfig& config,
                                                         Metadata& metadata);

}  // namespace drystone
