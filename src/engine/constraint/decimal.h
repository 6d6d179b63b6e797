#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "engine/constraint/grammar.h"

namespace drystone::constraint {

constexpr std::size_t kIntegerDigitsMax = 18;  // so that integers fit into 64 bits
constexpr std::size_t kFractionDigitsMax = 16;

// A number as it is written: no leading zeros but in "0", no trailing zeros of the fraction.
struct Decimal {
  bool negative = false;
  std::string integer = "0", fraction;

  bool zero() const { return integer == "0" && fraction.empty(); }
};

// Beyond 18 digits: the nearest number of 18 digits. Fractions beyond 16 digits are cut.
Decimal to_decimal(double value);
Decimal to_decimal(std::int64_t value);
int compare(const Decimal& a, const Decimal& b);

struct DecimalBound {
  Decimal value;
  bool inclusive = true;
};

// Adds every way to write a number between the bounds to `rule`, from one state to another: no
// exponent, at most 18 digits, and 16 of a fraction where there may be one. Without a fraction the
// bounds must be inclusive integers.
void add_decimals(Rule& rule, NfaState from, NfaState to, const std::optional<DecimalBound>& low,
                  const std::optional<DecimalBound>& high, bool fraction);

}  // namespace drystone::constraint
