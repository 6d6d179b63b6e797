#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace drystone {

static_assert(std::endian::native == std::endian::little,
              "numbers go onto the wire as they stand in memory");

template <typename T>
concept WireNumber = std::same_as<T, std::uint8_t> || std::same_as<T, std::uint16_t> ||
                     std::same_as<T, std::uint32_t> || std::same_as<T, std::uint64_t> ||
                     std::same_as<T, std::int32_t> || std::same_as<T, float>;

// Appends fields to a message: numbers little endian without gaps, texts and lists behind a u32
// that counts them.
class WireWriter {
 public:
  template <WireNumber T>
  void number(T value) {
    append(std::as_bytes(std::span(&value, 1)));
  }
  // gcc 12 takes append() of a single byte for an overflow.
  void u8(std::uint8_t value) { bytes_.push_back(std::byte{value}); }
  void u16(std::uint16_t value) { number(value); }
  void u32(std::uint32_t value) { number(value); }
  void u64(std::uint64_t value) { number(value); }
  void i32(std::int32_t value) { number(value); }
  void f32(float value) { number(value); }

  void bytes(std::span<const std::byte> fixed) { append(fixed); }  // without a count
  void text(std::string_view text);                                // CHECK: shorter than 4 GiB
  void count(std::size_t items);  // of what follows, item by item; CHECK: under 2^32
  template <WireNumber T>
  void numbers(std::span<const T> values) {
    count(values.size());
    append(std::as_bytes(values));
  }

  std::span<const std::byte> written() const { return bytes_; }
  std::vector<std::byte> take() { return std::move(bytes_); }
  void clear() { bytes_.clear(); }

 private:
  void append(std::span<const std::byte> more) {
    bytes_.insert(bytes_.end(), more.begin(), more.end());
  }
  std::vector<std::byte> bytes_;
};

// Reads the fields of a message that a peer wrote. The first one that is not there, or is larger
// than allowed, makes all further ones 0 or empty, and finish() says what was wrong: so a parser
// reads straight down and asks once. Counts are checked against what is left, so a loop over
// count() ends and what it reserves is bounded by the message. Borrows the message for its life.
class WireReader {
 public:
  explicit WireReader(std::span<const std::byte> message) : message_(message) {}

  template <WireNumber T>
  T number() {
    T value = 0;
    const auto from = bytes(sizeof(T));
    if (!from.empty()) std::memcpy(&value, from.data(), sizeof(T));
    return value;
  }
  std::uint8_t u8() { return number<std::uint8_t>(); }
  std::uint16_t u16() { return number<std::uint16_t>(); }
  std::uint32_t u32() { return number<std::uint32_t>(); }
  std::uint64_t u64() { return number<std::uint64_t>(); }
  std::int32_t i32() { return number<std::int32_t>(); }
  float f32() { return number<float>(); }

  // A view of the next `size` bytes of the message; empty if they are not all there.
  std::span<const std::byte> bytes(std::size_t size);
  // Fills `out`, or leaves it.
  void copy(std::span<std::byte> out);
  // A view into the message; any bytes.
  std::string_view text(std::size_t bytes_max);
  // How many items follow, each of at least `item_bytes_min` (1 or more).
  std::size_t count(std::size_t items_max, std::size_t item_bytes_min);
  template <WireNumber T>
  std::vector<T> numbers(std::size_t items_max) {
    std::vector<T> values(count(items_max, sizeof(T)));
    copy(std::as_writable_bytes(std::span(values)));
    return values;
  }

  // A reader's own rule: what it read makes no sense. The first complaint stays.
  void refuse(std::string_view why);

  bool ok() const { return why_.empty(); }
  std::size_t left() const { return message_.size() - at_; }

  // Errors: corrupt (something was short, too large or refused, or bytes are left over).
  Result<void> finish() const;

 private:
  std::span<const std::byte> message_;
  std::size_t at_ = 0;
  std::string why_;  // empty: all well
};

}  // namespace drystone
