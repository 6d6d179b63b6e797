#include "serve/toolcall/reply_splitter.h"

#include <utility>

#include "base/check.h"
#include "serve/toolcall/reply_context.h"

namespace drystone {
namespace {

bool short_ids(ToolFormat format) {
  return format == ToolFormat::mistral_array || format == ToolFormat::mistral_args;
}

}  // namespace

struct ReplySplitter::Impl {
  explicit Impl(const SplitterOptions& options)
      : reply{.format = options.format,
              .tools = reply::ToolSchemas(options.tools),
              .reasoning_open = options.reasoning_open,
              .out = reply::PartWriter(options.id_seed, short_ids(options.format.tools)),
              .in = {}},
        parser(options.format.tools == ToolFormat::harmony ? read_harmony(reply)
                                                           : read_reply(reply)) {
    parser.start();
  }

  reply::ReplyContext reply;
  reply::Parse<reply::Done> parser;  // of `reply`
};

ReplySplitter::ReplySplitter(const SplitterOptions& options)
    : impl_(std::make_unique<Impl>(options)) {}
ReplySplitter::ReplySplitter(ReplySplitter&&) noexcept = default;
ReplySplitter& ReplySplitter::operator=(ReplySplitter&&) noexcept = default;
ReplySplitter::~ReplySplitter() = default;

std::vector<ReplyPart> ReplySplitter::push(std::string_view text) {
  impl_->reply.in.append(text);
  return impl_->reply.out.take();
}

std::vector<ReplyPart> ReplySplitter::finish(ReplyEnd end) {
  impl_->reply.in.end(end);
  return impl_->reply.out.finish();
}

bool ReplySplitter::in_reasoning() const { return impl_->reply.in_reasoning; }

}  // namespace drystone
