#pragma once

#include <boost/beast/http/message.hpp>
#include <optional>

#include "serve/http/exchange.h"
#include "serve/http/session.h"

namespace drystone {

// Takes the header of a request into `exchange`, and refuses what can be refused before the body is
// read: framing that others may see differently, strangers, paths that nobody has. After a refusal
// exchange.keep_alive may have become false.
std::optional<ApiError> take_head(const boost::beast::http::request_header<>& header,
                                  const SessionContext& context, Exchange& exchange);

// A refusal of the transport's own.
ApiError http_refusal(int status, std::string message, std::string code);

}  // namespace drystone
