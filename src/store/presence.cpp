#include "store/presence.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

namespace drystone {
namespace {

constexpr std::string_view kTitle = "drystone-presence 1";
constexpr std::size_t kIdentityMax = 128;

// FNV-1a: tells a line that is whole from one that was cut off or never written.
std::uint64_t check_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

std::string checked(const std::string& line) {
  return fmt::format("{} {:016x}\n", line, check_of(line));
}

// The next whole line of `text` without its check; nullopt: none, or it is not whole.
std::optional<std::string_view> take_line(std::string_view& text) {
  constexpr std::size_t kCheck = 17;
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos || end < kCheck) return std::nullopt;
  const std::string_view line = text.substr(0, end - kCheck),
                         check = text.substr(end - kCheck, kCheck);
  if (check != fmt::format(" {:016x}", check_of(line))) return std::nullopt;
  text.remove_prefix(end + 1);
  return line;
}

// "WORD rest" -> WORD.
std::string_view take_word(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

std::optional<std::uint64_t> take_number(std::string_view& line) {
  const std::string_view word = take_word(line);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size() || word.empty()) return std::nullopt;
  return value;
}

Error bad_head(std::string_view problem) {
  return {Errc::corrupt, fmt::format("the list of what is there of a model: {}", problem)};
}

// A range of a file; false: not such a line.
bool take_range(std::string_view line, Presence& presence) {
  if (take_word(line) != "range") return false;
  const auto file = take_number(line), begin = take_number(line), end = take_number(line);
  if (!file || !begin || !end || !line.empty()) return false;
  if (*file >= presence.files.size() || *begin >= *end || *end > presence.files[*file].size)
    return false;
  presence.present[*file].add({*begin, *end});
  return true;
}

}  // namespace

Result<void> validate(const ModelFiles& files) {
  const auto bad = [](std::string problem) { return Error(Errc::corrupt, std::move(problem)); };
  if (files.empty() || files.size() > kModelFilesMax)
    return bad(fmt::format("a model of {} files, expected 1 to {}", files.size(), kModelFilesMax));
  std::set<std::string_view> names;
  for (const ModelFile& file : files) {
    const bool plain =
        !file.name.empty() && file.name.size() <= kModelFileNameMax && file.name[0] != '.' &&
        std::ranges::none_of(file.name, [](char c) {
          return c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
        });
    if (!plain || !names.insert(file.name).second)
      return bad("a model with a file whose name is no plain file name, or stands twice");
    if (file.size > kModelFileMax || file.header_bytes == 0 || file.header_bytes > file.size)
      return bad(fmt::format("{}: {} bytes, of which {} are the header", file.name, file.size,
                             file.header_bytes));
  }
  return {};
}

std::string presence_head(const std::string& identity, const ModelFiles& files) {
  std::string head = checked(std::string(kTitle)) + checked("model " + identity) +
                     checked(fmt::format("files {}", files.size()));
  for (const ModelFile& file : files)
    head += checked(fmt::format("file {} {} {}", file.size, file.header_bytes, file.name));
  return head;
}

std::string presence_line(std::size_t file, ByteRange range) {
  return checked(fmt::format("range {} {} {}", file, range.begin, range.end));
}

Result<ReadPresence> read_presence(std::string_view text) {
  ReadPresence read;
  Presence& presence = read.presence;
  const std::size_t all = text.size();
  if (take_line(text) != kTitle) return bad_head("its first line is another");
  auto line = take_line(text);
  if (!line || take_word(*line) != "model" || line->empty() || line->size() > kIdentityMax)
    return bad_head("it names no model");
  presence.identity = *line;
  line = take_line(text);
  if (!line || take_word(*line) != "files") return bad_head("it does not say how many files");
  const auto count = take_number(*line);
  if (!count || !line->empty() || *count > kModelFilesMax) return bad_head("too many files");
  for (std::uint64_t i = 0; i < *count; ++i) {
    line = take_line(text);
    if (!line || take_word(*line) != "file") return bad_head("a file is missing");
    const auto size = take_number(*line), header_bytes = take_number(*line);
    if (!size || !header_bytes) return bad_head("a file without sizes");
    presence.files.push_back(
        {.name = std::string(*line), .size = *size, .header_bytes = *header_bytes});
  }
  TRY(validate(presence.files));
  presence.present.resize(presence.files.size());
  read.good_bytes = all - text.size();
  for (auto next = take_line(text); next && take_range(*next, presence); next = take_line(text))
    read.good_bytes = all - text.size();
  return read;
}

}  // namespace drystone
