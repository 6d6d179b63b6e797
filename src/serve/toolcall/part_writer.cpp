#include "serve/toolcall/part_writer.h"

#include <algorithm>
#include <utility>

namespace drystone::reply {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

// How many bytes at the end of `text` begin a character that is not complete.
std::size_t unfinished_bytes(std::string_view text) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

}  // namespace

void PartWriter::append(ReplyPart::Kind kind, std::string_view text) {
  if (text.empty()) return;
  const auto call =
      static_cast<std::uint32_t>(kind == ReplyPart::Kind::tool_arguments ? ids_.size() - 1 : 0);
  if (parts_.empty() || parts_.back().kind != kind || parts_.back().call != call)
    parts_.push_back({.kind = kind, .call = call});
  parts_.back().text += text;
}

void PartWriter::text(ReplyPart::Kind kind, std::string_view text) {
  if (skip_space_) text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  if (text.empty()) return;
  skip_space_ = false;
  const std::size_t last = text.find_last_not_of(kSpace);
  const std::size_t solid = last == text.npos ? 0 : last + 1;
  if (solid > 0) {
    append(space_kind_, std::exchange(space_, {}));
    append(kind, text.substr(0, solid));
  }
  space_ += text.substr(solid);
  space_kind_ = kind;
}

void PartWriter::mark() {
  space_.clear();
  skip_space_ = true;
}

void PartWriter::begin_call(std::string_view name, std::string_view id) {
  mark();
  const bool usable = !id.empty() && std::find(ids_.begin(), ids_.end(), id) == ids_.end();
  ids_.push_back(usable ? std::string(id) : new_id());
  parts_.push_back({.kind = ReplyPart::Kind::tool_call,
                    .call = static_cast<std::uint32_t>(ids_.size() - 1),
                    .id = ids_.back(),
                    .name = std::string(name)});
}

void PartWriter::arguments(std::string_view json) { append(ReplyPart::Kind::tool_arguments, json); }

std::string PartWriter::new_id() {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  std::string id = short_ids_ ? "" : "call_";
  for (int i = 0; i < (short_ids_ ? 9 : 24); ++i) id += kAlphabet[random_.below(kAlphabet.size())];
  return id;
}

std::vector<ReplyPart> PartWriter::take() {
  std::vector<ReplyPart> taken = std::exchange(parts_, {});
  if (taken.empty()) return taken;
  ReplyPart& last = taken.back();
  const std::size_t solid = last.text.size() - unfinished_bytes(last.text);
  if (solid == last.text.size()) return taken;
  parts_.push_back({.kind = last.kind, .text = last.text.substr(solid), .call = last.call});
  last.text.resize(solid);
  if (last.text.empty()) taken.pop_back();
  return taken;
}

std::vector<ReplyPart> PartWriter::finish() {
  append(space_kind_, std::exchange(space_, {}));
  return std::exchange(parts_, {});
}

}  // namespace drystone::reply
