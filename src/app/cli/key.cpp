#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "app/cli/command.h"
#include "app/cli/commands.h"
#include "serve/http/api_keys.h"

namespace drystone {
namespace {

// Behind what the file has; readable by its owner alone when it is new.
Result<void> append(const std::string& path, const std::string& line) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND, 0600);
  char last = '\n';  // an editor may have left the last line without its end
  if (const off_t size = file >= 0 ? ::lseek(file, 0, SEEK_END) : 0; size > 0)
    (void)!::pread(file, &last, 1, size - 1);
  const std::string text = (last == '\n' ? "" : "\n") + line + "\n";
  const bool written =
      file >= 0 && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (file >= 0) ::close(file);
  if (written) return {};
  return Error(Errc::io, fmt::format("cannot write to the key file {}", path));
}

Result<void> make_key(const std::string& path) {
  const NewApiKey made = TRY(make_api_key());
  if (path.empty()) {
    fmt::print("key  {}\nline {}\n", made.key, made.line);
    return {};
  }
  TRY(append(path, made.line));
  fmt::print("{}\n", made.key);
  return {};
}

}  // namespace

void add_key(CLI::App& app, int& exit_code) {
  auto path = std::make_shared<std::string>();
  CLI::App& command = *app.add_subcommand("key", "Make a key for clients of `serve`");
  command
      .add_option("--file", *path, "Add the key's hash to this key file, and print the key alone")
      ->type_name("FILE");
  command.footer(
      R"(The key is shown once; the file holds its hash, from which nobody can make the key.
Example:
  drystone key --file keys.txt
  drystone serve pebble --listen 0.0.0.0:8080 --api-key-file keys.txt)");
  command.callback([path, &exit_code] { exit_code = finish("key", make_key(*path)); });
}

}  // namespace drystone
