#include "serve/api/ollama/ollama_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "serve/api/answer/request_body.h"
#include "serve/http/limits.h"

namespace drystone {
namespace json = boost::json;

namespace {

void read_sampling(RequestFields& options, GenerationOptions& out) {
  SamplingOptions& sampling = out.sampling;
  options.number("temperature", 0, 2, sampling.temperature);
  options.number("top_p", 0, 1, sampling.top_p);
  options.number("min_p", 0, 1, sampling.min_p);
  options.number("typical_p", 0, 1, sampling.typical_p);
  options.number("frequency_penalty", -2, 2, sampling.frequency_penalty);
  options.number("presence_penalty", -2, 2, sampling.presence_penalty);
  options.number("repeat_penalty", 0.01, 100, sampling.repetition_penalty);
  if (const auto top_k = options.integer("top_k", -1, kTokensMax))
    sampling.top_k = static_cast<std::uint32_t>(std::max<std::int64_t>(*top_k, 0));
  if (const auto window = options.integer("repeat_last_n", -1, kTokensMax))
    sampling.penalty_window = static_cast<std::uint32_t>(*window < 0 ? kTokensMax : *window);
  read_seed(options, out.seed);
  if (out.seed == ~std::uint64_t{0}) out.seed.reset();  // -1 is a random one, as in Ollama
}

void read_options(RequestFields& fields, OllamaRequest& request, GenerationOptions& out) {
  const json::object* found = fields.object("options");
  if (found == nullptr) return;
  RequestFields options(*found, "options.");
  read_sampling(options, out);
  read_stop(options, "stop", out.stop);
  // -1 and -2 are as many as there is room for.
  const auto tokens = options.integer("num_predict", -2, kTokensMax);
  if (tokens == 0)
    options.fail("num_predict",
                 "'options.num_predict' is 0, but an answer has at least one token; -1 is as many "
                 "as fit. A request without messages, or with an empty prompt, only loads.",
                 "invalid_value");
  if (tokens) out.tokens_max = static_cast<std::uint32_t>(std::max<std::int64_t>(*tokens, 0));
  if (const auto context = options.integer("num_ctx", 0, kTokensMax))
    request.context_min = static_cast<std::uint32_t>(*context);
  options.refuse("mirostat", "use 'top_p' or 'min_p'");
  float tail_free = 1;
  options.number("tfs_z", 0, 100, tail_free);
  if (tail_free != 1) options.fail("tfs_z", "'options.tfs_z' is not supported: use 'min_p'.");
  options.accept({"mirostat_eta", "mirostat_tau", "penalize_newline"});
  accept_machine_options(options);
  if (options.error()) fields.fail(*options.error());
  for (std::string& name : options.unknown()) out.ignored.push_back(std::move(name));
}

void read_format(RequestFields& fields, Constraint& out) {
  const json::value* format = fields.find("format");
  if (format == nullptr || *format == json::value("")) return;
  if (*format == json::value("json")) {
    out = {.kind = Constraint::Kind::json_object, .field = "format"};
  } else if (format->is_object() && json::serialize(*format).size() <= kConstraintBytesMax) {
    out = {.kind = Constraint::Kind::json_schema, .schema = *format, .field = "format"};
  } else {
    fields.fail("format",
                fmt::format("'format' must be \"json\" or a JSON schema of at most {} bytes.",
                            kConstraintBytesMax),
                "invalid_value");
  }
}

// A duration as Go writes it, "1h30m" or "-1s", in seconds; nothing where it is none.
std::optional<double> duration_s(std::string_view text) {
  constexpr std::pair<std::string_view, double> kUnits[] = {
      {"ns", 1e-9}, {"us", 1e-6}, {"µs", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}};
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return 0.0;
  if (text.empty()) return std::nullopt;
  double sum = 0;
  while (!text.empty()) {
    double number = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc{} || text[0] == '-' || !std::isfinite(number)) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const std::string_view unit = text.substr(0, text.find_first_of("0123456789.+-"));
    const auto known = std::ranges::find(kUnits, unit, &std::pair<std::string_view, double>::first);
    if (known == std::end(kUnits)) return std::nullopt;
    sum += number * known->second;
    text.remove_prefix(unit.size());
  }
  return negative ? -sum : sum;
}

}  // namespace

void accept_machine_options(RequestFields& options) {
  options.accept({"num_keep", "num_batch", "num_gpu", "main_gpu", "num_thread", "use_mmap",
                  "use_mlock", "numa", "low_vram", "f16_kv", "logits_all", "vocab_only",
                  "embedding_only"});
}

void read_think(RequestFields& fields, ChatRequest& chat) {
  const json::value* think = fields.find("think");
  if (think == nullptr) return;
  if (think->is_bool()) {
    chat.template_variables["enable_thinking"] = think->get_bool();
    chat.include_reasoning = think->get_bool();
  } else if (*think == json::value("low") || *think == json::value("medium") ||
             *think == json::value("high")) {
    chat.template_variables["enable_thinking"] = true;
    chat.template_variables["reasoning_effort"] = think->get_string();
  } else {
    fields.fail("think", "'think' must be true, false, \"low\", \"medium\" or \"high\".",
                "invalid_value");
  }
}

std::optional<double> read_keep_alive_s(RequestFields& fields) {
  const json::value* keep = fields.find("keep_alive");
  if (keep == nullptr) return std::nullopt;
  std::optional<double> seconds;
  if (keep->is_number()) seconds = keep->to_number<double>();
  if (keep->is_string()) seconds = duration_s(keep->get_string());
  if (!seconds)
    fields.fail("keep_alive",
                "'keep_alive' must be a number of seconds, or a duration such as \"5m\", "
                "\"1h30m\" or \"-1s\".",
                "invalid_value");
  return seconds;
}

void read_common(RequestFields& fields, OllamaRequest& request, GenerationOptions& options) {
  options.stream = true;
  fields.boolean("stream", options.stream);
  read_options(fields, request, options);
  read_format(fields, options.constraint);
  request.unload = read_keep_alive_s(fields) == 0.0;
  fields.refuse("logprobs", "use /v1/chat/completions");
  fields.refuse("top_logprobs", "use /v1/chat/completions");
  fields.refuse("debug_render_only", "use /v1/tokenize with 'return_token_strs'");
  fields.accept({"truncate", "shift"});
}

}  // namespace drystone
