#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "app/cli/api_flags.h"
#include "app/cli/command.h"
#include "app/cli/commands.h"
#include "app/cli/json_look.h"
#include "app/cli/wish_flags.h"
#include "app/progress_bar.h"

namespace drystone {
namespace {

namespace json = boost::json;

constexpr std::chrono::milliseconds kLookEvery{250};
// It may wait for figures, and for a model of the same name to be gone.
constexpr std::chrono::seconds kAnswerWithin{60};
constexpr std::size_t kFailuresMax = 3;  // epochs that failed until we give up

struct LoadFlags {
  ApiFlags api;
  WishFlags wish;
};

// "nova: cannot reserve memory ...".
std::string failures_of(const json::value& instance) {
  std::string all;
  for (const json::value& part : list_of(instance, "parts"))
    if (const std::string error = text_of(part, "error"); !error.empty())
      all += fmt::format("{}{}: {}", all.empty() ? "" : "; ", text_of(part, "name"), error);
  return all.empty() ? text_of(instance, "message") : all;
}

// Where it came to be, which may be elsewhere than planned: "nova (head), atlas".
std::string where(const json::value& instance) {
  const std::string head = text_of(instance, "head");
  std::string all;
  for (const json::value& part : list_of(instance, "parts"))
    all += (all.empty() ? "" : ", ") + text_of(part, "name") +
           (!head.empty() && text_of(part, "node") == head ? " (head)" : "");
  return all;
}

// What `load` has seen of the instances of its model.
class Watch {
 public:
  // `wish`: ours, as the node has written it down; null of a node that does not tell.
  Watch(std::string model, json::value wish, bool quiet)
      : model_(std::move(model)), wish_(std::move(wish)), quiet_(quiet) {
    if (!quiet) bar_ = progress_bar("loading " + model_);
  }

  // True: all are ready. Errors: it was refused, fails again and again, or somebody else asked for
  // the model in another way.
  Result<bool> look(const json::value& instances) {
    const auto* list = instances.if_array();
    if (list == nullptr) return Error(Errc::corrupt, "what the node answers is no list");
    std::size_t ready = 0, all = 0;
    double progress = 0;
    own_.clear();
    wanted_ = false;
    for (const json::value& one : *list) {
      if (text_of(one, "model") != model_) continue;
      TRY(look_at_wish(one));
      // Without a wish it is on its way out.
      wanted_ |= !wish_.is_object() || field_of(one, "wish") != nullptr;
      own_.push_back(one);
      ++all;
      const std::string state = text_of(one, "state");
      // Not yet: what is there answers the wish before.
      const bool current = truth_of(one, "current", true);
      if (!current) continue;
      if (state == "refused") return refused(text_of(one, "message"));
      if (state == "ready" && truth_of(one, "served", true)) ++ready;
      progress += number_of(one, "progress").value_or(0);
      TRY(look_at_failure(one, state));
    }
    if (bar_ && all > 0) bar_(progress / static_cast<double>(all));
    if (all == 0 || ready < all) return false;
    bar_ = {};
    return true;
  }

  const json::array& instances() const { return own_; }
  bool is_wanted() const { return wanted_; }  // by anybody, as of the last look

 private:
  // By the keeper, for others have taken the room since the check before: the wish stands.
  Error refused(std::string why) const {
    while (why.ends_with('.')) why.pop_back();
    return {Errc::out_of_memory,
            fmt::format("{}. It stays asked for, and is placed when there is room; `drystone "
                        "unload {}` ends that",
                        why, model_)};
  }

  Result<void> look_at_wish(const json::value& instance) const {
    const json::value* wish = field_of(instance, "wish");
    if (wish == nullptr || !wish->is_object() || !wish_.is_object()) return {};
    // Who asks for the very same later gets what we wait for.
    json::object theirs = wish->as_object(), ours = wish_.as_object();
    theirs.erase("asked"), ours.erase("asked");
    if (theirs == ours) return {};
    return Error(Errc::cancelled,
                 fmt::format("replaced by another load of {} ({}); this one asked for {}", model_,
                             wish_text(theirs), wish_text(ours)));
  }

  Result<void> look_at_failure(const json::value& instance, const std::string& state) {
    if (state != "failed") return {};
    const std::string key = fmt::format("{} {}", text_of(instance, "instance"),
                                        number_of(instance, "epoch").value_or(0));
    if (!failed_.insert(key).second) return {};
    const std::string why = failures_of(instance);
    if (truth_of(instance, "gave_up", false))
      return Error(Errc::unavailable, fmt::format("{} could not be loaded: {}", model_, why));
    if (failed_.size() >= kFailuresMax)
      return Error(Errc::unavailable,
                   fmt::format("{} could not be loaded: {}. The cluster tries some more times; "
                               "`drystone unload {}` ends that",
                               model_, why, model_));
    if (!quiet_) notice("load", fmt::format("{}; trying again", why));
    return {};
  }

  const std::string model_;
  const json::value wish_;
  const bool quiet_;
  bool wanted_ = false;
  std::function<void(double)> bar_;
  std::set<std::string> failed_;
  json::array own_;
};

// The wish stands on the node since it has answered: where it is no more, somebody has ended it.
Error unloaded(const NodeClient& node, const std::string& model) {
  std::string where;
  if (const auto all = node.get("/cluster/v1/unloaded"); all && all->is_array())
    for (const json::value& one : all->as_array())
      if (text_of(one, "model") == model) where = " on " + text_of(one, "name");
  return {Errc::cancelled,
          fmt::format("somebody asked{0} for `drystone unload {1}` meanwhile: it is not loaded any "
                      "further. `drystone load {1}` begins anew",
                      where, model)};
}

// Wishes name nodes by their ids: what another one asked for, as people call them.
Error with_names(const NodeClient& node, const Error& error) {
  std::string text = error.message();
  const auto nodes = node.get("/cluster/v1/nodes");
  if (!nodes || !nodes->is_array()) return error;
  for (const json::value& one : nodes->as_array()) {
    const std::string id = text_of(one, "id"), name = text_of(one, "name");
    if (id.empty()) continue;
    for (auto at = text.find(id); at != std::string::npos; at = text.find(id, at + name.size()))
      text.replace(at, id.size(), name);
  }
  return {error.code(), text};
}

Result<void> load(const LoadFlags& flags) {
  const NodeClient node = TRY(connect_node(flags.api));
  const json::value answer = TRY(node.post("/cluster/v1/load", wish_of(flags.wish), kAnswerWithin));
  const std::string model = text_of(answer, "model");
  if (const std::string advice = text_of(answer, "advice"); !advice.empty() && !flags.api.json)
    notice("load", "planned: " + advice);
  if (const std::string waited = text_of(answer, "waited"); !waited.empty() && !flags.api.json)
    notice("load", waited);
  const json::value* wish = field_of(answer, "wish");
  Watch watch(model, wish == nullptr ? json::value() : *wish, flags.api.json);
  while (true) {
    const auto ready = watch.look(TRY(node.get("/cluster/v1/instances")));
    if (ready.is(Errc::cancelled)) return with_names(node, ready.error());
    if (TRY(ready)) break;
    if (!watch.is_wanted()) return unloaded(node, model);
    std::this_thread::sleep_for(kLookEvery);
  }
  if (flags.api.json) {
    print_json(watch.instances());
    return {};
  }
  for (const json::value& one : watch.instances()) {
    fmt::print("{} is ready on {}\n", text_of(one, "instance"), where(one));
    if (const std::string note = text_of(one, "message"); !note.empty())
      fmt::print("  not as asked for: {}\n", note);
  }
  return {};
}

}  // namespace

void add_load(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<LoadFlags>();
  CLI::App& command = *app.add_subcommand("load", "Have the cluster run a model from now on");
  add_wish_flags(command, flags->wish);
  add_api_flags(command, flags->api);
  command.footer(R"(Example:
  drystone load pebble
  drystone load llama-70b-q4_k_m --stages 3 --nodes atlas,nova,spare --context 8192)");
  command.callback([flags, &exit_code] { exit_code = finish("load", load(*flags)); });
}

}  // namespace drystone
