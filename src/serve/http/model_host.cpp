#include "serve/http/model_host.h"

#include <fmt/format.h>

#include <algorithm>

#include "serve/http/utf8.h"

namespace drystone {

ModelHost::ModelHost(std::vector<std::string> names) : names_(std::move(names)) {
  CHECK(!names_.empty());
}

void ModelHost::set_model(std::unique_ptr<ServedModel> model, std::int64_t unix_time_s) {
  CHECK(model_ == nullptr);
  model_ = std::move(model);
  loaded_unix_s_ = unix_time_s;
}

void ModelHost::close() {
  closed_ = true;
  if (model_ != nullptr) model_->jobs().cancel_all();
}

bool ModelHost::has_name(std::string_view name) const {
  return std::find(names_.begin(), names_.end(), name) != names_.end();
}

ApiResult<ModelHost::Ready> ModelHost::ready() const {
  if (closed_)
    return ApiError{.status = 503, .message = "The server is stopping.", .code = "server_stopping"};
  if (model_ == nullptr)
    return ApiError{
        .status = 503,
        .message = fmt::format("The model {} is still loading ({:.0f}%). Try again in a moment.",
                               names_[0], progress() * 100),
        .code = "model_loading",
        .retry_after_s = 1};
  return Ready{*model_};
}

ApiResult<ModelHost::Ready> ModelHost::find(std::string_view name) const {
  if (!name.empty() && !has_name(name))
    return ApiError{
        .status = 404,
        .type = "invalid_request_error",
        .message = fmt::format("The model '{}' does not exist here; this server has '{}'.",
                               valid_utf8(name.substr(0, 256)), fmt::join(names_, "', '")),
        .param = "model",
        .code = "model_not_found"};
  return ready();
}

}  // namespace drystone
