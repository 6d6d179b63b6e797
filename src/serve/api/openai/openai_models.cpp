#include "serve/api/openai/openai_models.h"

namespace drystone {
namespace json = boost::json;

json::object show_model(const std::string& name, const ModelHost& host, const ServedModel& model) {
  const std::uint32_t context = model.context();
  return {{"id", name},
          {"object", "model"},
          {"created", host.loaded_unix_s()},
          {"owned_by", "drystone"},
          {"context_length", context},
          {"max_context_length", context},
          {"max_model_len", context},
          {"context_window", context},
          {"max_input_tokens", context},
          {"meta", {{"n_ctx", context}, {"n_ctx_train", context}, {"n_vocab", model.vocab()}}}};
}

json::object list_models(const ModelHost& host, const ServedModel& model) {
  json::array entries;
  for (const std::string& name : host.names()) entries.push_back(show_model(name, host, model));
  return {{"object", "list"}, {"data", std::move(entries)}};
}

}  // namespace drystone
