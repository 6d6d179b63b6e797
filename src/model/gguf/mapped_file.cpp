#include "model/gguf/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

namespace drystone {
namespace {

Error failed(const std::filesystem::path& path, const char* doing) {
  const int code = errno;
  return {code == ENOENT ? Errc::not_found : Errc::io,
          fmt::format("{}: cannot {}: {}", path.string(), doing, std::strerror(code))};
}

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

}  // namespace

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  // Without O_NONBLOCK a pipe would wait for a writer.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) return failed(path, "open");
  struct stat status{};
  if (fstat(file.fd, &status) != 0) return failed(path, "read its size");
  if (!S_ISREG(status.st_mode))
    return Error(Errc::invalid_argument,
                 fmt::format("{}: is {}, expected a file", path.string(),
                             S_ISDIR(status.st_mode) ? "a directory" : "not a regular file"));
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return MappedFile(path, {});
  void* address = mmap(nullptr, size, PROT_READ, MAP_SHARED, file.fd, 0);
  if (address == MAP_FAILED) return failed(path, "map");
  MappedFile mapped(path, {static_cast<const std::byte*>(address), size});
  mapped.watched_ = TRY(WatchedPages::watch(mapped.bytes_));
  return mapped;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      bytes_(std::exchange(other.bytes_, {})),
      watched_(std::move(other.watched_)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(bytes_, other.bytes_);
  std::swap(watched_, other.watched_);
  return *this;
}

MappedFile::~MappedFile() {
  watched_ = WatchedPages();
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

Result<void> MappedFile::check_whole() const {
  const auto lost = watched_.first_lost();
  if (!lost) return {};
  std::error_code none;
  const std::uintmax_t size = std::filesystem::file_size(path_, none);
  return Error(Errc::io,
               fmt::format("{}: cannot be read from byte {} on: it had {} bytes when it was "
                           "opened, and {}. Was it cut or replaced, or does the disk fail?",
                           path_.string(), *lost, bytes_.size(),
                           none ? "is gone now" : fmt::format("has {} now", size)));
}

void MappedFile::drop(std::span<const std::byte> part) const {
  static const auto kPage = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<std::uintptr_t>(part.data());
  const std::uintptr_t begin = (address + kPage - 1) / kPage * kPage,
                       end = (address + part.size()) / kPage * kPage;
  if (begin < end)
    madvise(const_cast<std::byte*>(part.data()) + (begin - address), end - begin, MADV_DONTNEED);
}

}  // namespace drystone
