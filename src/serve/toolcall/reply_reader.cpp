#include "serve/toolcall/reply_reader.h"

#include <utility>

#include "base/check.h"

namespace drystone::reply {

void ReplyReader::append(std::string_view text) {
  CHECK(!ended_);
  if (text.empty()) return;
  const std::size_t keep_from = hold_.value_or(at_);
  buffer_.erase(0, keep_from);
  at_ -= keep_from;
  if (hold_) hold_ = 0;
  buffer_ += text;
  run();
}

void ReplyReader::end(ReplyEnd end) {
  CHECK(!ended_);
  ended_ = true;
  cut_ = end == ReplyEnd::cut;
  run();
}

void ReplyReader::consume(std::size_t bytes) {
  CHECK(bytes <= available().size(), bytes, available().size());
  at_ += bytes;
}

void ReplyReader::hold() {
  CHECK(!hold_);
  hold_ = at_;
}

void ReplyReader::rewind() {
  CHECK(hold_.has_value());
  at_ = *hold_;
  hold_.reset();
}

void ReplyReader::release() {
  CHECK(hold_.has_value());
  hold_.reset();
}

void ReplyReader::run() {
  if (waiting_) std::exchange(waiting_, {}).resume();
}

}  // namespace drystone::reply
