#include "bench/serve/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

namespace drystone {
namespace json = boost::json;

namespace {

double quantile(const std::vector<double>& sorted, double q) {
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(sorted.size())));
  return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

double rounded(double value) { return std::round(value * 1000) / 1000; }

json::value in_ms(std::vector<double> values_s) {
  if (values_s.empty()) return nullptr;
  const Percentiles p = percentiles(std::move(values_s));
  return {{"mean", rounded(p.mean * 1e3)}, {"p50", rounded(p.p50 * 1e3)},
          {"p90", rounded(p.p90 * 1e3)},   {"p99", rounded(p.p99 * 1e3)},
          {"max", rounded(p.max * 1e3)},   {"count", p.count}};
}

// Gaps between pieces of text that end in [from_s, to_s].
std::vector<double> gaps_of(const std::vector<const Exchange*>& exchanges, double from_s,
                            double to_s) {
  std::vector<double> gaps;
  for (const Exchange* one : exchanges)
    for (std::size_t i = 1; i < one->chunk_times_s.size(); ++i)
      if (one->chunk_times_s[i] >= from_s && one->chunk_times_s[i] <= to_s)
        gaps.push_back(one->chunk_times_s[i] - one->chunk_times_s[i - 1]);
  return gaps;
}

// Tokens per second while all of them decode, which is from the last first token to the first end;
// null where they never do all at once.
json::value together(const std::vector<const Exchange*>& exchanges) {
  double from_s = 0, to_s = std::numeric_limits<double>::max();
  for (const Exchange* one : exchanges) {
    if (one->chunk_times_s.empty()) return nullptr;
    from_s = std::max(from_s, one->chunk_times_s.front());
    to_s = std::min(to_s, one->chunk_times_s.back());
  }
  if (exchanges.empty() || to_s <= from_s) return nullptr;
  double tokens = 0;
  for (const Exchange* one : exchanges) {
    const double per_chunk = static_cast<double>(one->completion_tokens) /
                             static_cast<double>(one->chunk_times_s.size());
    for (const double at : one->chunk_times_s)
      if (at > from_s && at <= to_s) tokens += one->completion_tokens > 0 ? per_chunk : 1;
  }
  return rounded(tokens / (to_s - from_s));
}

// Gaps of the streams that were repeated, at the tokens that the others wrote in [from_s, to_s].
std::vector<double> gaps_again(const LoadRecord& record,
                               const std::vector<const Exchange*>& streams, double from_s,
                               double to_s) {
  std::size_t first = std::numeric_limits<std::size_t>::max(), end = 0;
  for (const Exchange* one : streams) {
    const auto at = [&](double time_s) {
      return static_cast<std::size_t>(std::ranges::lower_bound(one->chunk_times_s, time_s) -
                                      one->chunk_times_s.begin());
    };
    first = std::min(first, std::max<std::size_t>(at(from_s), 1));
    end = std::max(end, at(to_s));
  }
  std::vector<double> gaps;
  for (const Exchange& one : record.exchanges)
    for (std::size_t i = first; one.again && i < std::min(end, one.chunk_times_s.size()); ++i)
      gaps.push_back(one.chunk_times_s[i] - one.chunk_times_s[i - 1]);
  return gaps;
}

// How much a foreign prompt holds up those that decode.
json::value stall_of(const LoadRecord& record, const std::vector<const Exchange*>& streams,
                     const Exchange& foreign) {
  if (foreign.chunk_times_s.empty()) return nullptr;
  std::vector<double> before = gaps_of(streams, 0, foreign.start_s);
  std::vector<double> during = gaps_of(streams, foreign.start_s, foreign.chunk_times_s.front());
  if (before.empty() || during.empty()) return nullptr;
  const Percentiles alone = percentiles(std::move(before)), with = percentiles(std::move(during));
  // The streams are longer then, so that their own work is.
  const std::vector<double> after =
      gaps_of(streams, foreign.end_s, std::numeric_limits<double>::max());
  const Percentiles later = percentiles(after.empty() ? std::vector{alone.p50} : after);
  const std::vector<double> again =
      gaps_again(record, streams, foreign.start_s, foreign.chunk_times_s.front());
  const Percentiles without = percentiles(again.empty() ? std::vector{alone.p50} : again);
  return {{"foreign_ttft_ms", rounded(foreign.ttft_s() * 1e3)},
          {"gap_p50_before_ms", rounded(alone.p50 * 1e3)},
          {"gap_p50_during_ms", rounded(with.p50 * 1e3)},
          {"gap_p99_during_ms", rounded(with.p99 * 1e3)},
          {"gap_max_during_ms", rounded(with.max * 1e3)},
          {"gap_p50_after_ms", rounded(later.p50 * 1e3)},
          {"gap_p50_without_ms", rounded(without.p50 * 1e3)},
          {"p99_over_median", rounded(with.p99 / without.p50)},
          {"p99_over_median_before", rounded(with.p99 / alone.p50)},
          {"p99_over_median_after", rounded(with.p99 / later.p50)}};
}

bool said_later(const std::string& error) { return error == "http 429" || error == "http 503"; }

std::string text_of(const json::value& value) {
  if (value.is_null()) return "-";
  if (value.is_double()) return fmt::format("{:.1f}", value.as_double());
  if (value.is_string()) return std::string(value.as_string());
  if (!value.is_object()) return json::serialize(value);
  std::string out;
  for (const auto& [name, part] : value.as_object())
    out += fmt::format("{}{} {}", out.empty() ? "" : "  ", std::string_view(name), text_of(part));
  return out.empty() ? "none" : out;
}

}  // namespace

Percentiles percentiles(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return {.mean = std::accumulate(values.begin(), values.end(), 0.0) /
                  static_cast<double>(values.size()),
          .p50 = quantile(values, 0.5),
          .p90 = quantile(values, 0.9),
          .p99 = quantile(values, 0.99),
          .max = values.back(),
          .count = values.size()};
}

std::uint64_t failures(const LoadRecord& record) {
  return static_cast<std::uint64_t>(
      std::count_if(record.exchanges.begin(), record.exchanges.end(),
                    [](const Exchange& one) { return !one.ok() && !said_later(one.error); }));
}

json::object figures(const LoadRecord& record) {
  std::vector<const Exchange*> done;
  const Exchange* foreign = nullptr;
  std::map<std::string, std::uint64_t> behaviours, errors;
  std::uint64_t prompt = 0, cached = 0, completion = 0;
  std::vector<double> ttft, e2e, per_token;
  for (const Exchange& one : record.exchanges) {
    ++behaviours[std::string(to_string(one.behaviour))];
    if (!one.ok()) ++errors[one.error];
    if (one.foreign) foreign = &one;
    if (!one.ok() || one.behaviour != Behaviour::normal || one.foreign || one.again) continue;
    done.push_back(&one);
    prompt += one.prompt_tokens, cached += one.cached_tokens, completion += one.completion_tokens;
    e2e.push_back(one.end_s - one.start_s);
    if (one.chunk_times_s.empty()) continue;
    ttft.push_back(one.ttft_s());
    if (one.completion_tokens > 1)
      per_token.push_back((one.chunk_times_s.back() - one.chunk_times_s.front()) /
                          static_cast<double>(one.completion_tokens - 1));
  }
  const auto rate = [&](std::uint64_t tokens) {
    return record.wall_s > 0 ? rounded(static_cast<double>(tokens) / record.wall_s) : 0;
  };
  json::object out{{"requests", record.exchanges.size()},
                   {"wall_s", rounded(record.wall_s)},
                   {"prompt_tokens", prompt},
                   {"cached_tokens", cached},
                   {"completion_tokens", completion},
                   {"in_tok_s", rate(prompt)},
                   {"out_tok_s", rate(completion)},
                   {"both_tok_s", rate(prompt + completion)},
                   {"together_tok_s", together(done)}};
  out["ttft_ms"] = in_ms(std::move(ttft));
  out["gap_ms"] = in_ms(gaps_of(done, 0, std::numeric_limits<double>::max()));
  out["per_token_ms"] = in_ms(std::move(per_token));
  out["e2e_ms"] = in_ms(std::move(e2e));
  if (foreign != nullptr) out["stall"] = stall_of(record, done, *foreign);
  json::object kinds, wrong;
  for (const auto& [kind, number] : behaviours) kinds[kind] = number;
  for (const auto& [kind, number] : errors) wrong[kind] = number;
  out["behaviours"] = std::move(kinds);
  out["errors"] = std::move(wrong);
  out["failures"] = failures(record);
  return out;
}

std::string to_text(const json::object& figures) {
  std::string out;
  for (const auto& [name, value] : figures)
    out += fmt::format("  {:18} {}\n", std::string_view(name), text_of(value));
  return out;
}

}  // namespace drystone
