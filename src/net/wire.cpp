#include "net/wire.h"

#include <fmt/format.h>

#include <limits>

#include "base/check.h"

namespace drystone {

void WireWriter::text(std::string_view text) {
  count(text.size());
  append(std::as_bytes(std::span(text)));
}

void WireWriter::count(std::size_t items) {
  CHECK(items <= std::numeric_limits<std::uint32_t>::max(), items);
  u32(static_cast<std::uint32_t>(items));
}

std::span<const std::byte> WireReader::bytes(std::size_t size) {
  if (!ok()) return {};
  if (size > left()) {
    refuse(fmt::format("a field of {} bytes where {} are left", size, left()));
    return {};
  }
  at_ += size;
  return message_.subspan(at_ - size, size);
}

void WireReader::copy(std::span<std::byte> out) {
  const auto from = bytes(out.size());
  if (!from.empty()) std::memcpy(out.data(), from.data(), from.size());
}

std::string_view WireReader::text(std::size_t bytes_max) {
  const auto view = bytes(count(bytes_max, 1));
  return {reinterpret_cast<const char*>(view.data()), view.size()};
}

std::size_t WireReader::count(std::size_t items_max, std::size_t item_bytes_min) {
  CHECK(item_bytes_min > 0);
  const std::size_t items = u32();
  if (items > items_max)
    refuse(fmt::format("a list or text of {}, at most {} are allowed", items, items_max));
  if (items > left() / item_bytes_min)
    refuse(fmt::format("a list or text of {} where {} bytes are left", items, left()));
  return ok() ? items : 0;
}

void WireReader::refuse(std::string_view why) {
  if (ok()) why_ = fmt::format("at byte {} of {}: {}", at_, message_.size(), why);
}

Result<void> WireReader::finish() const {
  if (!ok()) return Error(Errc::corrupt, why_);
  if (left() != 0)
    return Error(Errc::corrupt, fmt::format("{} bytes behind the last field", left()));
  return {};
}

}  // namespace drystone
