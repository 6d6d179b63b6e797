#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "serve/toolcall/reply_splitter.h"

// For the tests: a reply, split in every way.
namespace drystone {

inline void join(std::vector<ReplyPart>& all, std::vector<ReplyPart> more) {
  for (ReplyPart& part : more) {
    const bool text = part.kind != ReplyPart::Kind::tool_call;
    if (text && !all.empty() && all.back().kind == part.kind && all.back().call == part.call)
      all.back().text += part.text;
    else
      all.push_back(std::move(part));
  }
}

inline std::vector<ReplyPart> joined_parts(const std::vector<std::string_view>& pieces,
                                           const SplitterOptions& options,
                                           ReplyEnd end = ReplyEnd::whole) {
  ReplySplitter splitter(options);
  std::vector<ReplyPart> all;
  for (const std::string_view piece : pieces) join(all, splitter.push(piece));
  join(all, splitter.finish(end));
  return all;
}

// The parts of `text`, which must be the same wherever it is cut in two, and byte by byte.
inline std::vector<ReplyPart> split_everywhere(std::string_view text,
                                               const SplitterOptions& options,
                                               ReplyEnd end = ReplyEnd::whole) {
  const std::vector<ReplyPart> whole = joined_parts({text}, options, end);
  std::vector<std::string_view> bytes;
  for (std::size_t at = 0; at < text.size(); ++at) {
    EXPECT_EQ(whole, joined_parts({text.substr(0, at), text.substr(at)}, options, end))
        << "cut at byte " << at << " of " << text;
    bytes.push_back(text.substr(at, 1));
  }
  EXPECT_EQ(whole, joined_parts(bytes, options, end)) << "byte by byte: " << text;
  return whole;
}

// "reasoning:..|content:..|call get_weather:{...}", easy to read in an expectation.
inline std::string written(const std::vector<ReplyPart>& parts) {
  std::string out;
  for (const ReplyPart& part : parts) {
    if (part.kind != ReplyPart::Kind::tool_arguments && !out.empty()) out += '|';
    if (part.kind == ReplyPart::Kind::content) out += "content:";
    if (part.kind == ReplyPart::Kind::reasoning) out += "reasoning:";
    if (part.kind == ReplyPart::Kind::tool_call) out += "call " + part.name + ":";
    out += part.text;
  }
  return out;
}

}  // namespace drystone
