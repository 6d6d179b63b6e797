#include "serve/peer/files/model_identity.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "net/secret.h"
#include "net/wire.h"
#include "serve/peer/files/whole_files.h"

namespace drystone {
namespace {

// Other rules make other identities.
constexpr std::string_view kRules = "drystone model 2";
constexpr Bytes kSampleBytes = 4 * kKiB;  // at the beginning of a tensor, and in its middle
constexpr Bytes kSamplesMax = 8 * kMiB;   // of all tensors; of more than 1024 each gives less

// Of a file without tensors: all of it.
Bytes header_bytes(const GgufFile& file, std::uint32_t part, Bytes size) {
  Bytes header = size;
  for (const GgufTensor& tensor : file.tensors())
    if (tensor.part == part) header = std::min<Bytes>(header, tensor.offset);
  return header;
}

std::string hex(const Digest& digest) {
  std::string text;
  for (const std::byte byte : digest) text += fmt::format("{:02x}", static_cast<unsigned>(byte));
  return text;
}

Result<std::vector<std::byte>> read_header(const WholeFiles& whole, std::size_t file) {
  std::vector<std::byte> header(whole.files()[file].header_bytes);
  TRY(whole.read(file, 0, header));
  return header;
}

Result<std::vector<std::byte>> read_samples(const WholeFiles& whole,
                                            std::span<const FileRange> ranges) {
  std::vector<std::byte> samples;
  for (const FileRange& range : ranges) {
    const std::size_t at = samples.size();
    samples.resize(at + range.bytes.size());
    TRY(whole.read(range.file, range.bytes.begin, std::span(samples).subspan(at)));
  }
  return samples;
}

Result<std::string> identity_of(const GgufFile& file, const WholeFiles& whole) {
  WireWriter all;
  all.text(kRules);
  for (std::size_t i = 0; i < whole.files().size(); ++i) {
    const auto header = TRY(read_header(whole, i));
    all.u64(whole.files()[i].size);
    all.u64(whole.files()[i].header_bytes);
    all.bytes(sha256(header));
  }
  const auto samples = TRY(read_samples(whole, identity_samples(file)));
  all.bytes(sha256(samples));
  return hex(sha256(all.written()));
}

}  // namespace

std::vector<FileRange> identity_samples(const GgufFile& file) {
  std::vector<FileRange> samples;
  const Bytes bytes =
      std::min(kSampleBytes, kSamplesMax / 2 / std::max<Bytes>(file.tensors().size(), 1));
  const auto add = [&](const GgufTensor& tensor, Bytes offset, Bytes size) {
    const Bytes begin = tensor.offset + offset;
    if (size > 0) samples.push_back({.file = tensor.part, .bytes = {begin, begin + size}});
  };
  for (const GgufTensor& tensor : file.tensors()) {
    if (tensor.bytes <= 2 * bytes) {
      add(tensor, 0, tensor.bytes);
      continue;
    }
    add(tensor, 0, bytes);
    add(tensor, tensor.bytes / 2, bytes);
  }
  // In this order a disk reads them fastest.
  std::ranges::sort(samples, {}, [](const FileRange& range) {
    return std::tuple(range.file, range.bytes.begin, range.bytes.end);
  });
  return samples;
}

Result<ModelIdentity> identify(const GgufFile& file) {
  ModelIdentity result;
  std::uint32_t part = 0;
  for (const std::filesystem::path& path : file.files()) {
    std::error_code error;
    ModelFile one{.name = path.filename().string(),
                  .size = std::filesystem::file_size(path, error)};
    if (error) return Error(Errc::io, fmt::format("{}: {}", path.string(), error.message()));
    one.header_bytes = header_bytes(file, part++, one.size);
    result.files.push_back(std::move(one));
  }
  TRY(validate(result.files));
  const std::vector<std::filesystem::path> paths(file.files().begin(), file.files().end());
  const auto whole = TRY(open_whole_files(result.files, paths));
  result.identity = TRY(identity_of(file, *whole));
  return result;
}

ModelIdentity identify(const GgufFile& file, std::span<const std::byte> bytes, std::string name) {
  ModelIdentity result;
  result.files.push_back({.name = std::move(name), .size = bytes.size()});
  result.files[0].header_bytes = header_bytes(file, 0, bytes.size());
  auto identity = identity_of(file, *whole_file_in_memory(result.files, bytes));
  CHECK(identity, identity.error().message());  // memory is read without errors
  result.identity = *std::move(identity);
  return result;
}

}  // namespace drystone
