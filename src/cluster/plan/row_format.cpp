#include "cluster/plan/row_format.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"

namespace drystone {
namespace {

constexpr Bytes kBlock = 32;
constexpr std::pair<RowFormat, std::string_view> kNames[] = {
    {RowFormat::f32, "f32"}, {RowFormat::f16, "f16"}, {RowFormat::q8, "q8"}};

}  // namespace

std::string_view to_string(RowFormat format) {
  for (const auto& [known, name] : kNames)
    if (known == format) return name;
  CHECK(false, static_cast<int>(format));
}

Result<RowFormat> row_format_from(std::string_view name) {
  for (const auto& [format, known] : kNames)
    if (name == known) return format;
  return Error(Errc::invalid_argument,
               fmt::format("rows between stages cannot be \"{}\": f32, f16 or q8", name));
}

Bytes row_bytes(RowFormat format, Bytes width) {
  switch (format) {
    case RowFormat::f32:
      return width * 4;
    case RowFormat::f16:
      return width * 2;
    case RowFormat::q8:
      return width + (width + kBlock - 1) / kBlock * 2;
  }
  CHECK(false, static_cast<int>(format));
}

}  // namespace drystone
