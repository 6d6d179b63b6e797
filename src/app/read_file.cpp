#include "app/read_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/units.h"

namespace drystone {
namespace {

constexpr Bytes kFileBytesMax = kGiB;

Result<std::string> read_to_end(int descriptor, const std::string& name) {
  std::string text;
  char chunk[65536];
  while (true) {
    const ssize_t size = ::read(descriptor, chunk, sizeof chunk);
    if (size == 0) return text;
    if (size < 0 && errno == EINTR) continue;
    if (size < 0)
      return Error(Errc::io, fmt::format("{}: cannot read: {}", name, std::strerror(errno)));
    text.append(chunk, static_cast<std::size_t>(size));
    if (text.size() > kFileBytesMax)
      return Error(Errc::limit,
                   fmt::format("{}: is larger than {}", name, format_bytes(kFileBytesMax)));
  }
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return Error(errno == ENOENT ? Errc::not_found : Errc::io,
                 fmt::format("{}: cannot open: {}", path, std::strerror(errno)));
  auto text = read_to_end(descriptor, path);
  ::close(descriptor);
  return text;
}

Result<std::string> read_standard_input() { return read_to_end(STDIN_FILENO, "standard input"); }

}  // namespace drystone
