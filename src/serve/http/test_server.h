#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

#include "serve/api/dialects.h"
#include "serve/http/scripted_model.h"
#include "serve/http/server.h"
#include "serve/http/test_client.h"

namespace drystone {

// A server with a scripted model, on a free port of this machine.
class TestServer {
 public:
  explicit TestServer(ServerOptions options = {}, bool with_model = true,
                      std::size_t queue_max = 64)
      : queue_max_(queue_max) {
    if (options.model_names.empty()) options.model_names = {"scripted", "alias"};
    if (options.endpoints.empty()) options.endpoints = all_dialects();
    auto server = Server::listen(std::move(options), clock_);
    CHECK(server.has_value(), server.error().message());
    server_ = std::move(*server);
    if (with_model) load();
    thread_ = std::thread([this] { server_->run(); });
  }
  ~TestServer() {
    script.hold(false);
    stop();
  }
  void stop() {
    server_->stop();
    join();
  }
  void join() {
    if (thread_.joinable()) thread_.join();
  }
  void load() { server_->set_model(std::make_unique<ScriptedModel>(script, queue_max_)); }
  Server& server() { return *server_; }
  std::uint16_t port() const {
    const std::string url = server_->url();
    return static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
  }
  TestClient connect() const { return TestClient(port()); }

  ScriptedModel::Script script;

 private:
  SystemClock clock_;
  std::size_t queue_max_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

inline std::string chat_body(const std::string& content, const std::string& more = "") {
  return R"({"messages":[{"role":"user","content":")" + content + R"("}])" +
         (more.empty() ? "" : "," + more) + "}";
}

inline std::string error_code_of(const TestReply& reply) {
  const auto json = reply.json();
  const auto& code = json.at("error").at("code");
  return code.is_string() ? std::string(code.get_string()) : "null";
}

}  // namespace drystone
