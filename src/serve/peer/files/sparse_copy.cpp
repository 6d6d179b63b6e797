#include "serve/peer/files/sparse_copy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/file_bytes.h"
#include "base/units.h"

namespace drystone {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSideFile = "presence";
constexpr Bytes kSideFileMax = 256 * kMiB;
// Gaps of up to this size are fetched with what is around them.
constexpr Bytes kGapBytes = 64 * kKiB;

Error failed(const fs::path& path, const char* doing, int code) {
  return {Errc::io, fmt::format("{}: cannot {}: {}", path.string(), doing, std::strerror(code))};
}

Result<SocketHandle> open_file(const fs::path& path, int flags) {
  SocketHandle handle(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (handle.get() < 0 && errno == ENOENT)
    return Error(Errc::not_found, fmt::format("{}: there is no such file", path.string()));
  if (handle.get() < 0) return failed(path, "open", errno);
  return handle;
}

Result<void> write_all(const SocketHandle& handle, const fs::path& path, Bytes offset,
                       std::span<const std::byte> bytes) {
  auto done = write_at(handle.get(), offset, bytes);
  if (!done) return std::move(done).error().with(path.string() + ": cannot write");
  return done;
}

Result<std::string> read_text(const SocketHandle& handle, const fs::path& path) {
  struct stat status{};
  if (::fstat(handle.get(), &status) != 0) return failed(path, "read", errno);
  if (static_cast<Bytes>(status.st_size) > kSideFileMax)
    return Error(Errc::corrupt, fmt::format("{}: it is too long", path.string()));
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  if (auto done = read_at(handle.get(), 0, std::as_writable_bytes(std::span(text))); !done)
    return std::move(done).error().with(path.string() + ": cannot read");
  return text;
}

}  // namespace

Result<std::optional<SparseCopy>> SparseCopy::open(const fs::path& folder) {
  const fs::path side = folder / kSideFile;
  std::error_code none;
  if (!fs::exists(side, none)) return std::optional<SparseCopy>();
  SparseCopy copy;
  copy.folder_ = folder;
  copy.side_ = TRY(open_file(side, O_RDWR));
  auto text = read_text(copy.side_, side);
  if (text.is(Errc::corrupt)) return std::optional<SparseCopy>();
  auto read = read_presence(TRY(std::move(text)));
  if (!read) return std::optional<SparseCopy>();
  copy.presence_ = std::move(read->presence);
  // What a crash left behind the last good line goes before more is appended.
  if (::ftruncate(copy.side_.get(), static_cast<off_t>(read->good_bytes)) != 0)
    return failed(side, "write", errno);
  const auto opened = copy.open_files(false);
  // Some are gone or cut: begin anew. What merely cannot be opened now is kept.
  if (opened.is(Errc::not_found) || opened.is(Errc::corrupt)) return std::optional<SparseCopy>();
  TRY(opened);
  // Room that a killed process had taken would count as somebody else's in reserve().
  std::vector<FileRange> whole;
  for (std::size_t i = 0; i < copy.files().size(); ++i)
    whole.push_back({.file = i, .bytes = {0, copy.files()[i].size}});
  copy.release(whole);
  return std::optional<SparseCopy>(std::move(copy));
}

Result<SparseCopy> SparseCopy::create(const fs::path& folder, const std::string& identity,
                                      const ModelFiles& files) {
  TRY(validate(files));
  const auto make = [&]() -> Result<SparseCopy> {
    std::error_code error;
    fs::remove_all(folder, error);
    fs::create_directories(folder, error);
    if (error)
      return Error(Errc::io,
                   fmt::format("{}: cannot make the folder: {}", folder.string(), error.message()));
    SparseCopy copy;
    copy.folder_ = folder;
    copy.presence_ = {.identity = identity, .files = files};
    copy.presence_.present.resize(files.size());
    TRY(copy.open_files(true));
    // The side file comes last, and whole: without it the folder is no copy.
    const fs::path part = folder / ".presence.part";
    copy.side_ = TRY(open_file(part, O_RDWR | O_CREAT | O_TRUNC));
    const std::string head = presence_head(identity, files);
    TRY(write_all(copy.side_, part, 0, std::as_bytes(std::span(head))));
    if (::fsync(copy.side_.get()) != 0) return failed(part, "write", errno);
    fs::rename(part, folder / kSideFile, error);
    if (error) return Error(Errc::io, fmt::format("{}: {}", part.string(), error.message()));
    TRY(sync_folder(folder));
    TRY(sync_folder(folder.parent_path()));
    return copy;
  };
  auto copy = make();
  if (!copy) {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  return copy;
}

Result<void> SparseCopy::open_files(bool make) {
  written_.resize(files().size());
  for (std::size_t i = 0; i < files().size(); ++i) {
    SocketHandle handle = TRY(open_file(path(i), O_RDWR | (make ? O_CREAT | O_EXCL : 0)));
    const auto size = static_cast<off_t>(files()[i].size);
    struct stat status{};
    if (make && (::ftruncate(handle.get(), size) != 0 || ::fsync(handle.get()) != 0))
      return failed(path(i), "make it as large as the whole file", errno);
    if (::fstat(handle.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size != size)
      return Error(Errc::corrupt,
                   fmt::format("{}: it is no file of {} bytes", path(i).string(), files()[i].size));
    handles_.push_back(std::move(handle));
  }
  return {};
}

std::vector<FileRange> SparseCopy::missing(std::span<const FileRange> ranges) const {
  std::vector<FileRange> gaps;
  for (std::size_t file = 0; file < files().size(); ++file) {
    RangeSet wanted;
    for (const FileRange& range : ranges)
      if (range.file == file)
        for (const ByteRange& gap : presence_.present[file].missing(range.bytes)) wanted.add(gap);
    ByteRange run;
    for (const ByteRange& gap : wanted.ranges()) {
      if (run.size() > 0 && gap.begin - run.end <= kGapBytes) {
        run.end = gap.end;
        continue;
      }
      if (run.size() > 0) gaps.push_back({file, run});
      run = gap;
    }
    if (run.size() > 0) gaps.push_back({file, run});
  }
  return gaps;
}

Result<void> SparseCopy::reserve(std::span<const FileRange> ranges) {
  Bytes needed = 0;
  for (const FileRange& range : ranges) needed += range.bytes.size();
  std::error_code error;
  const Bytes free = fs::space(folder_, error).available;
  const bool told = !error;
  const auto full = [&] {
    return Error(Errc::io,
                 fmt::format("the disk of {} is full: {} of the model's file are needed{}. Make "
                             "room there, or put the model's file on this machine yourself",
                             folder_.string(), format_bytes(needed),
                             told ? fmt::format(", {} are free", format_bytes(free)) : ""));
  };
  if (told && free < needed) return full();
  for (const FileRange& range : ranges) {
    int code = 0;
#ifdef __linux__  // elsewhere the figure above must do
    do {
      code = ::fallocate(handles_[range.file].get(), 0, static_cast<off_t>(range.bytes.begin),
                         static_cast<off_t>(range.bytes.size())) == 0
                 ? 0
                 : errno;
    } while (code == EINTR);
#endif
    if (code == 0 || code == EOPNOTSUPP || code == ENOSYS) continue;
    release(ranges);
    if (code == ENOSPC || code == EDQUOT) return full();
    return failed(path(range.file), "reserve room", code);
  }
  return {};
}

void SparseCopy::release(std::span<const FileRange> ranges) {
#ifdef __linux__
  for (const FileRange& range : ranges)
    for (const ByteRange& hole : presence_.present[range.file].missing(range.bytes))
      static_cast<void>(
          ::fallocate(handles_[range.file].get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                      static_cast<off_t>(hole.begin), static_cast<off_t>(hole.size())));
#else
  static_cast<void>(ranges);
#endif
  for (RangeSet& written : written_) written = {};
}

Result<void> SparseCopy::write(const FileRange& range, std::span<const std::byte> bytes) {
  CHECK(bytes.size() == range.bytes.size() && range.file < files().size() &&
            range.bytes.end <= files()[range.file].size,
        range.file, range.bytes.begin, range.bytes.end, bytes.size());
  TRY(write_all(handles_[range.file], path(range.file), range.bytes.begin, bytes));
  written_[range.file].add(range.bytes);
  return {};
}

Result<void> SparseCopy::commit() {
  std::string lines;
  for (std::size_t file = 0; file < files().size(); ++file) {
    if (written_[file].count() == 0) continue;
    if (::fdatasync(handles_[file].get()) != 0) return failed(path(file), "write", errno);
    for (const ByteRange& range : written_[file].ranges()) lines += presence_line(file, range);
  }
  if (lines.empty()) return {};
  const fs::path side = folder_ / kSideFile;
  const off_t end = ::lseek(side_.get(), 0, SEEK_END);
  if (end < 0) return failed(side, "write", errno);
  auto appended = write_all(side_, side, static_cast<Bytes>(end), std::as_bytes(std::span(lines)));
  if (appended && ::fdatasync(side_.get()) != 0) appended = failed(side, "write", errno);
  if (!appended) {
    static_cast<void>(::ftruncate(side_.get(), end));
    return appended;
  }
  for (std::size_t file = 0; file < files().size(); ++file) {
    for (const ByteRange& range : written_[file].ranges()) presence_.present[file].add(range);
    written_[file] = {};
  }
  return {};
}

}  // namespace drystone
