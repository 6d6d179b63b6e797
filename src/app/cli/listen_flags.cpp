#include "app/cli/listen_flags.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <cstdlib>
#include <fstream>

#include "app/cli/command.h"
#include "serve/http/api_keys.h"

namespace drystone {

Result<void> read_listen(std::string_view flag, const std::string& text, std::string& address,
                         std::uint16_t& port) {
  const std::size_t colon = text.rfind(':');
  std::string host = colon == std::string::npos ? "" : text.substr(0, colon);
  const std::string number = colon == std::string::npos ? text : text.substr(colon + 1);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), port);
  if (error != std::errc{} || end != number.data() + number.size())
    return Error(Errc::invalid_argument,
                 fmt::format("{} {}: '{}' is no port (0 to 65535). Write ADDRESS:PORT, such as "
                             "127.0.0.1:8080 or [::1]:8080",
                             flag, text, number));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (!host.empty()) address = host;
  return {};
}

namespace {

Result<void> read_key_file(std::string_view command, const std::string& path,
                           std::vector<std::string>& keys) {
  std::ifstream file(path);
  const std::size_t before = keys.size();
  bool plain = false;
  for (std::string line; std::getline(file, line);) {
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back()))) line.pop_back();
    if (line.empty()) continue;
    plain |= !is_hashed_key(line);
    keys.push_back(line);
  }
  if (plain)
    notice(command, fmt::format("{} holds keys in the clear; `drystone key --file` adds keys by "
                                "their hash, so that a copy of the file opens nothing",
                                path));
  if (!file.is_open() || file.bad())
    return Error(Errc::io, fmt::format("cannot read the key file {}", path));
  if (keys.size() == before)
    return Error(Errc::invalid_argument, fmt::format("the key file {} has no key", path));
  return {};
}

}  // namespace

Result<void> read_api_keys(std::string_view command, const std::string& path,
                           std::vector<std::string>& keys) {
  if (!path.empty()) TRY(read_key_file(command, path, keys));
  if (const char* key = std::getenv("DRYSTONE_API_KEY"); key != nullptr && *key != '\0')
    keys.emplace_back(key);
  return {};
}

}  // namespace drystone
