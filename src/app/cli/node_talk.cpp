#include "app/cli/node_talk.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <chrono>
#include <thread>
#include <utility>

#include "app/cli/api_flags.h"
#include "app/cli/json_look.h"
#include "app/progress_bar.h"

namespace drystone {
namespace {

namespace json = boost::json;

class NodeTalk final : public Talk {
 public:
  NodeTalk(NodeClient node, std::string model, std::string system, bool has_template)
      : node_(std::move(node)),
        model_(std::move(model)),
        system_(std::move(system)),
        has_template_(has_template) {
    clear();
  }

  void add(std::string_view role, std::string_view content) override {
    messages_.push_back({{"role", role}, {"content", content}});
  }
  void drop_last() override { messages_.pop_back(); }
  void clear() override {
    messages_.clear();
    if (!system_.empty()) add("system", system_);
  }

  Result<Said> answer(const GenerateRequest& request,
                      const std::function<void(std::string_view)>& sink,
                      std::stop_token stop) override {
    Said said;
    const auto take = [&](std::string_view data) -> Result<void> {
      if (data == "[DONE]") return {};
      boost::system::error_code wrong;
      const json::value event = json::parse(data, wrong);
      if (wrong) return Error(Errc::corrupt, "the node sent an event that is no JSON");
      return take_event(event, said, sink);
    };
    const std::string path = has_template_ ? "/v1/chat/completions" : "/v1/completions";
    const auto ended = node_.post_events(path, body_of(request), take, stop);
    if (ended.is(Errc::cancelled)) {
      said.figures.finish = FinishReason::cancelled;
      return said;
    }
    TRY(ended);
    return said;
  }

 private:
  json::object body_of(const GenerateRequest& request) const {
    const SamplingOptions& sampling = request.sampling;
    json::object body = {{"model", model_},
                         {"stream", true},
                         {"stream_options", {{"include_usage", true}}},
                         {"temperature", sampling.temperature},
                         {"top_p", sampling.top_p},
                         {"min_p", sampling.min_p},
                         {"repetition_penalty", sampling.repetition_penalty},
                         {"seed", sampling.seed}};
    if (sampling.top_k > 0) body["top_k"] = sampling.top_k;
    if (request.tokens_max > 0) body["max_tokens"] = request.tokens_max;
    if (!request.stop.empty()) body["stop"] = json::array(request.stop.begin(), request.stop.end());
    if (has_template_)
      body["messages"] = messages_;
    else
      body["prompt"] = messages_.back().at("content");
    return body;
  }

  static Result<void> take_event(const json::value& event, Said& said,
                                 const std::function<void(std::string_view)>& sink) {
    if (const auto* error = field_of(event, "error"))
      return Error(Errc::unavailable, text_of(*error, "message"));
    if (const auto* usage = field_of(event, "usage"); usage != nullptr && usage->is_object()) {
      const auto count = [&](std::string_view name) {
        return static_cast<std::uint32_t>(number_of(*usage, name).value_or(0));
      };
      said.figures.prompt_tokens = count("prompt_tokens");
      said.figures.completion_tokens = count("completion_tokens");
    }
    for (const json::value& choice : list_of(event, "choices")) {
      const auto* delta = field_of(choice, "delta");
      for (const auto* piece :
           {delta == nullptr ? nullptr : field_of(*delta, "reasoning_content"),
            delta == nullptr ? field_of(choice, "text") : field_of(*delta, "content")}) {
        if (piece == nullptr || !piece->is_string()) continue;
        said.text += std::string_view(piece->as_string());
        sink(piece->as_string());
      }
    }
    return {};
  }

  const NodeClient node_;
  const std::string model_, system_;
  const bool has_template_;
  json::array messages_;
};

constexpr std::chrono::milliseconds kLookEvery{250};

// How far the model is, while it can be expected to become ready; nullopt: it cannot.
Result<std::optional<double>> loading(const NodeClient& node, const std::string& model) {
  const json::value instances = TRY(node.get("/cluster/v1/instances"));
  if (const auto* list = instances.if_array())
    for (const json::value& instance : *list)
      if (text_of(instance, "model") == model && text_of(instance, "state") != "refused")
        return std::optional(number_of(instance, "progress").value_or(0));
  return std::optional<double>();
}

}  // namespace

Result<bool> serves(const NodeClient& node, const std::string& model,
                    std::chrono::milliseconds within) {
  const json::value instances = TRY(node.get("/cluster/v1/instances", within));
  if (const auto* list = instances.if_array())
    for (const json::value& instance : *list)
      if (text_of(instance, "model") == model) return true;
  return false;
}

Result<bool> serves_if_there(const NodeClient& node, const std::string& model,
                             std::chrono::milliseconds within) {
  auto served = serves(node, model, within);
  if (served) return served;
  // `drystone serve` and programs of others are no nodes.
  if (served.is(Errc::not_found) || served.is(Errc::corrupt) || !node.listens()) return false;
  if (served.is(Errc::unavailable)) return served;
  std::string why = served.error().message();
  while (why.ends_with('.')) why.pop_back();
  return Error(
      served.error().code(),
      fmt::format("the node at {} does not say whether it serves {}: {}. $DRYSTONE_API_KEY is sent "
                  "as its key, --api URL asks another node; a GGUF file is run here, by its path",
                  node.url(), model, why));
}

Result<std::unique_ptr<Talk>> talk_to_node(NodeClient node, const std::string& model,
                                           const std::string& system) {
  const auto bar = progress_bar("loading " + model);
  auto shown = node.post("/api/show", {{"model", model}});
  while (shown.is(Errc::unavailable)) {
    const auto progress = TRY(loading(node, model));
    if (!progress) break;
    if (bar) bar(*progress);
    std::this_thread::sleep_for(kLookEvery);
    shown = node.post("/api/show", {{"model", model}});
  }
  if (!shown) return std::move(shown).error();
  if (bar) bar(1);
  const bool has_template = !text_of(*shown, "template").empty();
  return std::unique_ptr<Talk>(
      std::make_unique<NodeTalk>(std::move(node), model, system, has_template));
}

}  // namespace drystone
