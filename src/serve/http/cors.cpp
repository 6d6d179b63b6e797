#include "serve/http/cors.h"

namespace drystone {

namespace {
// What clients send from web pages, the OpenAI and Anthropic libraries' among them.
constexpr std::string_view kCorsRequestHeaders =
    "Authorization, Content-Type, X-Api-Key, OpenAI-Organization, OpenAI-Project, "
    "Anthropic-Version, Anthropic-Beta, Anthropic-Dangerous-Direct-Browser-Access, "
    "X-Stainless-Lang, X-Stainless-Package-Version, X-Stainless-OS, X-Stainless-Arch, "
    "X-Stainless-Runtime, X-Stainless-Runtime-Version, X-Stainless-Retry-Count, "
    "X-Stainless-Timeout, X-Stainless-Helper-Method";
}  // namespace

HttpReply options_reply(const std::string& allowed, const std::string& origin) {
  HttpReply reply{.status = 204};
  reply.headers.emplace_back("Allow", allowed);
  if (!origin.empty()) {
    reply.headers.emplace_back("Access-Control-Allow-Methods", allowed);
    reply.headers.emplace_back("Access-Control-Allow-Headers", std::string(kCorsRequestHeaders));
    reply.headers.emplace_back("Access-Control-Max-Age", "600");
  }
  return reply;
}

void add_cors(HttpHeaders& headers, const std::string& origin) {
  if (origin.empty()) return;
  headers.emplace_back("Access-Control-Allow-Origin", origin);
  headers.emplace_back("Vary", "Origin");
  headers.emplace_back("Access-Control-Expose-Headers",
                       "X-Request-Id, Retry-After, Drystone-Ignored-Parameters");
}

}  // namespace drystone
