#include "serve/http/reply_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace drystone {

namespace {

std::string status_line(int status) {
  return fmt::format("HTTP/1.1 {} {}\r\nServer: drystone\r\n", status, status_text(status));
}

std::string header_fields(const HttpHeaders& headers, const ReplyFraming& framing) {
  std::string out;
  for (const auto& [name, value] : headers) out += fmt::format("{}: {}\r\n", name, value);
  if (!framing.keep_alive) out += "Connection: close\r\n";
  if (framing.keep_alive && framing.http_1_0) out += "Connection: keep-alive\r\n";
  return out + "X-Content-Type-Options: nosniff\r\n\r\n";
}

}  // namespace

std::string reply_head(const HttpReply& reply, const ReplyFraming& framing) {
  std::string out = status_line(reply.status);
  if (reply.status != 204)
    out += fmt::format("Content-Type: {}\r\nContent-Length: {}\r\n", reply.content_type,
                       reply.body.size());
  return out + header_fields(reply.headers, framing);
}

std::string events_head(const HttpHeaders& headers, const ReplyFraming& framing) {
  const bool typed = std::any_of(headers.begin(), headers.end(),
                                 [](const auto& field) { return field.first == "Content-Type"; });
  std::string out = status_line(200) + "Cache-Control: no-cache\r\n";
  if (!typed) out += "Content-Type: text/event-stream\r\n";
  if (!framing.http_1_0) out += "Transfer-Encoding: chunked\r\n";
  return out + header_fields(headers, framing);
}

std::string chunk_text(std::string_view data) {
  return fmt::format("{:x}\r\n{}\r\n", data.size(), data);
}

}  // namespace drystone
