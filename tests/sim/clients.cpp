#include "clients.h"

#include <fmt/format.h>

#include <utility>

namespace drystone::sim {

void Clients::ask(std::size_t machine) {
  Rng& rng = world_.network.rng();
  std::vector<std::string> served;
  for (const char* model : {"llama", "qwen"})
    if (machines_[machine]->serves(model)) served.emplace_back(model);
  if (served.empty()) return;
  const std::string model = served[rng.below(served.size())];
  std::vector<TokenId> prompt(1 + rng.below(20));
  for (TokenId& id : prompt) id = static_cast<TokenId>(rng.below(kVocab));
  ask(machine, model, std::move(prompt),
      rng.below(2) == 0 ? 0 : static_cast<std::uint32_t>(1 + rng.below(60)));
}

void Clients::ask(std::size_t machine, const std::string& model, std::vector<TokenId> prompt,
                  std::uint32_t tokens_max) {
  auto one = std::make_shared<Asked>(Asked{.number = asked_.size(),
                                           .machine = machine,
                                           .model = model,
                                           .prompt = std::move(prompt),
                                           .tokens_max = tokens_max});
  one->expected = whole_answer(one->prompt, tokens_max);
  asked_.push_back(one);
  GenerationJob job{.client = "somebody",
                    .request = {.prompt = one->prompt, .tokens_max = tokens_max}};
  job.on_delta = [this, one](const Delta& delta) { take(*one, delta); };
  job.on_prompt = [this, one](std::uint32_t held) {
    if (held <= one->prompts && one->prompts > 0) fail(*one, "progress goes back");
    one->prompts = held;
  };
  job.on_done = [this, one](const Result<GenerateResult>& result) { take_end(*one, result); };
  world_.say(fmt::format("  client {} asks {} for {}", one->number, machine, model));
  auto ticket = machines_[machine]->submit(model, std::move(job));
  if (ticket) {
    one->ticket = *std::move(ticket);
  } else if (one->over) {
    fail(*one, "ended, and was refused then");
  } else {
    take_end(*one, ticket.error());
  }
  world_.network.flush(machine);
}

void Clients::fail(const Asked& one, const std::string& what) {
  world_.invariants.fail(fmt::format("client {} of machine {} ({}, {} of {} tokens): {}",
                                     one.number, one.machine, one.model, one.tokens,
                                     one.expected.tokens.size(), what));
}

void Clients::take(Asked& one, const Delta& delta) {
  if (one.cut_off) return;
  if (one.over) return fail(one, "more comes behind the end");
  for (const Sampled& token : delta.tokens) {
    if (one.tokens == one.expected.tokens.size()) return fail(one, "a token too many");
    if (token.id != one.expected.tokens[one.tokens])
      return fail(
          one, fmt::format("token {} where {} is due", token.id, one.expected.tokens[one.tokens]));
    ++one.tokens;
  }
  one.text += delta.text;
  if (!one.expected.text.starts_with(one.text)) fail(one, "wrong text: " + one.text);
}

void Clients::take_end(Asked& one, const Result<GenerateResult>& result) {
  if (one.cut_off) return;
  if (std::exchange(one.over, true)) return fail(one, "ends twice");
  if (!result) {
    world_.say(fmt::format("  client {} is told: {}", one.number, result.error().message()));
    if (!result.is(Errc::unavailable) && !result.is(Errc::out_of_memory))
      fail(one, "ends with " + result.error().message());
    if (result.error().message().empty()) fail(one, "ends with an error that says nothing");
    return;
  }
  if (result->finish == FinishReason::cancelled) {
    if (!one.left && !machines_[one.machine]->closing()) fail(one, "cancelled by nobody");
    return;
  }
  one.well = true;
  ++whole_;
  if (one.tokens != one.expected.tokens.size() || one.text != one.expected.text)
    fail(one, "ends before its end");
  if (result->finish != one.expected.finish) fail(one, "ends for another reason");
  if (result->completion_tokens != one.tokens || result->prompt_tokens != one.prompt.size())
    fail(one,
         fmt::format("counts {} and {} tokens", result->prompt_tokens, result->completion_tokens));
}

void Clients::give_up_one() {
  Rng& rng = world_.network.rng();
  std::vector<std::shared_ptr<Asked>> open;
  for (const auto& one : asked_)
    if (!one->over && !world_.network.is_frozen(one->machine)) open.push_back(one);
  if (open.empty()) return;
  Asked& one = *open[rng.below(open.size())];
  world_.say(fmt::format("  client {} leaves", one.number));
  one.left = true;
  if (one.ticket) machines_[one.machine]->cancel(*one.ticket);
  world_.network.flush(one.machine);
}

void Clients::crashed(std::size_t machine) {
  for (const auto& one : asked_) {
    if (one->over || one->machine != machine) continue;
    one->over = one->cut_off = true;
    if (!one->left) again_.push_back(one);
  }
}

void Clients::ask_again() {
  for (const auto& one : std::exchange(again_, {})) {
    bool taken = false;
    for (const auto& machine : machines_) {
      const std::size_t i = machine->number();
      if (taken || !machine->is_up() || world_.network.is_frozen(i) || !machine->serves(one->model))
        continue;
      ask(i, one->model, one->prompt, one->tokens_max);
      taken = true;
    }
  }
}

std::size_t Clients::open() const {
  std::size_t open = 0;
  for (const auto& one : asked_) open += !one->over;
  return open;
}

std::string Clients::unanswered(std::size_t of) const {
  for (const auto& one : asked_)
    if (!one->over)
      return fmt::format("client {} of machine {} ({}, {} of {} tokens) still waits", one->number,
                         one->machine, one->model, one->tokens, one->expected.tokens.size());
  for (std::size_t i = asked_.size() - of; i < asked_.size(); ++i)
    if (!asked_[i]->well)
      return fmt::format("client {} of machine {} got no answer of {}, which is ready", i,
                         asked_[i]->machine, asked_[i]->model);
  return "";
}

void Clients::leave() {
  for (const auto& one : asked_)
    if (!one->over) one->over = one->cut_off = true;
}

}  // namespace drystone::sim
