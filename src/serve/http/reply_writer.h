#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/engine.h"

namespace drystone {

// Writes one answer in a dialect: as one JSON text, or as the data of server-sent events. Keeps
// what a stream needs to remember between chunks. Give it every token once, in order: either all in
// whole(), or chunk by chunk.
class ReplyWriter {
 public:
  virtual ~ReplyWriter() = default;

  virtual std::string whole(std::string_view text, std::span<const Sampled> tokens,
                            const GenerateResult& result) = 0;

  virtual std::string first_chunk() = 0;  // "" when the dialect has none
  virtual std::string chunk(const Delta& delta) = 0;
  virtual std::string last_chunk(const GenerateResult& result) = 0;
  virtual std::string usage_chunk(const GenerateResult& result) = 0;
};

}  // namespace drystone
