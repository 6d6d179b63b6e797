#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace drystone::reply {

// Reads one JSON value as a model writes it, piece by piece. What it lets through is at any time
// the beginning of a valid JSON value. Two habits of models are mended, since their meaning is
// clear: control characters inside a string become escapes, and a backslash that begins no escape
// becomes an escaped backslash.
class JsonScanner {
 public:
  enum class Status {
    open,    // more is to come; a number outside of any brackets always waits for what follows
    whole,   // the value is complete
    broken,  // the next character cannot stand here
  };
  static constexpr std::size_t kDepthMax = 256;

  // Reads from the beginning of `text` as long as it is open; appends what it lets through to
  // `out`. Returns the number of bytes read; what follows does not belong to the value.
  std::size_t scan(std::string_view text, std::string& out);
  // The text ends here: a number may be whole.
  void end();
  Status status() const { return status_; }

 private:
  enum class Expect : std::uint8_t {
    value,
    value_or_close,  // after [
    key_or_close,    // after {
    key,             // after , in an object
    colon,
    comma_or_close,
    string,
    escape,   // after a backslash
    hex,      // after \u
    literal,  // within true, false, null
    minus,    // the rest: within a number
    zero,
    integer,
    point,
    fraction,
    exponent,
    exponent_sign,
    exponent_digits,
  };

  bool take(char c, std::string& out);  // false: not consumed; look at status_ and try again
  bool take_value(char c, std::string& out);
  bool take_number(char c, std::string& out);
  void take_in_string(char c, std::string& out);
  bool take_escaped(char c, std::string& out);
  bool take_hex(char c, std::string& out);
  bool open_bracket(char c, std::string& out);
  bool close_bracket(char c, std::string& out);
  bool number_may_end() const;
  void value_done();
  bool broken();

  Status status_ = Status::open;
  Expect expect_ = Expect::value;
  std::string brackets_;      // the open ones
  bool is_key_ = false;       // the string being read
  std::string hex_;           // the digits after \u so far
  std::string_view literal_;  // what is left of it
};

}  // namespace drystone::reply
