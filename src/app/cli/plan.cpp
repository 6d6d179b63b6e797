#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "app/cli/api_flags.h"
#include "app/cli/command.h"
#include "app/cli/commands.h"
#include "app/cli/json_look.h"
#include "app/cli/wish_flags.h"
#include "base/units.h"
#include "cluster/plan/plan_text.h"

namespace drystone {
namespace {

namespace json = boost::json;

constexpr std::chrono::seconds kAnswerWithin{60};  // it may wait for figures

struct PlanFlags {
  ApiFlags api;
  WishFlags wish;
  std::uint32_t prompt_tokens = 0;
  bool all = false;
};

std::string speed_of(const json::value& estimate, std::string_view name) {
  const auto speed = number_of(estimate, name);
  return speed ? format_speed(*speed) : "unknown";
}

std::string bytes_of(const json::value& share, std::string_view name) {
  return format_bytes(static_cast<Bytes>(number_of(share, name).value_or(0)));
}

// What keeps speeds from being known, once for all offers.
void print_unmeasured(const json::value& answer) {
  static constexpr std::size_t kShown = 5;
  const auto joined = [](const std::vector<std::string>& all) {
    std::string text;
    for (std::size_t i = 0; i < std::min(all.size(), kShown); ++i)
      text += (i > 0 ? ", " : "") + all[i];
    return all.size() > kShown ? fmt::format("{} and {} more", text, all.size() - kShown) : text;
  };
  const auto collect = [](const json::array& items, std::vector<std::string>& all) {
    for (const json::value& item : items)
      if (item.is_string())
        if (std::string text = printable(std::string_view(item.as_string()));
            std::ranges::find(all, text) == all.end())
          all.push_back(std::move(text));
  };
  if (const std::string waited = text_of(answer, "waited"); !waited.empty())
    fmt::print("{}\n", waited);
  std::vector<std::string> pending, unknown;
  collect(list_of(answer, "unmeasured"), pending);
  for (const json::value& offer : list_of(answer, "offers"))
    if (const auto* estimate = field_of(offer, "estimate"))
      collect(list_of(*estimate, "unknown"), unknown);
  if (!pending.empty())
    fmt::print(
        "Not measured yet: {}. Speeds that depend on it are unknown. A node measures itself within "
        "about 10 s of its first start, its links follow: ask again then.\n\n",
        joined(pending));
  else if (!unknown.empty())
    fmt::print("Not measured, so speeds that depend on it are unknown: {}\n\n", joined(unknown));
}

void print_offer(std::size_t number, const json::value& offer, bool with_terms) {
  const json::value none;
  const auto* found = field_of(offer, "estimate");
  const json::value& estimate = found == nullptr ? none : *found;
  fmt::print("{}. {}\n   one answer {}, all streams {}, prompt {}\n", number,
             text_of(offer, "summary"), speed_of(estimate, "one_stream_tok_s"),
             speed_of(estimate, "many_streams_tok_s"), speed_of(estimate, "prefill_tok_s"));
  for (const json::value& share : list_of(offer, "nodes"))
    fmt::print(
        "   {}: {} = weights {} + KV {} + working {}, of {} (beside {} left to the system)\n",
        text_of(share, "name"), bytes_of(share, "total_bytes"), bytes_of(share, "weights_bytes"),
        bytes_of(share, "kv_bytes"), bytes_of(share, "working_bytes"),
        bytes_of(share, "available_bytes"), bytes_of(share, "reserve_bytes"));
  if (const std::string reason = text_of(offer, "reason"); !reason.empty())
    fmt::print("   {}\n", reason);
  if (!with_terms) return;
  const auto print_list = [&](const char* name, const char* before) {
    for (const json::value& item : list_of(estimate, name))
      if (item.is_string())
        fmt::print("   {}{}\n", before, printable(std::string_view(item.as_string())));
  };
  print_list("terms", "  ");
  print_list("unknown", "not measured: ");
}

Result<void> plan(const PlanFlags& flags) {
  const NodeClient node = TRY(connect_node(flags.api));
  json::object question = wish_of(flags.wish);
  if (flags.prompt_tokens > 0) question["prompt_tokens"] = flags.prompt_tokens;
  const json::value answer = TRY(node.post("/cluster/v1/plan", question, kAnswerWithin));
  const json::array& offers = list_of(answer, "offers");
  const json::array& refusals = list_of(answer, "refusals");
  if (flags.api.json) {
    print_json(answer);
  } else {
    print_unmeasured(answer);
    if (const std::string advice = text_of(answer, "advice"); !advice.empty())
      fmt::print("{}\n\n", advice);
    for (std::size_t i = 0; i < offers.size(); ++i) print_offer(i + 1, offers[i], flags.all);
    if (!refusals.empty()) fmt::print("{}What cannot be:\n", offers.empty() ? "" : "\n");
    for (const json::value& refusal : refusals)
      fmt::print("   {}: {}\n", text_of(refusal, "summary"), text_of(refusal, "reason"));
  }
  if (!offers.empty()) return {};
  const std::string why = text_of(answer, "error");
  const bool is_wrong = text_of(answer, "code") == to_string(Errc::invalid_argument);
  return Error(is_wrong ? Errc::invalid_argument : Errc::out_of_memory,
               why.empty() ? "there is no way to place it" : why);
}

}  // namespace

void add_plan(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<PlanFlags>();
  CLI::App& command =
      *app.add_subcommand("plan", "Where a model could run, how fast, and what it takes");
  add_wish_flags(command, flags->wish);
  command
      .add_option("--prompt-tokens", flags->prompt_tokens,
                  "Speeds of reading a prompt of so many tokens, and of writing behind it [512]")
      ->check(CLI::Range(1u, 1u << 30).description(""))
      ->type_name("N");
  command.add_flag("--terms", flags->all, "Show what each estimate is made of");
  add_api_flags(command, flags->api);
  command.footer(R"(Example:
  drystone plan pebble
  drystone plan llama-70b-q4_k_m --context 8192 --streams 4)");
  command.callback([flags, &exit_code] { exit_code = finish("plan", plan(*flags)); });
}

}  // namespace drystone
