#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "serve/toolcall/reply_format.h"
#include "serve/toolcall/reply_part.h"

namespace drystone {

struct SplitterOptions {
  ReplyFormat format;
  boost::json::array tools;     // of the request, as OpenAI writes them; empty: calls stay content
  bool reasoning_open = false;  // prompt_opens_reasoning() of the prompt
  std::uint64_t id_seed = 0;    // of the calls' ids; another one for each choice of each request
};

// Cuts the text that a model writes into content, reasoning and tool calls, while it is written.
// The text may be cut anywhere, also inside a character: the parts, joined, are the same.
//
// - No part of a mark is ever shown as content; what begins like a mark or a call and is none comes
//   out as content, whole. White space beside a mark belongs to the mark and is dropped.
// - A call is reported as soon as its name is known. Its arguments are a JSON object, streamed as
//   written, except where the format holds values as plain text, which are converted as the tool's
//   parameter schema says. Their pieces, joined, are at any time the beginning of valid JSON, and
//   whole when the call is finished; a call without arguments has "{}".
// - Reasoning stands at the beginning of a reply only; a mark in the midst of content is content.
// - Memory and time are linear in the text.
//
// One per choice of a reply. Not thread-safe.
class ReplySplitter {
 public:
  explicit ReplySplitter(const SplitterOptions& options);
  ReplySplitter(ReplySplitter&&) noexcept;
  ReplySplitter& operator=(ReplySplitter&&) noexcept;
  ~ReplySplitter();

  // The parts that are certain after `text`.
  std::vector<ReplyPart> push(std::string_view text);

  // The end of the text: what was held back. Where the text ends in the midst of a call, its
  // arguments are there as far as they were written. Where it was cut before a call had shown its
  // name, or within the marks behind one, what was written of that is dropped.
  // Call it once; nothing may be pushed after it.
  std::vector<ReplyPart> finish(ReplyEnd end = ReplyEnd::whole);

  // The text that comes next is reasoning, as far as what has come tells: the mark that opens it
  // was there, and the one that closes it was not.
  bool in_reasoning() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace drystone
