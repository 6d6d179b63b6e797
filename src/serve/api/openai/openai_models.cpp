#include "serve/api/openai/openai_models.h"

namespace drystone {
namespace json = boost::json;

json::object show_model(const std::string& name, const HeldModel& held) {
  const std::uint32_t context = held.model().context();
  return {
      {"id", name},
      {"object", "model"},
      {"created", held.loaded_unix_s()},
      {"owned_by", "drystone"},
      {"context_length", context},
      {"max_context_length", context},
      {"max_model_len", context},
      {"context_window", context},
      {"max_input_tokens", context},
      {"meta", {{"n_ctx", context}, {"n_ctx_train", context}, {"n_vocab", held.model().vocab()}}}};
}

json::object list_models(const ModelHost& host, std::int64_t now_unix_s) {
  json::array entries;
  for (const ModelHost::Shown& one : host.list()) {
    for (const std::string& name : one.names) {
      if (one.held) {
        entries.push_back(show_model(name, *one.held));
        continue;
      }
      const bool failed = one.state == ModelHost::State::failed;
      json::object entry = {
          {"id", name}, {"object", "model"}, {"created", now_unix_s}, {"owned_by", "drystone"}};
      entry["status"] = {{"value", failed ? "failed" : "loading"}, {"progress", one.progress}};
      entries.push_back(std::move(entry));
    }
  }
  return {{"object", "list"}, {"data", std::move(entries)}};
}

}  // namespace drystone
