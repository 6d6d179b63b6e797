#include "app/cli/listen_flags.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <cstdlib>
#include <fstream>

#include "app/cli/command.h"
#include "serve/http/api_keys.h"

namespace drystone {

namespace {

Result<void> read_place(const std::string& text, ServerOptions& api) {
  const std::size_t colon = text.rfind(':');
  std::string host = colon == std::string::npos ? "" : text.substr(0, colon);
  const std::string number = colon == std::string::npos ? text : text.substr(colon + 1);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), api.port);
  if (error != std::errc{} || end != number.data() + number.size())
    return Error(Errc::invalid_argument,
                 fmt::format("{} {}: '{}' is no port (0 to 65535). Write ADDRESS:PORT, such as "
                             "127.0.0.1:8080 or [::1]:8080",
                             api.address_flag, text, number));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (!host.empty()) api.address = host;
  return {};
}

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

void add_listen_flag(CLI::App& command, const std::string& flag, const std::string& description,
                     ListenFlags& flags) {
  flags.api.address_flag = flag;
  command.add_option(flag, flags.listen, description)->type_name("ADDR:PORT");
}

void add_access_flags(CLI::App& command, ListenFlags& flags) {
  command
      .add_option("--api-key-file", flags.key_file,
                  "Ask for keys: they or hashes, one a line (also $DRYSTONE_API_KEY)")
      ->type_name("FILE");
  command
      .add_option("--tls-cert", flags.api.tls.certificate,
                  "Serve HTTPS with this certificate (PEM, with its chain)")
      ->type_name("FILE");
  command.add_option("--tls-key", flags.api.tls.key, "The certificate's private key (PEM)")
      ->type_name("FILE");
  command
      .add_option("--cors", flags.api.cors_origins,
                  "Let web pages of this origin use it, may be repeated; * is all")
      ->type_name("ORIGIN")
      ->take_all()
      ->expected(1);
  command
      .add_option("--log-level", flags.log.level,
                  "off, error, warn, info (every request) or debug [info]")
      ->type_name("LEVEL");
}

Result<void> read_listen_flags(std::string_view command, ListenFlags& flags) {
  TRY(read_place(flags.listen, flags.api));
  if (!flags.key_file.empty()) TRY(read_key_file(command, flags.key_file, flags.api.api_keys));
  if (const char* key = std::getenv("DRYSTONE_API_KEY"); key != nullptr && *key != '\0')
    flags.api.api_keys.emplace_back(key);
  return {};
}

}  // namespace drystone
