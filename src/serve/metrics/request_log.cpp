#include "serve/metrics/request_log.h"

#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <boost/json.hpp>
#include <cmath>

namespace drystone {
namespace json = boost::json;

namespace {

constexpr std::size_t kLinesMax = 8192;  // that wait to be written
constexpr const char* kTime = "%Y-%m-%dT%H:%M:%S.%eZ";

json::object fields(const RequestRecord& record) {
  const auto ms = [](double value_s) { return std::round(value_s * 1e5) / 100; };
  json::object out{{"method", record.method},  {"path", record.path},
                   {"status", record.status},  {"client", record.client},
                   {"ms", ms(record.total_s)}, {"bytes", record.answer_bytes}};
  if (!record.complete) out["cut"] = true;
  if (!record.id.empty()) out["id"] = record.id;
  if (record.generations == 0) return out;
  out["finish"] = record.finish;
  out["prompt_tokens"] = record.prompt_tokens;
  out["cached_tokens"] = record.cached_tokens;
  out["completion_tokens"] = record.completion_tokens;
  if (record.queue_s >= 0) out["queue_ms"] = ms(record.queue_s);
  if (record.first_text_s >= 0) out["first_text_ms"] = ms(record.first_text_s);
  return out;
}

std::string text_value(const json::value& value) {
  if (value.is_double()) return fmt::format("{}", value.as_double());
  if (!value.is_string()) return json::serialize(value);
  const std::string text(value.as_string());
  const bool plain = !text.empty() && text.find_first_not_of(
                                          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "0123456789_-./:*") == std::string::npos;
  return plain ? text : json::serialize(value);
}

spdlog::level::level_enum level_of(const RequestRecord& record) {
  if (record.status >= 500) return spdlog::level::err;
  if (record.status >= 400 || record.status == 0) return spdlog::level::warn;
  if (record.path == "/health" || record.path == "/metrics") return spdlog::level::debug;
  return spdlog::level::info;
}

class RequestLog final : public ServerObserver {
 public:
  RequestLog(spdlog::level::level_enum level, bool as_json)
      : as_json_(as_json),
        writer_(std::make_shared<spdlog::details::thread_pool>(kLinesMax, 1)),
        logger_(std::make_shared<spdlog::async_logger>(
            "requests", std::make_shared<spdlog::sinks::stderr_sink_mt>(), writer_,
            spdlog::async_overflow_policy::overrun_oldest)) {
    logger_->set_level(level);
    const std::string pattern = as_json ? fmt::format(R"({{"time":"{}","level":"%l",%v)", kTime)
                                        : fmt::format("{} %l %v", kTime);
    logger_->set_pattern(pattern, spdlog::pattern_time_type::utc);
  }
  // The writer's thread ends, having written what waits, before what it writes to does.
  ~RequestLog() override { writer_.reset(); }

  void request_over(const RequestRecord& record) override {
    const auto level = level_of(record);
    if (logger_->should_log(level)) logger_->log(level, log_line(record, as_json_));
  }

 private:
  bool as_json_;
  std::shared_ptr<spdlog::details::thread_pool> writer_;
  std::shared_ptr<spdlog::async_logger> logger_;
};

class AllObservers final : public ServerObserver {
 public:
  explicit AllObservers(std::vector<ServerObserver*> observers)
      : observers_(std::move(observers)) {}
  void connection_opened() override {
    for (auto* one : observers_) one->connection_opened();
  }
  void connection_closed() override {
    for (auto* one : observers_) one->connection_closed();
  }
  void connection_refused() override {
    for (auto* one : observers_) one->connection_refused();
  }
  void text_came(std::string_view model, double gap_s, std::size_t tokens) override {
    for (auto* one : observers_) one->text_came(model, gap_s, tokens);
  }
  void request_over(const RequestRecord& record) override {
    for (auto* one : observers_) one->request_over(record);
  }

 private:
  std::vector<ServerObserver*> observers_;
};

}  // namespace

std::string log_line(const RequestRecord& record, bool as_json) {
  const json::object values = fields(record);
  // The pattern has opened the object.
  if (as_json) return json::serialize(values).substr(1);
  std::string out;
  for (const auto& [name, value] : values)
    out +=
        fmt::format("{}{}={}", out.empty() ? "" : " ", std::string_view(name), text_value(value));
  return out;
}

Result<std::unique_ptr<ServerObserver>> make_request_log(const LogOptions& options) {
  const auto level = spdlog::level::from_str(options.level);
  if (level == spdlog::level::off && options.level != "off")
    return Error(
        Errc::invalid_argument,
        fmt::format("--log-level {}: expected off, error, warn, info or debug", options.level));
  if (options.format != "text" && options.format != "json")
    return Error(Errc::invalid_argument,
                 fmt::format("--log-format {}: expected text or json", options.format));
  return std::unique_ptr<ServerObserver>(
      std::make_unique<RequestLog>(level, options.format == "json"));
}

std::unique_ptr<ServerObserver> observe_all(std::vector<ServerObserver*> observers) {
  return std::make_unique<AllObservers>(std::move(observers));
}

}  // namespace drystone
