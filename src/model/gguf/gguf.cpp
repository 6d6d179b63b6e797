#include "model/gguf/gguf.h"

#include <fmt/format.h>

#include <optional>
#include <unordered_map>

#include "model/gguf/header.h"
#include "model/gguf/mapped_file.h"
#include "model/gguf/split_name.h"

namespace drystone {

struct GgufFile::Impl {
  std::string name;
  std::vector<MappedFile> mappings;  // empty after parse()
  std::vector<std::filesystem::path> files;
  std::vector<std::span<const std::byte>> parts;
  Metadata metadata;  // of the first part
  std::vector<GgufTensor> tensors;
  std::unordered_map<std::string_view, std::size_t> index;

  Result<void> add_part(std::span<const std::byte> bytes, const std::string& part_name,
                        std::uint32_t part_count);
  Result<void> finish();
};

// Metadata other than split.* comes from the first part alone.
Result<void> GgufFile::Impl::add_part(std::span<const std::byte> bytes,
                                      const std::string& part_name, std::uint32_t part_count) {
  const auto part = static_cast<std::uint32_t>(parts.size());
  GgufHeader header = TRY(read_gguf_header(bytes, part_name));
  const auto expect = [&](std::string_view key, std::uint32_t expected) -> Result<void> {
    auto value = header.metadata.u32(key);
    if (!value) return std::move(value).error().with(part_name);
    if (*value == expected) return {};
    return Error(
        Errc::corrupt,
        fmt::format("{}: '{}' is {}, expected {}: the parts of a split model are named "
                    "NAME-00001-of-0000N.gguf and lie in one folder",
                    part_name, key, *value ? std::to_string(**value) : "missing", expected));
  };
  // A file that was never split says nothing of it.
  if (part_count > 1 || header.metadata.find("split.count") != nullptr) {
    TRY(expect("split.count", part_count));
    TRY(expect("split.no", part));
  }
  for (GgufTensor& tensor : header.tensors) {
    tensor.part = part;
    tensors.push_back(std::move(tensor));
  }
  if (part == 0) metadata = std::move(header.metadata);
  parts.push_back(bytes);
  return {};
}

Result<void> GgufFile::Impl::finish() {
  index.reserve(tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i)
    if (!index.emplace(tensors[i].name, i).second)
      return Error(Errc::corrupt, fmt::format("{}: the tensor {} stands in two parts", name,
                                              quote_name(tensors[i].name)));
  auto total = metadata.u32("split.tensors.count");
  if (!total) return std::move(total).error().with(name);
  if (*total && **total != tensors.size())
    return Error(Errc::corrupt,
                 fmt::format("{}: 'split.tensors.count' is {}, but the {} parts hold {} tensors",
                             name, **total, parts.size(), tensors.size()));
  return {};
}

Result<GgufFile> GgufFile::open(const std::filesystem::path& path) {
  auto impl = std::make_unique<Impl>();
  impl->name = path.string();
  const std::optional<SplitName> split = parse_split_name(path);
  const std::uint32_t count = split ? split->count : 1;
  for (std::uint32_t part = 0; part < count; ++part) {
    const std::filesystem::path file = split ? split->part(part) : path;
    auto mapping = MappedFile::open(file);
    if (!mapping)
      return count == 1
                 ? std::move(mapping).error()
                 : std::move(mapping).error().with(fmt::format("part {} of {}", part + 1, count));
    impl->mappings.push_back(std::move(*mapping));
    impl->files.push_back(file);
    TRY(impl->add_part(impl->mappings.back().bytes(), file.string(), count));
  }
  TRY(impl->finish());
  GgufFile file(std::move(impl));
  TRY(file.check_whole());
  return file;
}

Result<GgufFile> GgufFile::parse(std::span<const std::byte> bytes, std::string name) {
  auto impl = std::make_unique<Impl>();
  impl->name = std::move(name);
  TRY(impl->add_part(bytes, impl->name, 1));
  TRY(impl->finish());
  return GgufFile(std::move(impl));
}

GgufFile::GgufFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GgufFile::GgufFile(GgufFile&&) noexcept = default;
GgufFile& GgufFile::operator=(GgufFile&&) noexcept = default;
GgufFile::~GgufFile() = default;

const Metadata& GgufFile::metadata() const { return impl_->metadata; }
std::span<const GgufTensor> GgufFile::tensors() const { return impl_->tensors; }
const std::string& GgufFile::name() const { return impl_->name; }
std::span<const std::filesystem::path> GgufFile::files() const { return impl_->files; }

const GgufTensor* GgufFile::find(std::string_view name) const {
  const auto found = impl_->index.find(name);
  return found == impl_->index.end() ? nullptr : &impl_->tensors[found->second];
}

std::span<const std::byte> GgufFile::data(const GgufTensor& tensor) const {
  CHECK(tensor.part < impl_->parts.size(), tensor.part);
  return impl_->parts[tensor.part].subspan(tensor.offset, tensor.bytes);
}

Result<void> GgufFile::check_whole() const {
  for (const MappedFile& mapping : impl_->mappings) TRY(mapping.check_whole());
  return {};
}

void GgufFile::drop(std::span<const std::byte> bytes) const {
  // Any mapping will do: it is the addresses that count.
  if (!impl_->mappings.empty()) impl_->mappings.front().drop(bytes);
}

Bytes GgufFile::file_bytes() const {
  Bytes total = 0;
  for (const auto part : impl_->parts) total += part.size();
  return total;
}

}  // namespace drystone
