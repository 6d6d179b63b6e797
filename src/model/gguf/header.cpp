#include "model/gguf/header.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <string_view>
#include <unordered_set>

namespace drystone {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF values are copied as they stand");

constexpr std::uint64_t kNameBytesMax = 65535;  // of a key or a tensor's name
constexpr std::uint64_t kKeyBytesMin =
    8 + 1 + 4 + 1;  // length, one character, type, the smallest value
constexpr std::uint64_t kTensorBytesMin = 8 + 1 + 4 + 8 + 4 + 8;
constexpr std::uint32_t kDimsMax = 4;
constexpr std::uint32_t kAlignmentMin = 8;

// Bytes of a value of fixed size; 0 for strings, arrays and unknown numbers.
std::uint64_t fixed_bytes(std::uint32_t type) {
  static constexpr std::uint8_t kBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return type < std::size(kBytes) ? kBytes[type] : 0;
}

std::string unknown_dtype(std::uint32_t number) {
  static constexpr std::uint32_t kRemoved[] = {4, 5, 31, 32, 33, 36, 37, 38};
  if (std::ranges::count(kRemoved, number) > 0)
    return fmt::format("type {} was removed from the format; get a newer conversion of the model",
                       number);
  if (number >= 97)
    return fmt::format("type {} is an extension of ik_llama.cpp, which is not supported", number);
  return fmt::format("type {} is unknown", number);
}

class HeaderReader {
 public:
  HeaderReader(std::span<const std::byte> file, const std::string& name)
      : file_(file), name_(name) {}

  Result<GgufHeader> read() {
    TRY(read_start());
    for (std::uint64_t i = 0; i < keys_; ++i) TRY(read_key(i));
    TRY(read_alignment());
    for (std::uint64_t i = 0; i < tensors_; ++i) TRY(read_tensor(i));
    TRY(place_tensors());
    return std::move(header_);
  }

 private:
  std::uint64_t remaining() const { return file_.size() - at_; }

  template <typename... Args>
  Error error(Errc code, fmt::format_string<Args...> format, Args&&... args) const {
    return {code, name_ + ": " + fmt::format(format, std::forward<Args>(args)...)};
  }
  template <typename... Args>
  Error corrupt(fmt::format_string<Args...> format, Args&&... args) const {
    return error(Errc::corrupt, format, std::forward<Args>(args)...);
  }
  Error truncated(std::string_view field, std::uint64_t bytes) const {
    return corrupt(
        "{} takes {} bytes at offset {}, but the file has only {} more: it is truncated or damaged",
        field, bytes, at_, remaining());
  }

  template <typename T>
  bool take(T& value) {
    if (remaining() < sizeof(T)) return false;
    std::memcpy(&value, file_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return true;
  }
  template <typename T>
  Result<T> fixed(std::string_view field) {
    T value{};
    if (!take(value)) return truncated(field, sizeof(T));
    return value;
  }

  // `field` is called for its text only when something is wrong: there are hundreds of thousands of
  // strings.
  template <typename Field>
  Result<std::string> string(std::uint64_t bytes_max, const Field& field) {
    std::uint64_t length = 0;
    if (!take(length)) return truncated(fmt::format("the length of {}", field()), sizeof length);
    if (length > bytes_max)
      return corrupt("the length of {} is {}, expected at most {}", field(), length, bytes_max);
    if (length > remaining()) return truncated(field(), length);
    std::string text(reinterpret_cast<const char*>(file_.data() + at_), length);
    at_ += length;
    return text;
  }

  Result<void> read_start() {
    if (TRY(fixed<std::uint32_t>("the magic")) != kGgufMagic)
      return corrupt("the magic is {}, expected \"GGUF\": this is not a GGUF file",
                     quote_name({reinterpret_cast<const char*>(file_.data()), 4}));
    const auto version = TRY(fixed<std::uint32_t>("the version"));
    if (version != kGgufVersion)
      return error(Errc::unsupported, "the version is {}, expected {}{}", version, kGgufVersion,
                   version == std::uint32_t{kGgufVersion} << 24 ? ": the file is big-endian" : "");
    tensors_ = TRY(fixed<std::uint64_t>("the tensor count"));
    keys_ = TRY(fixed<std::uint64_t>("the key count"));
    if (keys_ > remaining() / kKeyBytesMin)
      return corrupt("the key count is {}, expected at most {} in the {} bytes that follow", keys_,
                     remaining() / kKeyBytesMin, remaining());
    if (tensors_ > remaining() / kTensorBytesMin)
      return corrupt("the tensor count is {}, expected at most {} in the {} bytes that follow",
                     tensors_, remaining() / kTensorBytesMin, remaining());
    return {};
  }

  Result<void> read_key(std::uint64_t index) {
    std::string key = TRY(string(
        kNameBytesMax, [&] { return fmt::format("the name of key {} of {}", index + 1, keys_); }));
    if (key.empty()) return corrupt("the name of key {} of {} is empty", index + 1, keys_);
    const std::string field = quote_name(key);
    if (header_.metadata.find(key) != nullptr) return corrupt("the key {} stands twice", field);
    const auto type = TRY(fixed<std::uint32_t>("the type of " + field));
    header_.metadata.set(std::move(key), TRY(read_value(type, field)));
    return {};
  }

  Result<MetadataValue> read_value(std::uint32_t type, const std::string& field) {
    if (type == static_cast<std::uint32_t>(GgufValueType::string))
      return MetadataValue(TRY(string(kNoMax, [&] { return field; })));
    if (type == static_cast<std::uint32_t>(GgufValueType::array))
      return MetadataValue(TRY(read_array(field)));
    const std::uint64_t bytes = fixed_bytes(type);
    if (bytes == 0) return corrupt("the type of {} is {}, expected 0 to 12", field, type);
    if (remaining() < bytes) return truncated(field, bytes);
    // A scalar is read as an array of one.
    return std::visit(
        [](const auto& values) -> MetadataValue {
          if constexpr (std::is_same_v<decltype(values), const std::vector<std::string>&>)
            return std::string();
          else
            return MetadataValue(
                std::in_place_type<typename std::decay_t<decltype(values)>::value_type>, values[0]);
        },
        TRY(fixed_array(static_cast<GgufValueType>(type), 1, field)));
  }

  Result<MetadataArray> read_array(const std::string& field) {
    const auto type = TRY(fixed<std::uint32_t>("the element type of " + field));
    const auto count = TRY(fixed<std::uint64_t>("the element count of " + field));
    if (type == static_cast<std::uint32_t>(GgufValueType::array))
      return error(Errc::unsupported, "{} is an array of arrays, which no known model uses", field);
    const bool strings = type == static_cast<std::uint32_t>(GgufValueType::string);
    const std::uint64_t bytes = strings ? sizeof(std::uint64_t) : fixed_bytes(type);
    if (bytes == 0) return corrupt("the element type of {} is {}, expected 0 to 12", field, type);
    if (count > remaining() / bytes)
      return corrupt(
          "the element count of {} is {}, expected at most {} in the {} bytes that follow", field,
          count, remaining() / bytes, remaining());
    if (!strings) return fixed_array(static_cast<GgufValueType>(type), count, field);
    std::vector<std::string> values;
    values.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i)
      values.push_back(
          TRY(string(kNoMax, [&] { return fmt::format("element {} of {}", i, field); })));
    return MetadataArray(std::move(values));
  }

  // The caller has checked that the bytes are there.
  Result<MetadataArray> fixed_array(GgufValueType type, std::uint64_t count,
                                    const std::string& field) {
    switch (type) {
      case GgufValueType::u8:
        return widened<std::uint8_t, std::int64_t>(count);
      case GgufValueType::i8:
        return widened<std::int8_t, std::int64_t>(count);
      case GgufValueType::u16:
        return widened<std::uint16_t, std::int64_t>(count);
      case GgufValueType::i16:
        return widened<std::int16_t, std::int64_t>(count);
      case GgufValueType::u32:
        return widened<std::uint32_t, std::int64_t>(count);
      case GgufValueType::i32:
        return widened<std::int32_t, std::int64_t>(count);
      case GgufValueType::u64:
        return widened<std::uint64_t, std::int64_t>(count);
      case GgufValueType::i64:
        return widened<std::int64_t, std::int64_t>(count);
      case GgufValueType::f32:
        return widened<float, double>(count);
      case GgufValueType::f64:
        return widened<double, double>(count);
      case GgufValueType::boolean:
        break;
      case GgufValueType::string:
      case GgufValueType::array:
        CHECK(false, field);
    }
    std::vector<bool> values(count);
    for (std::uint64_t i = 0; i < count; ++i) {
      std::uint8_t value = 0;
      CHECK(take(value));
      if (value > 1) return corrupt("a bool of {} is {}, expected 0 or 1", field, value);
      values[i] = value == 1;
    }
    return MetadataArray(std::move(values));
  }

  template <typename Stored, typename Wide>
  MetadataArray widened(std::uint64_t count) {
    std::vector<Wide> values(count);
    for (auto& value : values) {
      Stored stored{};
      CHECK(take(stored));
      value = static_cast<Wide>(stored);
    }
    return values;
  }

  Result<void> read_alignment() {
    auto alignment = header_.metadata.u32("general.alignment");
    if (!alignment) return std::move(alignment).error().with(name_);
    alignment_ = alignment->value_or(kGgufAlignment);
    if (!std::has_single_bit(alignment_) || alignment_ < kAlignmentMin)
      return corrupt("'general.alignment' is {}, expected a power of two of at least {}",
                     alignment_, kAlignmentMin);
    return {};
  }

  Result<void> read_tensor(std::uint64_t index) {
    GgufTensor tensor;
    tensor.name = TRY(string(kNameBytesMax, [&] {
      return fmt::format("the name of tensor {} of {}", index + 1, tensors_);
    }));
    if (tensor.name.empty())
      return corrupt("the name of tensor {} of {} is empty", index + 1, tensors_);
    const std::string field = "tensor " + quote_name(tensor.name);
    tensor.n_dims = TRY(fixed<std::uint32_t>("the number of dimensions of " + field));
    if (tensor.n_dims < 1 || tensor.n_dims > kDimsMax)
      return corrupt("the number of dimensions of {} is {}, expected 1 to {}", field, tensor.n_dims,
                     kDimsMax);
    for (std::uint32_t d = 0; d < tensor.n_dims; ++d)
      tensor.dims[d] = TRY(fixed<std::uint64_t>(fmt::format("dimension {} of {}", d, field)));
    const auto type = TRY(fixed<std::uint32_t>("the type of " + field));
    const DTypeInfo* info = find_dtype(type);
    if (info == nullptr) return error(Errc::unsupported, "{}: {}", field, unknown_dtype(type));
    tensor.type = info->type;
    tensor.offset = TRY(fixed<std::uint64_t>("the offset of " + field));
    tensor.bytes = TRY(tensor_bytes(tensor, *info, field));
    header_.tensors.push_back(std::move(tensor));
    return {};
  }

  Result<Bytes> tensor_bytes(const GgufTensor& tensor, const DTypeInfo& info,
                             const std::string& field) const {
    const auto shape = [&] {
      return fmt::format("{}", fmt::join(tensor.dims, tensor.dims + tensor.n_dims, ", "));
    };
    if (std::ranges::count(tensor.dims, 0u) > 0)
      return corrupt("the shape of {} is [{}], expected no dimension of 0", field, shape());
    if (tensor.dims[0] % info.block_elems != 0)
      return corrupt("the shape of {} is [{}], expected rows of a multiple of {}, the block of {}",
                     field, shape(), info.block_elems, info.name);
    std::uint64_t elems = 1, bytes = 0;
    bool overflow = false;
    for (const std::uint64_t dim : tensor.dims)
      overflow |= __builtin_mul_overflow(elems, dim, &elems);
    overflow |=
        __builtin_mul_overflow(elems / info.block_elems, std::uint64_t{info.block_bytes}, &bytes);
    if (overflow || elems > std::uint64_t{std::numeric_limits<std::int64_t>::max()})
      return corrupt("the shape of {} is [{}], expected fewer than 2^63 elements and bytes", field,
                     shape());
    return bytes;
  }

  // Offsets in the file count from the end of the header, rounded up to the alignment.
  Result<void> place_tensors() {
    const std::uint64_t start = (at_ + alignment_ - 1) / alignment_ * alignment_;
    for (GgufTensor& tensor : header_.tensors) {
      if (tensor.offset % alignment_ != 0)
        return corrupt("the offset of tensor {} is {}, expected a multiple of the alignment {}",
                       quote_name(tensor.name), tensor.offset, alignment_);
      std::uint64_t end = 0;
      if (__builtin_add_overflow(tensor.offset, start, &tensor.offset) ||
          __builtin_add_overflow(tensor.offset, tensor.bytes, &end) || end > file_.size())
        return corrupt(
            "the data of tensor {} is {} bytes at offset {}, but the file ends at {}: it is "
            "truncated or damaged",
            quote_name(tensor.name), tensor.bytes, tensor.offset, file_.size());
    }
    return check_disjoint();
  }

  Result<void> check_disjoint() const {
    std::vector<const GgufTensor*> order;
    std::unordered_set<std::string_view> names;
    for (const GgufTensor& tensor : header_.tensors) {
      order.push_back(&tensor);
      if (!names.insert(tensor.name).second)
        return corrupt("the tensor {} stands twice", quote_name(tensor.name));
    }
    std::ranges::sort(order, {}, &GgufTensor::offset);
    for (std::size_t i = 1; i < order.size(); ++i)
      if (order[i]->offset < order[i - 1]->offset + order[i - 1]->bytes)
        return corrupt("the data of tensor {} at offset {} overlaps that of {}, which ends at {}",
                       quote_name(order[i]->name), order[i]->offset, quote_name(order[i - 1]->name),
                       order[i - 1]->offset + order[i - 1]->bytes);
    return {};
  }

  static constexpr std::uint64_t kNoMax = std::numeric_limits<std::uint64_t>::max();

  std::span<const std::byte> file_;
  const std::string& name_;
  std::uint64_t at_ = 0;
  std::uint64_t keys_ = 0, tensors_ = 0;
  std::uint32_t alignment_ = kGgufAlignment;
  GgufHeader header_;
};

}  // namespace

Result<GgufHeader> read_gguf_header(std::span<const std::byte> file, const std::string& name) {
  return HeaderReader(file, name).read();
}

std::string quote_name(std::string_view text) {
  constexpr std::size_t kShown = 64;
  std::string out = "'";
  for (const char c : text.substr(0, kShown)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  }
  return out + (text.size() > kShown ? "...'" : "'");
}

}  // namespace drystone
