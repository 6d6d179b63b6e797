#include "serve/constraint_cache.h"

#include <algorithm>

namespace drystone {

namespace {

// Tells any two specs apart.
std::string key_of(const ConstraintSpec& spec) {
  std::string key = std::to_string(static_cast<int>(spec.kind)) + " " + spec.text;
  for (const std::string& choice : spec.choices)
    key += " " + std::to_string(choice.size()) + ":" + choice;
  for (const auto& [rule, schema] : spec.schemas)
    key += " " + std::to_string(rule.size()) + ":" + rule + std::to_string(schema.size()) + ":" +
           schema;
  return key;
}

}  // namespace

ConstraintSpec to_spec(const Constraint& constraint) {
  using From = Constraint::Kind;
  using To = ConstraintSpec::Kind;
  switch (constraint.kind) {
    case From::json_schema:
      return {.kind = To::json_schema, .text = boost::json::serialize(constraint.schema)};
    case From::regex:
      return {.kind = To::regex, .text = constraint.text};
    case From::choice:
      return {.kind = To::choice, .choices = constraint.choices};
    case From::grammar:
      return {.kind = To::gbnf, .text = constraint.text};
    case From::json_object:
    case From::none:
      break;
  }
  return {.kind = To::json_object};
}

Result<std::shared_ptr<const CompiledConstraint>> ConstraintCache::compile(
    const ConstraintSpec& spec, std::shared_ptr<const ConstraintVocabulary> vocabulary) {
  // The same text over other tokens is another constraint.
  std::string key = std::to_string(vocabulary->visible().size()) + "/" + key_of(spec);
  {
    const std::lock_guard lock(mutex_);
    const auto found =
        std::find_if(kept_.begin(), kept_.end(), [&](const Kept& kept) { return kept.key == key; });
    if (found != kept_.end()) {
      kept_.splice(kept_.begin(), kept_, found);
      make_room();
      return kept_.front().constraint;
    }
  }
  auto constraint = TRY(drystone::compile(spec, std::move(vocabulary)));
  const std::lock_guard lock(mutex_);
  kept_.push_front({std::move(key), constraint});
  make_room();
  return constraint;
}

void ConstraintCache::make_room() {
  std::size_t bytes = 0, count = 0;
  const auto first_to_go = std::find_if(kept_.begin(), kept_.end(), [&](const Kept& kept) {
    bytes += kept.key.size() + kept.constraint->bytes();
    return ++count > 1 && (count > kConstraintsMax || bytes > bytes_max_);
  });
  kept_.erase(first_to_go, kept_.end());
}

}  // namespace drystone
