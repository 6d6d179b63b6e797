#include "model/chat_template/render.h"
#include "model/chat_template/text.h"

// What may follow `is`.

namespace drystone::jinja {

namespace {

const Value& operand(const Args& args, std::string_view test) {
  return *args.bind<1>(test, {"other"}, 1)[0];
}

bool is_sequence(const Value& v) {  // what has a length and can be indexed
  return v.is_string() || v.is(Type::dict) || v.is(Type::undefined) ||
         (v.is(Type::sequence) && v.sequence->kind <= SequenceKind::range);
}
bool is_iterable(const Value& v) {
  return v.is_string() || v.is(Type::dict) || v.is(Type::undefined) || v.is(Type::sequence);
}
bool divides(const Value& v, std::int64_t by) {
  const std::int64_t n = want_int(v, "what is tested for divisibility");
  if (by == 0) fail("division by zero");
  return by == -1 || n % by == 0;
}

using R = Renderer;
using V = Value;

const std::pair<std::string_view, Test> kTests[] = {
    {"defined", [](R&, const V& v, const Args&) { return !v.is(Type::undefined); }},
    {"undefined", [](R&, const V& v, const Args&) { return v.is(Type::undefined); }},
    {"none", [](R&, const V& v, const Args&) { return v.is(Type::none); }},
    {"boolean", [](R&, const V& v, const Args&) { return v.is(Type::boolean); }},
    {"true", [](R&, const V& v, const Args&) { return v.is(Type::boolean) && v.boolean; }},
    {"false", [](R&, const V& v, const Args&) { return v.is(Type::boolean) && !v.boolean; }},
    {"integer", [](R&, const V& v, const Args&) { return v.is(Type::integer); }},
    {"float", [](R&, const V& v, const Args&) { return v.is(Type::real); }},
    {"number", [](R&, const V& v, const Args&) { return v.is_number(); }},
    {"string", [](R&, const V& v, const Args&) { return v.is_string(); }},
    {"mapping", [](R&, const V& v, const Args&) { return v.is(Type::dict); }},
    {"sequence", [](R&, const V& v, const Args&) { return is_sequence(v); }},
    {"iterable", [](R&, const V& v, const Args&) { return is_iterable(v); }},
    {"callable",
     [](R&, const V& v, const Args&) {
       return v.is(Type::callable) || v.is(Type::loop) || v.is(Type::undefined);
     }},
    {"odd", [](R&, const V& v, const Args&) { return !divides(v, 2); }},
    {"even", [](R&, const V& v, const Args&) { return divides(v, 2); }},
    {"divisibleby",
     [](R&, const V& v, const Args& a) {
       return divides(v, want_int(operand(a, "divisibleby"), "the divisor"));
     }},
    {"in", [](R& r, const V& v, const Args& a) { return contains(r, operand(a, "in"), v); }},
    {"eq", [](R& r, const V& v, const Args& a) { return equal(r.heap, v, operand(a, "eq")); }},
    {"ne", [](R& r, const V& v, const Args& a) { return !equal(r.heap, v, operand(a, "ne")); }},
    {"lt", [](R& r, const V& v, const Args& a) { return less(r.heap, v, operand(a, "lt")); }},
    {"gt", [](R& r, const V& v, const Args& a) { return less(r.heap, operand(a, "gt"), v); }},
    {"le",
     [](R& r, const V& v, const Args& a) {
       return less(r.heap, v, operand(a, "le")) || equal(r.heap, v, operand(a, "le"));
     }},
    {"ge",
     [](R& r, const V& v, const Args& a) {
       return less(r.heap, operand(a, "ge"), v) || equal(r.heap, v, operand(a, "ge"));
     }},
    {"sameas",
     [](R& r, const V& v, const Args& a) {
       return v.type == operand(a, "sameas").type && equal(r.heap, v, operand(a, "sameas"));
     }},
    {"upper",
     [](R&, const V& v, const Args&) {
       return v.is_string() && upper(v.text()) == v.text() && lower(v.text()) != v.text();
     }},
    {"lower",
     [](R&, const V& v, const Args&) {
       return v.is_string() && lower(v.text()) == v.text() && upper(v.text()) != v.text();
     }},
    {"filter",
     [](R&, const V& v, const Args&) { return v.is_string() && find_filter(v.text()) != nullptr; }},
    {"test",
     [](R&, const V& v, const Args&) { return v.is_string() && find_test(v.text()) != nullptr; }},
};

constexpr std::pair<std::string_view, std::string_view> kAliases[] = {
    {"equalto", "eq"}, {"==", "eq"},          {"!=", "ne"}, {"<", "lt"}, {"lessthan", "lt"},
    {">", "gt"},       {"greaterthan", "gt"}, {"<=", "le"}, {">=", "ge"}};

}  // namespace

Test find_test(std::string_view name) {
  for (const auto& [alias, real] : kAliases) {
    if (alias == name) name = real;
  }
  for (const auto& [known, test] : kTests) {
    if (known == name) return test;
  }
  return nullptr;
}

}  // namespace drystone::jinja
