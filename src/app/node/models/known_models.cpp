#include "app/node/models/known_models.h"

#include <algorithm>
#include <boost/json.hpp>

#include "app/node/state/kept_text.h"
#include "cluster/wire/json_fields.h"

namespace drystone {
namespace {

namespace json = boost::json;

constexpr std::size_t kFileMax = 8 << 20, kNameMax = 256, kPathMax = 4096;

Result<std::vector<KnownModels::Model>> read(const std::string& text) {
  const json::value value = TRY(parse_json(text, {.bytes_max = kFileMax}, "the known models"));
  JsonFields fields(value, "the known models");
  std::vector<KnownModels::Model> models;
  if (const json::array* list = fields.need_array("models", KnownModels::kModelsMax))
    for (const json::value& item : *list) {
      JsonFields one(item, "a known model");
      KnownModels::Model model;
      std::string path;
      one.string("model", model.model, kNameMax);
      one.string("identity", model.identity, kNameMax);
      one.string("path", path, kPathMax);
      TRY(one.finish());
      model.path = path;
      models.push_back(std::move(model));
    }
  TRY(fields.finish());
  return models;
}

template <typename Wanted>
std::vector<KnownModels::Model> newest_first(const std::vector<KnownModels::Model>& models,
                                             Wanted wanted) {
  std::vector<KnownModels::Model> found;
  std::copy_if(models.rbegin(), models.rend(), std::back_inserter(found), wanted);
  return found;
}

}  // namespace

KnownModels::KnownModels(std::filesystem::path file) : file_(std::move(file)) {
  const auto text = read_kept_text(file_, kFileMax);
  if (!text || !*text) return;
  if (auto models = read(**text)) models_ = *std::move(models);
}

std::vector<KnownModels::Model> KnownModels::of_identity(const std::string& identity) const {
  const std::lock_guard lock(mutex_);
  return newest_first(models_, [&](const Model& model) { return model.identity == identity; });
}

std::vector<KnownModels::Model> KnownModels::of_name(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return newest_first(models_, [&](const Model& model) { return model.model == name; });
}

Result<void> KnownModels::remember(const Model& model) {
  const std::lock_guard lock(mutex_);
  if (std::ranges::find(models_, model) != models_.end()) return {};
  // Another file at the same path is another model now.
  std::erase_if(models_, [&](const Model& old) { return old.path == model.path; });
  models_.push_back(model);
  if (models_.size() > kModelsMax) models_.erase(models_.begin());
  json::array list;
  for (const Model& each : models_)
    list.push_back(
        {{"model", each.model}, {"identity", each.identity}, {"path", each.path.string()}});
  return keep_text(file_, json::serialize(json::object{{"models", std::move(list)}}));
}

}  // namespace drystone
