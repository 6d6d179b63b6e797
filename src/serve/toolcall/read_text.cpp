#include "serve/toolcall/read_text.h"

#include <algorithm>

#include "serve/toolcall/json_scanner.h"

namespace drystone::reply {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

struct Found {
  std::size_t at = 0;               // nothing before this begins a mark
  std::optional<std::size_t> mark;  // stands at `at`; nothing: one may begin there
};

// The first place where a mark stands, or may stand once more text comes.
Found find_mark(std::string_view text, std::span<const std::string_view> marks) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::string_view rest = text.substr(at);
    for (std::size_t mark = 0; mark < marks.size(); ++mark) {
      if (rest[0] != marks[mark][0]) continue;
      if (rest.starts_with(marks[mark])) return {at, mark};
      if (marks[mark].starts_with(rest)) return {at, {}};
    }
  }
  return {text.size(), {}};
}

}  // namespace

Parse<std::optional<char>> peek(ReplyReader& in) {
  co_await in.more_than(0);
  if (in.available().empty()) co_return std::nullopt;
  co_return in.available()[0];
}

Parse<std::optional<char>> peek_solid(ReplyReader& in) {
  while (true) {
    co_await in.more_than(0);
    const std::string_view text = in.available();
    const std::size_t solid = std::min(text.find_first_not_of(kSpace), text.size());
    in.consume(solid);
    if (solid < text.size()) co_return text[solid];
    if (text.empty()) co_return std::nullopt;
  }
}

Parse<bool> literal(ReplyReader& in, std::string_view word) {
  while (true) {
    const std::string_view text = in.available();
    if (text.starts_with(word)) {
      in.consume(word.size());
      co_return true;
    }
    if (!word.starts_with(text)) co_return false;
    const std::size_t seen = text.size();
    co_await in.more_than(seen);
    if (in.available().size() == seen) co_return false;
  }
}

Parse<bool> spaced_literal(ReplyReader& in, std::string_view word) {
  std::size_t space = 0;
  while (true) {
    const std::string_view text = in.available();
    space = std::min(text.find_first_not_of(kSpace, space), text.size());
    const std::string_view rest = text.substr(space);
    if (rest.starts_with(word)) {
      in.consume(space + word.size());
      co_return true;
    }
    if (!word.starts_with(rest)) co_return false;
    const std::size_t seen = text.size();
    co_await in.more_than(seen);
    if (in.available().size() == seen) co_return false;
  }
}

Parse<std::optional<std::size_t>> text_until(ReplyReader& in,
                                             std::span<const std::string_view> marks,
                                             const TextSink& sink) {
  while (true) {
    const std::string_view text = in.available();
    const Found found = find_mark(text, marks);
    const bool last = in.ended() && !found.mark;
    const std::string_view before = text.substr(0, last ? text.size() : found.at);
    if (!before.empty()) sink(before);
    in.consume(before.size() + (found.mark ? marks[*found.mark].size() : 0));
    if (found.mark || last) co_return found.mark;
    co_await in.more_than(in.available().size());
  }
}

Parse<std::optional<std::string>> name_until(ReplyReader& in, std::string_view stops,
                                             std::string_view forbidden) {
  std::string name;
  while (name.size() <= kNameBytesMax) {
    co_await in.more_than(0);
    if (in.available().empty()) break;
    const char c = in.available()[0];
    if (stops.find(c) != stops.npos) {
      if (name.empty()) break;
      co_return name;
    }
    if (forbidden.find(c) != forbidden.npos) break;
    name += c;
    in.consume(1);
  }
  co_return std::nullopt;
}

Parse<std::optional<std::string>> json_value(ReplyReader& in, std::size_t bytes_max) {
  JsonScanner scanner;
  std::string value;
  while (scanner.status() == JsonScanner::Status::open && value.size() <= bytes_max) {
    co_await in.more_than(0);
    if (in.available().empty()) {
      scanner.end();
      break;
    }
    in.consume(scanner.scan(in.available().substr(0, 4096), value));
  }
  if (scanner.status() != JsonScanner::Status::whole || value.size() > bytes_max)
    co_return std::nullopt;
  co_return value;
}

Parse<bool> stream_json(ReplyReader& in, const TextSink& sink) {
  JsonScanner scanner;
  while (scanner.status() == JsonScanner::Status::open) {
    co_await in.more_than(0);
    if (in.available().empty()) {
      scanner.end();
      break;
    }
    std::string safe;
    in.consume(scanner.scan(in.available(), safe));
    if (!safe.empty()) sink(safe);
  }
  co_return scanner.status() == JsonScanner::Status::whole;
}

}  // namespace drystone::reply
