#include "engine/constraint/expression.h"

#include <fmt/format.h>

#include "engine/constraint/limits.h"

namespace drystone::constraint {

namespace {

// Characters that an expression writes, larger repetitions counted once.
std::size_t size_of(const Expression& expression) {
  std::size_t size =
      expression.kind == Expression::Kind::set || expression.kind == Expression::Kind::rule;
  for (const Expression& part : expression.parts) size += size_of(part);
  if (expression.kind != Expression::Kind::repeat) return size;
  const std::size_t copies = expression.max == kUnbounded ? expression.min + 1 : expression.max;
  return size * copies <= kWrittenOutMax ? size * copies : 1;
}

class Writer {
 public:
  Writer(Grammar& grammar, RuleId id, Encoding encoding)
      : grammar_(grammar), id_(id), encoding_(encoding) {}

  Result<NfaState> write(const Expression& expression, NfaState from) {
    if (++written_ > kNfaEdgesMax || rule().states.size() > kNfaEdgesMax) {
      return Error(Errc::limit, fmt::format("{} is too large: {} states so far, at most {}",
                                            rule().name, rule().states.size(), kNfaEdgesMax));
    }
    switch (expression.kind) {
      case Expression::Kind::sequence:
        for (const Expression& part : expression.parts) from = TRY(write(part, from));
        return from;
      case Expression::Kind::choice: {
        const NfaState end = rule().add_state();
        for (const Expression& part : expression.parts) {
          // A state of its own: a loop at the beginning of one part must not lead into another.
          const NfaState begin = rule().add_state();
          rule().add_nothing(from, begin);
          const NfaState part_end = TRY(write(part, begin));  // may move the rules
          rule().add_nothing(part_end, end);
        }
        return end;
      }
      case Expression::Kind::set: {
        const NfaState end = rule().add_state();
        rule().add_set(from, expression.set, encoding_, end);
        return end;
      }
      case Expression::Kind::rule: {
        const NfaState end = rule().add_state();
        rule().add_call(from, expression.rule, end);
        return end;
      }
      case Expression::Kind::repeat:
        return write_repeat(expression, from);
    }
    return from;
  }

 private:
  Rule& rule() { return grammar_.rule(id_); }

  Result<NfaState> write_repeat(const Expression& expression, NfaState from) {
    const Expression& part = expression.parts[0];
    if (expression.max == 0) return from;
    const bool unbounded = expression.max == kUnbounded;
    const std::size_t copies = unbounded ? expression.min : expression.max;
    if (copies > 1 && copies * size_of(part) > kWrittenOutMax) {
      from = TRY(
          write_counted(part, expression.min, unbounded ? expression.min : expression.max, from));
    } else {
      for (std::uint32_t i = 0; i < expression.min; ++i) from = TRY(write(part, from));
      if (!unbounded) {
        const NfaState end = rule().add_state();
        for (std::uint32_t i = expression.min; i < expression.max; ++i) {
          rule().add_nothing(from, end);
          from = TRY(write(part, from));
        }
        rule().add_nothing(from, end);
        return end;
      }
    }
    if (!unbounded) return from;
    const NfaState loop = rule().add_state(), end = rule().add_state();
    rule().add_nothing(from, loop);
    rule().add_nothing(loop, end);
    const NfaState part_end = TRY(write(part, loop));
    rule().add_nothing(part_end, loop);
    return end;
  }

  Result<NfaState> write_counted(const Expression& part, std::uint32_t min, std::uint32_t max,
                                 NfaState from) {
    if (grammar_.size() >= kRulesMax) {
      return Error(Errc::limit, fmt::format("the constraint has more than {} rules", kRulesMax));
    }
    const RuleId body = grammar_.add_rule(rule().name);
    const NfaState body_end = TRY(constraint::write(grammar_, body, part, Rule::kStart, encoding_));
    grammar_.rule(body).add_nothing(body_end, Rule::kEnd);
    const RuleId repeat = grammar_.add_repeat(rule().name, body, min, max);
    const NfaState end = rule().add_state();
    rule().add_call(from, repeat, end);
    return end;
  }

  Grammar& grammar_;
  RuleId id_;
  Encoding encoding_;
  std::size_t written_ = 0;
};

}  // namespace

Result<NfaState> write(Grammar& grammar, RuleId id, const Expression& expression, NfaState from,
                       Encoding encoding) {
  return Writer(grammar, id, encoding).write(expression, from);
}

}  // namespace drystone::constraint
