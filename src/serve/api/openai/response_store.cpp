#include "serve/api/openai/response_store.h"

#include <fmt/format.h>

namespace drystone {
namespace json = boost::json;

namespace {

ApiError missing(const std::string& id) {
  return {.status = 404,
          .type = "invalid_request_error",
          .message = fmt::format("There is no response '{}' here. Responses are kept in memory, a "
                                 "bounded number of them; send the whole conversation as 'input'.",
                                 id.substr(0, 128)),
          .param = "previous_response_id",
          .code = "previous_response_not_found"};
}

}  // namespace

std::optional<ResponseStore::Order::iterator> ResponseStore::find(const std::string& id) const {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return std::nullopt;
  if (clock_.monotonic() - found->second->since > kAgeMax) {
    drop(found->second);
    return std::nullopt;
  }
  order_.splice(order_.begin(), order_, found->second);
  return found->second;
}

void ResponseStore::drop(Order::iterator kept) const {
  bytes_ -= kept->bytes;
  by_id_.erase(kept->id);
  order_.erase(kept);
}

void ResponseStore::put(const std::string& id, Entry entry) {
  const std::size_t bytes =
      json::serialize(entry.response).size() + json::serialize(entry.history).size();
  if (bytes > kBytesMax) return;
  const std::lock_guard lock(mutex_);
  order_.push_front({id, std::move(entry), bytes, clock_.monotonic()});
  by_id_[id] = order_.begin();
  bytes_ += bytes;
  while (bytes_ > kBytesMax || order_.size() > kResponsesMax) drop(std::prev(order_.end()));
}

ApiResult<json::array> ResponseStore::history(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = find(id);
  if (!found) return missing(id);
  return (*found)->entry.history;
}

ApiResult<json::value> ResponseStore::show(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = find(id);
  if (!found) return missing(id);
  return json::value((*found)->entry.response);
}

ApiResult<json::value> ResponseStore::erase(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = find(id);
  if (!found) return missing(id);
  drop(*found);
  return json::value{{"id", id}, {"object", "response.deleted"}, {"deleted", true}};
}

}  // namespace drystone
