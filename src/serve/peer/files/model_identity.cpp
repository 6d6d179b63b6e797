#include "serve/peer/files/model_identity.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <vector>

#include "net/secret.h"
#include "net/wire.h"

namespace drystone {
namespace {

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

void add(WireWriter& all, const ModelFile& file, std::span<const std::byte> header) {
  all.u64(file.size);
  all.u64(file.header_bytes);
  all.bytes(sha256(header));
}

}  // namespace

Result<ModelIdentity> identify(const GgufFile& file) {
  ModelIdentity result;
  WireWriter all;
  std::uint32_t part = 0;
  for (const std::filesystem::path& path : file.files()) {
    std::error_code error;
    ModelFile one{.name = path.filename().string(),
                  .size = std::filesystem::file_size(path, error)};
    if (error) return Error(Errc::io, fmt::format("{}: {}", path.string(), error.message()));
    one.header_bytes = header_bytes(file, part++, one.size);
    std::vector<std::byte> header(one.header_bytes);
    std::ifstream in(path, std::ios::binary);
    if (!in.read(reinterpret_cast<char*>(header.data()),
                 static_cast<std::streamsize>(header.size())))
      return Error(Errc::io,
                   fmt::format("{}: cannot read its first {} bytes", path.string(), header.size()));
    add(all, one, header);
    result.files.push_back(std::move(one));
  }
  TRY(validate(result.files));
  result.identity = hex(sha256(all.written()));
  return result;
}

ModelIdentity identify(const GgufFile& file, std::span<const std::byte> bytes, std::string name) {
  ModelIdentity result;
  result.files.push_back({.name = std::move(name), .size = bytes.size()});
  result.files[0].header_bytes = header_bytes(file, 0, bytes.size());
  WireWriter all;
  add(all, result.files[0], bytes.first(result.files[0].header_bytes));
  result.identity = hex(sha256(all.written()));
  return result;
}

}  // namespace drystone
