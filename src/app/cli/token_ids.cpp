#include "app/cli/token_ids.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "app/read_file.h"

namespace drystone {

Result<std::vector<TokenId>> read_token_ids(const std::string& path) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::string text = TRY(read_file(path));
  std::vector<TokenId> ids;
  for (std::size_t at = text.find_first_not_of(kSpace); at != std::string::npos;
       at = text.find_first_not_of(kSpace, at)) {
    const std::size_t end = std::min(text.find_first_of(kSpace, at), text.size());
    TokenId id = 0;
    const auto [stop, code] = std::from_chars(text.data() + at, text.data() + end, id);
    if (code != std::errc() || stop != text.data() + end || id < 0)
      return Error(
          Errc::corrupt,
          fmt::format(
              "{}:{}: '{}' is not a token id, expected numbers with spaces between them", path,
              std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n') + 1,
              text.substr(at, std::min<std::size_t>(end - at, 40))));
    ids.push_back(id);
    at = end;
  }
  if (ids.empty()) return Error(Errc::corrupt, fmt::format("{}: holds no token ids", path));
  return ids;
}

}  // namespace drystone
