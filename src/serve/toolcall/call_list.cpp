#include "serve/toolcall/reply_context.h"

namespace drystone::reply {

Parse<bool> read_call_list(ReplyContext& reply, std::string_view open, std::string_view close,
                           bool begun, const ReadOneCall& read_one) {
  ReplyReader& in = reply.in;
  bool found = false;
  while (true) {
    if (!begun) begun = co_await spaced_literal(in, open);
    if (!begun) break;
    const JsonCall call = co_await read_one();
    if (call == JsonCall::none) break;
    found = true;
    in.hold();
    if (call == JsonCall::broken) break;
    begun = false;
  }
  if (found) {
    in.rewind();
    co_await spaced_literal(in, close);
  }
  co_return found;
}

}  // namespace drystone::reply
