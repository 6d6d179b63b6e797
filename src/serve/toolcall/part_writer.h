#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "serve/toolcall/reply_part.h"

namespace drystone::reply {

// Collects the parts of a reply. White space at the end of a text waits until it is known what
// follows: text, and it is part of it, or a mark, and it is dropped.
class PartWriter {
 public:
  // Ids are "call_" and 24 letters or digits, or (short_ids) 9 of them alone.
  PartWriter(std::uint64_t id_seed, bool short_ids) : random_(id_seed), short_ids_(short_ids) {}

  // Content or reasoning.
  void text(ReplyPart::Kind kind, std::string_view text);
  // A mark stands here: drops the white space on both sides of it.
  void mark();

  // An empty id is made up, and so is one that another call of the reply has.
  void begin_call(std::string_view name, std::string_view id);
  void arguments(std::string_view json);

  // The parts so far, all but the first bytes of a character whose last ones are to come.
  std::vector<ReplyPart> take();
  std::vector<ReplyPart> finish();

 private:
  void append(ReplyPart::Kind kind, std::string_view text);
  std::string new_id();

  std::vector<ReplyPart> parts_;
  std::string space_;  // waits; of space_kind_
  ReplyPart::Kind space_kind_ = ReplyPart::Kind::content;
  bool skip_space_ = false;  // directly behind a mark
  std::vector<std::string> ids_;
  Rng random_;
  bool short_ids_;
};

}  // namespace drystone::reply
