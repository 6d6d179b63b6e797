#include "model/gguf/gguf_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <system_error>
#include <type_traits>

#include "model/gguf/header.h"

namespace drystone {
namespace {

// They describe the container that a copy came from, not the one that is written.
bool left_out(std::string_view key) {
  return key == "general.alignment" || key.starts_with("split.");
}

template <typename T>
void put(std::string& out, T value) {
  static_assert(std::is_trivially_copyable_v<T>);
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put_string(std::string& out, std::string_view text) {
  put(out, std::uint64_t{text.size()});
  out += text;
}

bool fits_i32(std::int64_t value) { return value == static_cast<std::int32_t>(value); }

// The narrowest type that llama.cpp takes for counts and ids: u32, else what holds the value.
void put_integer(std::string& out, std::int64_t value) {
  if (value >= 0 && value <= std::numeric_limits<std::uint32_t>::max()) {
    put(out, GgufValueType::u32);
    put(out, static_cast<std::uint32_t>(value));
  } else if (fits_i32(value)) {
    put(out, GgufValueType::i32);
    put(out, static_cast<std::int32_t>(value));
  } else {
    put(out, value > 0 ? GgufValueType::u64 : GgufValueType::i64);
    put(out, value);
  }
}

void put_array(std::string& out, const std::vector<std::int64_t>& values) {
  bool narrow = true;
  for (const std::int64_t value : values) narrow = narrow && fits_i32(value);
  put(out, narrow ? GgufValueType::i32 : GgufValueType::i64);
  put(out, std::uint64_t{values.size()});
  for (const std::int64_t value : values)
    narrow ? put(out, static_cast<std::int32_t>(value)) : put(out, value);
}

void put_array(std::string& out, const std::vector<double>& values) {
  put(out, GgufValueType::f32);
  put(out, std::uint64_t{values.size()});
  for (const double value : values) put(out, static_cast<float>(value));
}

void put_array(std::string& out, const std::vector<bool>& values) {
  put(out, GgufValueType::boolean);
  put(out, std::uint64_t{values.size()});
  for (const bool value : values) put(out, static_cast<std::uint8_t>(value));
}

void put_array(std::string& out, const std::vector<std::string>& values) {
  put(out, GgufValueType::string);
  put(out, std::uint64_t{values.size()});
  for (const std::string& value : values) put_string(out, value);
}

void put_value(std::string& out, const MetadataValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    put_integer(out, *integer);
  } else if (const auto* real = std::get_if<double>(&value)) {
    put(out, GgufValueType::f32);
    put(out, static_cast<float>(*real));
  } else if (const auto* flag = std::get_if<bool>(&value)) {
    put(out, GgufValueType::boolean);
    put(out, static_cast<std::uint8_t>(*flag));
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    put(out, GgufValueType::string);
    put_string(out, *text);
  } else {
    put(out, GgufValueType::array);
    std::visit([&](const auto& values) { put_array(out, values); }, std::get<MetadataArray>(value));
  }
}

Bytes tensor_bytes(const GgufTensorToWrite& tensor) {
  CHECK(!tensor.dims.empty() && tensor.dims.size() <= 4, tensor.name, tensor.dims.size());
  Bytes bytes = row_bytes(tensor.type, tensor.dims[0]);
  for (std::size_t d = 1; d < tensor.dims.size(); ++d) bytes *= tensor.dims[d];
  return bytes;
}

Bytes aligned(Bytes bytes) {
  return (bytes + kGgufAlignment - 1) / kGgufAlignment * kGgufAlignment;
}

std::string make_header(const Metadata& metadata, std::span<const GgufTensorToWrite> tensors) {
  std::uint64_t keys = 0;
  for (const auto& [key, value] : metadata.all()) keys += left_out(key) ? 0 : 1;
  std::string out;
  put(out, kGgufMagic);
  put(out, kGgufVersion);
  put(out, std::uint64_t{tensors.size()});
  put(out, keys);
  for (const auto& [key, value] : metadata.all()) {
    if (left_out(key)) continue;
    put_string(out, key);
    put_value(out, value);
  }
  Bytes offset = 0;
  for (const GgufTensorToWrite& tensor : tensors) {
    put_string(out, tensor.name);
    put(out, static_cast<std::uint32_t>(tensor.dims.size()));
    for (const std::uint64_t dim : tensor.dims) put(out, dim);
    put(out, tensor.type);
    put(out, offset);
    offset += aligned(tensor_bytes(tensor));
  }
  out.resize(aligned(out.size()));
  return out;
}

// Writes beside the target and takes its name at the end, so that a failure leaves what was there
// (which may be the very file that is being copied).
class PartialFile {
 public:
  static Result<PartialFile> create(const std::filesystem::path& target) {
    std::error_code ignored;
    const auto status = std::filesystem::status(target, ignored);
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
      return Error(Errc::io, fmt::format("{}: is not a regular file, so it is not overwritten",
                                         target.string()));
    PartialFile file(target);
    const std::string partial =
        std::exchange(file.partial_, {}).string();  // not ours to remove yet
    const int descriptor = ::open(partial.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0)
      return Error(Errc::io, fmt::format("{}: cannot create: {}", partial, std::strerror(errno)));
    file.stream_.reset(fdopen(descriptor, "wb"));
    CHECK(file.stream_ != nullptr);
    // What a killed program left is written over; what a living one writes is locked, or was given
    // its name between our open and our lock.
    struct stat opened = {}, named = {};
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0 || fstat(descriptor, &opened) != 0 ||
        stat(partial.c_str(), &named) != 0 || opened.st_ino != named.st_ino)
      return Error(Errc::io, fmt::format("{}: another program is writing it", partial));
    if (ftruncate(descriptor, 0) != 0)
      return Error(Errc::io, fmt::format("{}: cannot write: {}", partial, std::strerror(errno)));
    file.partial_ = partial;
    return file;
  }
  PartialFile(PartialFile&& other) noexcept
      : target_(std::move(other.target_)),
        partial_(std::exchange(other.partial_, {})),
        stream_(std::move(other.stream_)) {}
  PartialFile& operator=(PartialFile&&) = delete;
  ~PartialFile() {
    stream_.reset();
    std::error_code ignored;
    if (!partial_.empty()) std::filesystem::remove(partial_, ignored);
  }

  Result<void> write(const void* bytes, std::size_t size) {
    if (std::fwrite(bytes, 1, size, stream_.get()) == size) return {};
    return failed("write");
  }

  Result<void> finish() {
    if (std::fflush(stream_.get()) != 0) return failed("write");
    std::error_code code;
    std::filesystem::rename(partial_, target_, code);  // still locked
    if (code)
      return Error(Errc::io, fmt::format("{}: cannot rename to {}: {}", partial_.string(),
                                         target_.string(), code.message()));
    partial_.clear();
    return {};
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  explicit PartialFile(const std::filesystem::path& target)
      : target_(target), partial_(target.string() + ".partial") {}
  Error failed(const char* doing) const {
    return {Errc::io,
            fmt::format("{}: cannot {}: {}", partial_.string(), doing, std::strerror(errno))};
  }

  std::filesystem::path target_, partial_;
  std::unique_ptr<std::FILE, Close> stream_;
};

}  // namespace

Result<void> write_gguf(const std::filesystem::path& path, const Metadata& metadata,
                        std::span<const GgufTensorToWrite> tensors) {
  PartialFile file = TRY(PartialFile::create(path));
  const std::string header = make_header(metadata, tensors);
  TRY(file.write(header.data(), header.size()));
  static constexpr char kZeros[kGgufAlignment] = {};
  for (const GgufTensorToWrite& tensor : tensors) {
    const Bytes expected = tensor_bytes(tensor);
    Bytes written = 0;
    TRY(tensor.fill([&](std::span<const std::byte> bytes) -> Result<void> {
      written += bytes.size();
      return file.write(bytes.data(), bytes.size());
    }));
    CHECK(written == expected, tensor.name, written, expected);
    TRY(file.write(kZeros, aligned(expected) - expected));
  }
  return file.finish();
}

}  // namespace drystone
