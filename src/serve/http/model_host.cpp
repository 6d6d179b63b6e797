#include "serve/http/model_host.h"

#include <fmt/format.h>

#include <algorithm>

#include "serve/http/utf8.h"

namespace drystone {

namespace {

ApiError stopping_error() {
  return {.status = 503, .message = "The server is stopping.", .code = "server_stopping"};
}

}  // namespace

std::optional<ApiError> HeldModel::gone() const {
  if (facts_->stopping)
    return ApiError{.status = 503,
                    .message = "The server is stopping; the answer is incomplete.",
                    .code = "server_stopping"};
  if (facts_->removed)
    return ApiError{
        .status = 503,
        .message = fmt::format("The model {} was unloaded; the answer is incomplete.", name()),
        .code = "model_unloaded"};
  return std::nullopt;
}

ModelHost::ModelHost(const Clock& clock, bool needs_model)
    : clock_(clock), needs_model_(needs_model) {}

ModelHost::~ModelHost() { close(); }

Result<void> ModelHost::add(std::vector<std::string> names) {
  CHECK(!names.empty());
  const std::lock_guard lock(mutex_);
  if (entries_.size() >= kModelsMax)
    return Error(Errc::limit, fmt::format("{} models are served already", kModelsMax));
  for (const std::string& name : names)
    if (find_entry(name) != nullptr)
      return Error(Errc::invalid_argument,
                   fmt::format("the name {} is that of a model that is served already", name));
  Entry entry{.shown = {.names = std::move(names), .held = std::nullopt}, .order = ++last_order_};
  std::string key = entry.shown.names[0];
  entries_.emplace(std::move(key), std::move(entry));
  return {};
}

void ModelHost::set_progress(std::string_view name, double done) {
  const std::lock_guard lock(mutex_);
  if (const auto at = entries_.find(name); at != entries_.end()) at->second.shown.progress = done;
}

void ModelHost::set_ready(std::string_view name, std::shared_ptr<ServedModel> model) {
  CHECK(model != nullptr);
  model = last_release_.elsewhere(std::move(model));
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(name);
  if (at == entries_.end() || closed_) return;
  Shown& shown = at->second.shown;
  HeldModel held;
  held.model_ = std::move(model);
  held.facts_ = std::make_shared<HeldModel::Facts>();
  held.facts_->names = shown.names;
  held.facts_->loaded_unix_s = unix_seconds(clock_);
  shown.state = State::ready;
  shown.progress = 1;
  shown.error.clear();
  shown.held = std::move(held);
}

void ModelHost::set_failed(std::string_view name, const Error& error) {
  std::optional<HeldModel> held;
  {
    const std::lock_guard lock(mutex_);
    const auto at = entries_.find(name);
    if (at == entries_.end()) return;
    at->second.shown.state = State::failed;
    at->second.shown.error = error.message();
    held = std::exchange(at->second.shown.held, std::nullopt);
  }
  let_go(std::move(held), /*stopping=*/false);
}

bool ModelHost::remove(std::string_view name) {
  std::optional<HeldModel> held;
  {
    const std::lock_guard lock(mutex_);
    const auto at = entries_.find(name);
    if (at == entries_.end()) return false;
    held = std::move(at->second.shown.held);
    entries_.erase(at);
  }
  let_go(std::move(held), /*stopping=*/false);
  return true;
}

void ModelHost::close() {
  std::vector<std::optional<HeldModel>> held;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    // They stay listed: requests that come now hear that the server stops.
    for (auto& [name, entry] : entries_) held.push_back(entry.shown.held);
  }
  for (auto& one : held) let_go(std::move(one), /*stopping=*/true);
}

// Callers look at gone() behind submit(), so no job slips between the two lines.
void ModelHost::let_go(std::optional<HeldModel> held, bool stopping) {
  if (!held) return;
  (stopping ? held->facts_->stopping : held->facts_->removed) = true;
  held->model_->jobs().cancel_all();
}

const ModelHost::Entry* ModelHost::find_entry(std::string_view name) const {
  for (const auto& [key, entry] : entries_)
    if (std::ranges::find(entry.shown.names, name) != entry.shown.names.end()) return &entry;
  return nullptr;
}

std::vector<const ModelHost::Entry*> ModelHost::in_order() const {
  std::vector<const Entry*> all;
  for (const auto& [name, entry] : entries_) all.push_back(&entry);
  std::ranges::sort(all, {}, &Entry::order);
  return all;
}

ApiError ModelHost::not_ready(const Entry& entry) const {
  const std::string& name = entry.shown.names[0];
  if (entry.shown.state == State::failed)
    return {.status = 503,
            .message = fmt::format("The model {} could not be loaded: {}", name,
                                   valid_utf8(entry.shown.error)),
            .code = "model_failed"};
  return {.status = 503,
          .message = fmt::format("The model {} is still loading ({:.0f}%). Try again in a moment.",
                                 name, entry.shown.progress * 100),
          .code = "model_loading",
          .retry_after_s = 1};
}

ApiError ModelHost::not_here(std::string_view name) const {
  std::vector<std::string> names;
  for (const Entry* entry : in_order())
    names.insert(names.end(), entry->shown.names.begin(), entry->shown.names.end());
  if (name.empty() && !names.empty())
    return {.status = 400,
            .type = "invalid_request_error",
            .message =
                fmt::format("'model' is missing; this server has '{}'.", fmt::join(names, "', '")),
            .param = "model",
            .code = "missing_required_parameter"};
  const std::string has = names.empty() ? "no model yet: load one with `drystone load MODEL`"
                                        : fmt::format("'{}'", fmt::join(names, "', '"));
  return {.status = 404,
          .type = "invalid_request_error",
          .message = fmt::format("The model '{}' does not exist here; this server has {}.",
                                 valid_utf8(name.substr(0, 256)), has),
          .param = "model",
          .code = "model_not_found"};
}

ApiResult<HeldModel> ModelHost::find(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const Entry* found = nullptr;
  if (!name.empty())
    found = find_entry(name);
  else if (entries_.size() == 1)
    found = &entries_.begin()->second;
  if (found == nullptr) return not_here(name);
  if (closed_) return stopping_error();
  if (!found->shown.held) return not_ready(*found);
  return *found->shown.held;
}

std::optional<ApiError> ModelHost::refusal() const {
  const std::lock_guard lock(mutex_);
  if (closed_) return stopping_error();
  if (!needs_model_) return std::nullopt;
  const auto all = in_order();
  for (const Entry* entry : all)
    if (entry->shown.held) return std::nullopt;
  return all.empty() ? not_here("") : not_ready(*all[0]);
}

std::vector<ModelHost::Shown> ModelHost::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<Shown> out;
  for (const Entry* entry : in_order()) out.push_back(entry->shown);
  return out;
}

}  // namespace drystone
