#include "serve/api/ollama/ollama_models.h"

#include <fmt/format.h>

#include <algorithm>

#include "serve/api/answer/timestamp.h"

namespace drystone {
namespace json = boost::json;

namespace {

// 64 hexadecimal digits that tell loaded models apart; clients show the first 12. No hash of the
// file, which would take seconds to read.
std::string digest(const std::string& name, const HeldModel& held) {
  const std::string seed = fmt::format("{} {} {} {}", name, held.loaded_unix_s(),
                                       held.model().vocab(), held.model().context());
  std::string out;
  for (std::uint64_t part = 0; part < 4; ++part) {
    std::uint64_t hash = 0xcbf29ce484222325 + part;  // FNV-1a
    for (const char c : seed) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    out += fmt::format("{:016x}", hash);
  }
  return out;
}

json::object details(const ServedModel& model) {
  const ModelFacts facts = model.facts();
  return {{"parent_model", ""},     {"format", "gguf"},
          {"family", facts.family}, {"families", json::array{json::value(facts.family)}},
          {"parameter_size", ""},   {"quantization_level", ""}};
}

json::object entry(const std::string& name, const HeldModel& held) {
  return {{"name", name},
          {"model", name},
          {"size", held.model().facts().weights_bytes},
          {"digest", digest(name, held)},
          {"details", details(held.model())}};
}

}  // namespace

json::object ollama_tags(const ModelHost& host) {
  json::array models;
  for (const ModelHost::Shown& model : host.list()) {
    if (!model.held) continue;
    for (const std::string& name : model.names) {
      json::object one = entry(name, *model.held);
      one["modified_at"] = utc_text(model.held->loaded_unix_s());
      models.push_back(std::move(one));
    }
  }
  return {{"models", std::move(models)}};
}

json::object ollama_running(const ModelHost& host) {
  constexpr std::int64_t kYearS = 365 * 24 * 3600;  // it stays loaded as long as the server runs
  json::array models;
  for (const ModelHost::Shown& model : host.list()) {
    if (!model.held) continue;
    json::object one = entry(model.held->name(), *model.held);
    one["expires_at"] = utc_text(model.held->loaded_unix_s() + 10 * kYearS);
    one["size_vram"] = 0;
    one["context_length"] = model.held->model().context();
    models.push_back(std::move(one));
  }
  return {{"models", std::move(models)}};
}

json::object ollama_show(const ServedModel& model) {
  const ModelFacts facts = model.facts();
  const ReplyFormat format = model.reply_format();
  json::array capabilities;
  const auto add = [&](bool can, std::string_view name) {
    if (can) capabilities.emplace_back(name);
  };
  const bool writes = model.writes();
  add(writes, "completion");
  add(writes && format.tools != ToolFormat::none, "tools");
  add(writes && (!format.reasoning.open.empty() || format.tools == ToolFormat::harmony),
      "thinking");
  add(writes && facts.fills_in, "insert");
  add(model.pooling().has_value(), "embedding");
  add(model.rank_prompt("", "").has_value(), "rerank");
  return {{"modelfile", ""},
          {"parameters", ""},
          {"template", facts.chat_template},
          {"details", details(model)},
          {"model_info",
           {{"general.architecture", facts.family},
            {facts.family + ".context_length", model.context()},
            {facts.family + ".vocab_size", model.vocab()}}},
          {"capabilities", std::move(capabilities)}};
}

}  // namespace drystone
