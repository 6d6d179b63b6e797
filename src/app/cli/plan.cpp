#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>

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
  const auto print_list = [&](const char* name, const char* before, std::size_t most) {
    const json::array& items = list_of(estimate, name);
    for (std::size_t i = 0; i < std::min(items.size(), most); ++i)
      if (items[i].is_string())
        fmt::print("   {}{}\n", before, printable(std::string_view(items[i].as_string())));
    if (items.size() > most) fmt::print("   {}{} more\n", before, items.size() - most);
  };
  constexpr std::size_t kUnknownShown = 3;
  if (with_terms) print_list("terms", "  ", SIZE_MAX);
  print_list("unknown", "not measured: ", with_terms ? SIZE_MAX : kUnknownShown);
}

Result<void> plan(const PlanFlags& flags) {
  const NodeClient node = TRY(connect_node(flags.api));
  json::object question = wish_of(flags.wish);
  if (flags.prompt_tokens > 0) question["prompt_tokens"] = flags.prompt_tokens;
  const json::value answer = TRY(node.post("/cluster/v1/plan", question));
  const json::array& offers = list_of(answer, "offers");
  const json::array& refusals = list_of(answer, "refusals");
  if (flags.api.json) {
    print_json(answer);
  } else {
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
