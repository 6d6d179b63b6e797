#include "engine/constraint/decimal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

namespace drystone::constraint {

namespace {

int compare_magnitude(const Decimal& a, const Decimal& b) {
  if (a.integer.size() != b.integer.size()) return a.integer.size() < b.integer.size() ? -1 : 1;
  if (const int order = a.integer.compare(b.integer); order != 0) return order;
  return a.fraction.compare(b.fraction);  // no trailing zeros: a prefix is less
}

// Numbers without sign, digit by digit. A state knows whether all digits so far are those of the
// lower or of the upper bound; if not, the bound is already kept.
class UnsignedWriter {
 public:
  UnsignedWriter(Rule& rule, NfaState to, DecimalBound low, std::optional<DecimalBound> high,
                 bool fraction)
      : rule_(rule), to_(to), low_(std::move(low)), high_(std::move(high)), fraction_(fraction) {}

  void write(NfaState from) {
    const std::size_t longest = high_ ? high_->value.integer.size() : kIntegerDigitsMax;
    for (std::size_t length = low_.value.integer.size(); length <= longest; ++length) {
      length_ = length;
      states_.clear();
      write_integer(from, 0, length == low_.value.integer.size(),
                    high_ && length == high_->value.integer.size());
    }
  }

 private:
  using Key = std::tuple<bool, std::size_t, bool, bool>;

  // The state for a key; true if it is new and still to be written.
  std::pair<NfaState, bool> state(const Key& key) {
    const auto [at, is_new] = states_.try_emplace(key, 0);
    if (is_new) at->second = rule_.add_state();
    return {at->second, is_new};
  }

  static char digit_at(const std::string& digits, std::size_t at) {
    return at < digits.size() ? digits[at] : '0';
  }

  void add_digits(NfaState from, char first, char last, NfaState to) {
    if (first <= last)
      rule_.add_bytes(from, static_cast<std::uint8_t>(first), static_cast<std::uint8_t>(last), to);
  }

  // Calls `next(first, last, at_low, at_high)` for the digits that may stand at a place.
  template <typename Next>
  void for_digits(char low, char high, bool at_low, bool at_high, char least, const Next& next) {
    const char first = std::max(at_low ? low : '0', least), last = at_high ? high : '9';
    for (char digit = first; digit <= last; ++digit) {
      const bool stays_low = at_low && digit == low, stays_high = at_high && digit == high;
      char run = digit;
      if (!stays_low && !stays_high)
        while (run < last && !(at_high && run + 1 == high)) ++run;
      next(digit, run, stays_low, stays_high);
      digit = run;
    }
  }

  void write_integer(NfaState from, std::size_t place, bool at_low, bool at_high) {
    if (place == length_) return write_integer_end(from, at_low, at_high);
    for_digits(digit_at(low_.value.integer, place),
               high_ ? digit_at(high_->value.integer, place) : '9', at_low, at_high,
               place == 0 && length_ > 1 ? '1' : '0',
               [&](char first, char last, bool stays_low, bool stays_high) {
                 const auto [next, is_new] = state({false, place + 1, stays_low, stays_high});
                 add_digits(from, first, last, next);
                 if (is_new) write_integer(next, place + 1, stays_low, stays_high);
               });
  }

  // Is the number complete with `digits` places of a fraction?
  bool may_end(std::size_t digits, bool at_low, bool at_high) const {
    if (at_low && (digits < low_.value.fraction.size() || !low_.inclusive)) return false;
    return !at_high || digits < high_->value.fraction.size() || high_->inclusive;
  }

  void write_integer_end(NfaState from, bool at_low, bool at_high) {
    if (may_end(0, at_low, at_high)) rule_.add_nothing(from, to_);
    if (!fraction_) return;
    const auto [point, is_new] = state({true, 0, at_low, at_high});
    rule_.add_bytes(from, '.', '.', point);
    if (is_new) write_fraction(point, 0, at_low, at_high);
  }

  void write_fraction(NfaState from, std::size_t place, bool at_low, bool at_high) {
    if (place > 0 && may_end(place, at_low, at_high)) rule_.add_nothing(from, to_);
    if (place == kFractionDigitsMax) return;
    for_digits(digit_at(low_.value.fraction, place),
               high_ ? digit_at(high_->value.fraction, place) : '9', at_low, at_high, '0',
               [&](char first, char last, bool stays_low, bool stays_high) {
                 const auto [next, is_new] = state({true, place + 1, stays_low, stays_high});
                 add_digits(from, first, last, next);
                 if (is_new) write_fraction(next, place + 1, stays_low, stays_high);
               });
  }

  Rule& rule_;
  NfaState to_;
  DecimalBound low_;
  std::optional<DecimalBound> high_;
  bool fraction_;
  std::size_t length_ = 0;
  std::map<Key, NfaState> states_;
};

DecimalBound magnitude(const DecimalBound& bound) {
  return {{false, bound.value.integer, bound.value.fraction}, bound.inclusive};
}

}  // namespace

Decimal to_decimal(std::int64_t value) {
  constexpr std::int64_t kLargest = 999'999'999'999'999'999;
  value = std::clamp(value, -kLargest, kLargest);
  return {value < 0, std::to_string(value < 0 ? -value : value), ""};
}

Decimal to_decimal(double value) {
  if (std::abs(value) >= 1e18) return to_decimal(value < 0 ? INT64_MIN : INT64_MAX);
  // The shortest digits that stand for this double, then the point moved by the exponent.
  std::string text = fmt::format("{}", std::abs(value));
  int exponent = 0;
  if (const std::size_t e = text.find('e'); e != std::string::npos) {
    exponent = std::atoi(text.c_str() + e + 1);
    text.resize(e);
  }
  const std::size_t point = std::min(text.find('.'), text.size());
  std::string digits = text.substr(0, point);
  if (point < text.size()) digits += text.substr(point + 1);
  const int places = static_cast<int>(point) + exponent;
  if (places < 1) digits.insert(0, static_cast<std::size_t>(std::min(1 - places, 400)), '0');
  const auto split = static_cast<std::size_t>(std::max(places, 1));
  if (digits.size() < split) digits.append(split - digits.size(), '0');
  Decimal made = {value < 0, digits.substr(0, split), digits.substr(split, kFractionDigitsMax)};
  made.integer.erase(0, std::min(made.integer.find_first_not_of('0'), made.integer.size() - 1));
  while (made.fraction.ends_with('0')) made.fraction.pop_back();
  if (made.zero()) made.negative = false;
  return made;
}

int compare(const Decimal& a, const Decimal& b) {
  if (a.negative != b.negative) return a.negative ? -1 : 1;
  return a.negative ? compare_magnitude(b, a) : compare_magnitude(a, b);
}

void add_decimals(Rule& rule, NfaState from, NfaState to, const std::optional<DecimalBound>& low,
                  const std::optional<DecimalBound>& high, bool fraction) {
  const DecimalBound zero;
  const bool high_is_positive = !high || (!high->value.negative && !high->value.zero());
  if (!low || low->value.negative) {
    const NfaState sign = rule.add_state();
    rule.add_bytes(from, '-', '-', sign);
    DecimalBound least = high_is_positive ? zero : magnitude(*high);
    if (!fraction && least.value.zero()) least.value.integer = "1";
    std::optional<DecimalBound> most;
    if (low) most = magnitude(*low);
    UnsignedWriter(rule, to, least, most, fraction).write(sign);
  }
  if (high_is_positive || high->value.zero()) {
    const DecimalBound least = low && !low->value.negative ? *low : zero;
    UnsignedWriter(rule, to, least, high, fraction).write(from);
  }
}

}  // namespace drystone::constraint
