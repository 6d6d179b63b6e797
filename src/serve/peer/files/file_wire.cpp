#include "serve/peer/files/file_wire.h"

#include <fmt/format.h>

#include "net/wire.h"

namespace drystone {
namespace {

constexpr std::size_t kMessageMax = 1000;
constexpr std::size_t kFileBytesMin = 4 + 8 + 8;
constexpr auto kLastCode = static_cast<std::uint8_t>(Errc::busy);

bool is_line(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  return true;
}

}  // namespace

std::vector<std::byte> encode_open(std::string_view identity) {
  WireWriter writer;
  writer.text(identity);
  return writer.take();
}

std::vector<std::byte> encode(const ModelFiles& files) {
  WireWriter writer;
  writer.count(files.size());
  for (const ModelFile& file : files) {
    writer.text(file.name);
    writer.u64(file.size);
    writer.u64(file.header_bytes);
  }
  return writer.take();
}

std::vector<std::byte> encode(const FileRead& read) {
  WireWriter writer;
  writer.u32(read.file);
  writer.u64(read.offset);
  writer.u32(read.bytes);
  return writer.take();
}

std::vector<std::byte> encode_failed(const Error& error) {
  WireWriter writer;
  writer.u8(static_cast<std::uint8_t>(error.code()));
  writer.text(std::string_view(error.message()).substr(0, kMessageMax));
  return writer.take();
}

Result<std::string> decode_open(std::span<const std::byte> payload) {
  WireReader reader(payload);
  std::string identity(reader.text(kIdentityTextMax));
  if (identity.empty() || !is_line(identity)) reader.refuse("no identity of a model");
  TRY(reader.finish());
  return identity;
}

Result<ModelFiles> decode_files(std::span<const std::byte> payload) {
  WireReader reader(payload);
  ModelFiles files(reader.count(kModelFilesMax, kFileBytesMin));
  for (ModelFile& file : files) {
    file.name = reader.text(kModelFileNameMax);
    file.size = reader.u64();
    file.header_bytes = reader.u64();
  }
  TRY(reader.finish());
  TRY(validate(files));
  return files;
}

Result<FileRead> decode_read(std::span<const std::byte> payload) {
  WireReader reader(payload);
  FileRead read{.file = reader.u32(), .offset = reader.u64(), .bytes = reader.u32()};
  if (read.bytes == 0 || read.bytes > kReadBytesMax || read.offset > kModelFileMax)
    reader.refuse("a range beyond the bounds");
  TRY(reader.finish());
  return read;
}

Error decode_failed(std::span<const std::byte> payload) {
  WireReader reader(payload);
  const std::uint8_t code = reader.u8();
  const std::string_view message = reader.text(kMessageMax);
  if (code > kLastCode || !is_line(message)) reader.refuse("no error");
  if (const auto read = reader.finish(); !read) return read.error();
  return {static_cast<Errc>(code), std::string(message)};
}

}  // namespace drystone
