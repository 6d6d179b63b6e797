#include "model/chat_template/chat_template.h"

#include <new>

#include "model/chat_template/parser.h"
#include "model/chat_template/render.h"

namespace drystone {

struct ChatTemplate::Impl {
  jinja::Body body;
};

ChatTemplate::ChatTemplate(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

Result<ChatTemplate> ChatTemplate::parse(std::string_view source) {
  try {
    auto impl = std::make_unique<Impl>();
    impl->body = jinja::parse_template(source);
    return ChatTemplate(std::move(impl));
  } catch (const jinja::Failure& failure) {
    return Error(failure.code, failure.message);
  }
}

Result<std::string> ChatTemplate::render(const boost::json::object& variables, std::tm now) const {
  try {
    return jinja::render(impl_->body, variables, now, jinja::Limits{});
  } catch (const jinja::Failure& failure) {
    return Error(failure.code, failure.message);
  } catch (const std::bad_alloc&) {
    return Error(Errc::limit, "rendering the chat template ran out of memory");
  }
}

}  // namespace drystone
