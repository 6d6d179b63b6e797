#include <gtest/gtest.h>

#include "serve/http/test_server.h"

namespace drystone {
namespace {

constexpr const char* kPage = "Origin: https://chat.example\r\n";
constexpr const char* kPreflight =
    "Origin: https://chat.example\r\nAccess-Control-Request-Method: POST\r\n"
    "Access-Control-Request-Headers: authorization,content-type\r\n";

TEST(Cors, IsOffUnlessAnOriginIsNamed) {
  TestServer server({.api_keys = {"secret"}});
  TestReply reply = server.connect().ask("OPTIONS", "/v1/models", "", kPreflight);
  EXPECT_EQ(reply.status, 401);
  EXPECT_FALSE(reply.headers.contains("access-control-allow-origin"));
}

// A browser asks without the key; only what it may send is told, never an answer of the model.
TEST(Cors, AnswersThePreflightOfANamedOriginWithoutTheKey) {
  TestServer server({.api_keys = {"secret"}, .cors_origins = {"https://chat.example"}});
  TestClient client = server.connect();
  TestReply reply = client.ask("OPTIONS", "/v1/chat/completions", "", kPreflight);
  EXPECT_EQ(reply.status, 204);
  EXPECT_EQ(reply.headers["access-control-allow-origin"], "https://chat.example");
  EXPECT_EQ(reply.headers["vary"], "Origin");
  EXPECT_NE(reply.headers["access-control-allow-methods"].find("POST"), std::string::npos);
  EXPECT_NE(reply.headers["access-control-allow-headers"].find("Authorization"), std::string::npos);
  EXPECT_EQ(client.ask("GET", "/v1/models", "", kPage).status, 401);
  reply = client.ask("POST", "/v1/chat/completions", chat_body("Hi", R"("stream":true)"),
                     std::string(kPage) + "Authorization: Bearer secret\r\n");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.headers["access-control-allow-origin"], "https://chat.example");
}

TEST(Cors, TellsOtherOriginsNothing) {
  TestServer server({.cors_origins = {"https://chat.example"}});
  TestReply reply =
      server.connect().ask("GET", "/v1/models", "", "Origin: https://evil.example\r\n");
  EXPECT_EQ(reply.status, 403);
  EXPECT_FALSE(reply.headers.contains("access-control-allow-origin"));
  EXPECT_EQ(server.connect().ask("GET", "/v1/models", "", kPage).status, 200);
}

TEST(Keys, MayComeAsXApiKeyAndBeHashed) {
  const auto made = make_api_key();
  ASSERT_TRUE(made);
  TestServer server({.api_keys = {made->line}});
  TestClient client = server.connect();
  EXPECT_EQ(client.ask("GET", "/v1/models", "", "X-Api-Key: " + made->key + "\r\n").status, 200);
  EXPECT_EQ(client.ask("GET", "/v1/models", "", "X-Api-Key: " + made->line + "\r\n").status, 401);
  EXPECT_EQ(
      client.ask("GET", "/v1/models", "", "Authorization: Bearer " + made->key + "\r\n").status,
      200);
}

}  // namespace
}  // namespace drystone
