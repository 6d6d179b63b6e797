#include "cluster/plan/plan_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "cluster/plan/find_node.h"

namespace drystone {
namespace {

constexpr std::uint32_t kPromptTokens = 512;

template <typename... Arguments>
Error refuse(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  return Error(Errc::invalid_argument, fmt::format(format, std::forward<Arguments>(arguments)...));
}

// What people read of nodes: different for every one.
class ShownNames {
 public:
  void add(const std::string& name) { ++times_[name]; }
  std::string of(const std::string& name, const std::string& id) const {
    if (name.empty()) return id;
    const auto times = times_.find(name);
    return times != times_.end() && times->second > 1 ? name_with_id(name, id) : name;
  }

 private:
  std::map<std::string, int> times_;
};

Result<PlanRequest> with_defaults(const ModelFigures& model, PlanRequest request) {
  if (model.layers.empty()) return refuse("{} has no layers", model.name);
  if (request.instance.empty()) request.instance = model.name;
  if (request.context == 0) request.context = model.context;
  if (request.context > model.context)
    return refuse("{} is made for a context of {} tokens, not {}", model.name, model.context,
                  request.context);
  request.streams = std::max(request.streams, 1u);
  constexpr std::uint64_t kTokensMax = 1 << 30;
  const std::uint64_t wanted =
      request.kv_tokens > 0 ? request.kv_tokens : std::uint64_t{request.context} * request.streams;
  const std::uint64_t pages = (wanted + model.page_tokens - 1) / model.page_tokens;
  if (pages * model.page_tokens > kTokensMax)
    return refuse("a KV cache of {} tokens is more than {}", wanted, kTokensMax);
  request.kv_tokens = static_cast<std::uint32_t>(pages * model.page_tokens);
  request.rows_max = std::max(request.rows_max, 1u);
  if (request.prompt_tokens == 0)
    request.prompt_tokens = std::max(1u, std::min(kPromptTokens, request.context / 2));
  if (request.prompt_tokens > request.context)
    return refuse("a prompt of {} tokens is longer than the context of {}", request.prompt_tokens,
                  request.context);
  if (request.objective == Objective::automatic)
    request.objective = request.streams > 1 ? Objective::many_streams : Objective::one_stream;
  // One number forced leaves the other at one: `--stages 2` asks for two stages of a node each.
  if (request.stages && !request.shards) request.shards = 1;
  if (request.shards && !request.stages) request.stages = 1;
  if (request.stages && (*request.stages < 1 || *request.stages > model.layers.size()))
    return refuse("{} cannot have {} stages: it has {} layers", model.name, *request.stages,
                  model.layers.size());
  const std::uint32_t ranks_max = std::min(kRanksMax, model.kv_heads / model.kv_block);
  if (request.shards && (*request.shards < 1 || *request.shards > ranks_max))
    return refuse(
        "{} cannot have {} shards: it has {} KV heads to divide, at multiples of {}, and a "
        "stage has at most {} ranks",
        model.name, *request.shards, model.kv_heads, model.kv_block, kRanksMax);
  if (request.replicas == 0u) return refuse("0 replicas");
  return request;
}

void worse(std::optional<double>& worst, const std::optional<double>& figure, bool low_is_bad) {
  if (!figure) return;
  if (!worst || (low_is_bad ? *figure < *worst : *figure > *worst)) worst = figure;
}

}  // namespace

Result<PlanInput> PlanInput::make(const ModelFigures& model, const std::vector<NodeFigures>& nodes,
                                  const LinkTable& links, const PlanRequest& request) {
  PlanInput input;
  input.model_ = &model;
  input.links_ = &links;
  input.request_ = TRY(with_defaults(model, request));
  if (nodes.size() > kPlanNodesMax)
    return refuse("{} nodes: at most {} are planned with", nodes.size(), kPlanNodesMax);
  TRY(input.choose_sites(nodes));
  input.find_shared_memories(nodes);
  input.find_layer_kinds();
  input.assume_nodes();
  input.assume_paths();
  return input;
}

// Every name of the request is that of a node that can be used, and no node has two of them.
Result<void> PlanInput::find_named(const std::vector<NodeFigures>& nodes) {
  std::map<std::string, std::string> names;
  for (const NodeFigures& node : nodes) names.emplace(node.id, node.name);
  std::vector<std::string> missing;
  for (const std::string& name : request_.nodes) {
    auto id = find_node(names, name);
    if (id.is(Errc::not_found)) {
      missing.push_back(name);
      continue;
    }
    const auto [before, is_new] = named_.try_emplace(TRY(std::move(id)), name);
    if (is_new) continue;
    return before->second == name ? refuse("the node {} is named twice", name)
                                  : refuse("{} and {} name the same node", before->second, name);
  }
  // Other replicas may have some of those that were named, not all.
  for (const std::string& name : missing) {
    const AbsentNode* absent = find_absent(name);
    if (absent == nullptr || absent->why != kTaken || named_.empty())
      return refuse_name(name, nodes);
  }
  if (request_.head.empty()) return {};
  auto head = find_node(names, request_.head);
  if (head.is(Errc::not_found)) return refuse_name(request_.head, nodes);
  named_head_ = TRY(std::move(head));
  return {};
}

const AbsentNode* PlanInput::find_absent(const std::string& name) const {
  const auto found = std::ranges::find_if(request_.absent, [&](const AbsentNode& node) {
    return node.id == name || node.name == name;
  });
  return found == request_.absent.end() ? nullptr : &*found;
}

Error PlanInput::refuse_name(const std::string& name, const std::vector<NodeFigures>& nodes) const {
  ShownNames shown;
  for (const NodeFigures& node : nodes) shown.add(node.name);
  for (const AbsentNode& node : request_.absent) shown.add(node.name);
  const AbsentNode* absent = find_absent(name);
  const std::string what =
      absent == nullptr ? "there is no node " + name
                        : fmt::format("{} {}", shown.of(absent->name, absent->id), absent->why);
  if (absent != nullptr && absent->why == kTaken) return refuse("{}", what);
  std::vector<std::string> alive;
  for (const NodeFigures& node : nodes) alive.push_back(shown.of(node.name, node.id));
  for (const AbsentNode& node : request_.absent)
    if (node.why == kTaken) alive.push_back(shown.of(node.name, node.id));
  return refuse("{}: alive are {}", what,
                alive.empty() ? "none" : fmt::format("{}", fmt::join(alive, ", ")));
}

Result<void> PlanInput::choose_sites(const std::vector<NodeFigures>& nodes) {
  TRY(find_named(nodes));
  ShownNames names;
  for (const NodeFigures& node : nodes) names.add(node.name);
  for (const NodeFigures& node : nodes) {
    if (!named_.empty() && !named_.contains(node.id)) continue;
    std::string shown = names.of(node.name, node.id);
    const auto available = node.available_bytes();
    if (!available) {
      left_out_.push_back(fmt::format("the free memory of {} is not known", shown));
      continue;
    }
    Site site{.figures = node, .assumed = node, .available = *available};
    site.figures.name = site.assumed.name = std::move(shown);
    sites_.push_back(std::move(site));
  }
  std::ranges::sort(sites_, {}, [](const Site& site) { return site.figures.id; });
  for (std::uint32_t i = 0; i < sites_.size(); ++i)
    if (sites_[i].figures.id == named_head_) head_ = i;
  for (const NodeFigures& node : nodes)
    if (node.id == named_head_ && !head_)
      return refuse("{} cannot be the head: it is not among the nodes that may be used",
                    names.of(node.name, node.id));
  return {};
}

// What one of them tells of its free memory is older than what another has taken since, or does not
// know what that has reserved and not touched: the least is what can be relied on. Nodes that are
// not used count as well: they may be about to take what they were promised.
void PlanInput::find_shared_memories(const std::vector<NodeFigures>& nodes) {
  struct Memory {
    std::optional<std::int64_t> told;  // free, less what is left to the system
    std::int64_t given_back = 0;
    std::uint32_t nodes = 0;
    std::vector<std::uint32_t> sites;
  };
  std::map<std::pair<std::string, Bytes>, Memory> memories;
  const auto memory_of = [&](const NodeFigures& node) -> Memory* {
    if (node.memory_id.empty() || !node.total_bytes || !node.free_bytes) return nullptr;
    return &memories[{node.memory_id, *node.total_bytes}];
  };
  std::set<std::string> counted;
  const auto count = [&](const std::vector<NodeFigures>& some) {
    for (const NodeFigures& node : some) {
      Memory* memory = memory_of(node);
      if (memory == nullptr || !counted.insert(node.id).second) continue;
      const std::int64_t told = static_cast<std::int64_t>(*node.free_bytes) - node.given_back -
                                static_cast<std::int64_t>(node.reserve_bytes);
      memory->told = std::min(memory->told.value_or(told), told);
      memory->given_back += node.given_back;
      ++memory->nodes;
    }
  };
  count(nodes);
  count(request_.neighbours);
  for (std::uint32_t i = 0; i < sites_.size(); ++i)
    if (Memory* memory = memory_of(sites_[i].figures)) memory->sites.push_back(i);
  for (auto& [id, memory] : memories) {
    if (memory.nodes < 2 || memory.sites.empty()) continue;
    const auto left =
        static_cast<Bytes>(std::max<std::int64_t>(0, *memory.told + memory.given_back));
    for (const std::uint32_t site : memory.sites)
      sites_[site].available = std::min(sites_[site].available, left);
    shared_memories_.push_back({.sites = std::move(memory.sites), .available = left});
  }
}

void PlanInput::find_layer_kinds() {
  for (const LayerFigures& layer : model_->layers) {
    std::uint32_t kind = 0;
    while (kind < kinds_.size() && *kinds_[kind] != layer) ++kind;
    if (kind == kinds_.size()) kinds_.push_back(&layer);
    layer_kinds_.push_back(kind);
  }
}

void PlanInput::assume_nodes() {
  std::set<std::string> types = {kAttentionRate, model_->output.type};
  for (const LayerFigures* layer : kinds_)
    for (const auto* half : {&layer->attention, &layer->feed_forward})
      for (const TypedWeights& weights : *half) types.insert(weights.type);
  const auto assume = [&](auto figure, bool low_is_bad, double otherwise) {
    std::optional<double> worst;
    for (Site& site : sites_) worse(worst, figure(site.assumed), low_is_bad);
    for (Site& site : sites_)
      if (auto& own = figure(site.assumed); !own) own = worst.value_or(otherwise);
  };
  // Where nobody knows a figure, all nodes are alike; the number itself has no meaning.
  constexpr double kAlike = 1e10;
  assume([](NodeFigures& node) -> auto& { return node.read_bandwidth; }, true, kAlike);
  for (const std::string& type : types) {
    assume([&](NodeFigures& node) -> auto& { return node.rates[type].prompt; }, true, 10 * kAlike);
    assume([&](NodeFigures& node) -> auto& { return node.rates[type].generated; }, true,
           10 * kAlike);
  }
  assume([](NodeFigures& node) -> auto& { return node.step_fixed_s; }, false, 0);
  assume([](NodeFigures& node) -> auto& { return node.layer_fixed_s; }, false, 0);
}

void PlanInput::assume_paths() {
  const std::size_t count = sites_.size();
  std::vector<LinkFigures> found(count * count);
  std::optional<double> round_trip, bandwidth;
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t j = 0; j < count; ++j) {
      if (i == j) continue;
      LinkFigures& link = found[i * count + j];
      link = links_->between(sites_[i].figures.id, sites_[j].figures.id);
      worse(round_trip, link.round_trip_s, false);
      worse(bandwidth, link.bandwidth, true);
    }
  paths_.resize(count * count);
  for (std::size_t at = 0; at < paths_.size(); ++at) {
    if (at / count == at % count) continue;
    const LinkFigures& link = found[at];
    Path& path = paths_[at];
    path.latency_s = link.round_trip_s.value_or(round_trip.value_or(0)) / 2;
    path.exchange_s = link.exchange_s.value_or(path.latency_s);
    const auto rate = link.bandwidth ? link.bandwidth : bandwidth;
    path.second_per_byte = rate ? 1 / *rate : 0;
  }
}

SiteTimes PlanInput::times_of(const Site& site, const StepRows& rows) const {
  SiteTimes times{.layer_fixed_s = *site.assumed.layer_fixed_s,
                  .step_fixed_s = *site.assumed.step_fixed_s};
  for (const LayerFigures* layer : kinds_) {
    const LayerTime whole = layer_time(site.assumed, *layer, {}, rows);
    times.kinds.push_back(
        {whole.attention.seconds - times.layer_fixed_s, whole.feed_forward.seconds});
  }
  times.output_s = output_time(site.assumed, *model_, {}, rows.generated).seconds;
  return times;
}

const std::vector<SiteTimes>& PlanInput::times(const StepRows& rows) const {
  auto& times = times_[{rows.prompt, rows.generated, rows.position}];
  if (times.empty())
    for (const Site& site : sites_) times.push_back(times_of(site, rows));
  return times;
}

void PlanInput::forget_times() const {
  constexpr std::size_t kKept = 64;
  if (times_.size() > kKept) times_.clear();
}

double PlanInput::hop_s(std::uint32_t from, std::uint32_t to, Bytes bytes) const {
  const Path& way = path(from, to);
  return way.latency_s + static_cast<double>(bytes) * way.second_per_byte;
}

PlanInput::Path PlanInput::worst_path(const std::vector<std::uint32_t>& group) const {
  Path worst;
  for (const std::uint32_t i : group)
    for (const std::uint32_t j : group) {
      worst.exchange_s = std::max(worst.exchange_s, path(i, j).exchange_s);
      worst.second_per_byte = std::max(worst.second_per_byte, path(i, j).second_per_byte);
    }
  return worst;
}

double PlanInput::reduction_s(const std::vector<std::uint32_t>& group, Bytes bytes) const {
  if (group.size() < 2) return 0;
  const Path worst = worst_path(group);
  const auto ranks = static_cast<double>(group.size());
  const double transfer_s = static_cast<double>(bytes) * worst.second_per_byte;
  const double one_shot = worst.exchange_s + (ranks - 1) * transfer_s;
  if (group.size() == 2) return one_shot;
  return std::min(one_shot, 2 * worst.exchange_s + 2 * (ranks - 1) / ranks * transfer_s);
}

// Where a + (N-1) n / B = 2a + 2 (N-1) n / (N B).
std::optional<Bytes> PlanInput::one_shot_bytes(const std::vector<std::uint32_t>& group) const {
  if (group.size() < 3) return std::nullopt;
  const Path worst = worst_path(group);
  if (worst.exchange_s <= 0 || worst.second_per_byte <= 0) return std::nullopt;
  const auto ranks = static_cast<double>(group.size());
  constexpr double kMost = 1e12;
  return static_cast<Bytes>(std::min(
      kMost, worst.exchange_s / worst.second_per_byte * ranks / ((ranks - 1) * (ranks - 2))));
}

Bytes PlanInput::kv_bytes_of(const LayerFigures& layer) const {
  return kv_bytes(request_.kv_format, std::uint64_t{layer.kv_values} * request_.kv_tokens);
}

}  // namespace drystone
