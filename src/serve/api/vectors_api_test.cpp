// Embeddings and ranking in OpenAI's dialect.
#include <cmath>

#include "serve/http/test_server.h"

namespace drystone {
namespace {

namespace json = boost::json;

constexpr const char* kEmbeddings = "/v1/embeddings";
constexpr const char* kRerank = "/v1/rerank";

TEST(Embeddings, AnswersEachInputInOrder) {
  TestServer server;
  TestClient client = server.connect();
  const auto reply = client.ask("POST", kEmbeddings,
                                R"({"model":"alias","input":["AB","ABC"],"normalize":false})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_TRUE(reply.headers.contains("x-request-id"));
  const auto body = reply.json();
  EXPECT_EQ(body.at("object"), "list");
  EXPECT_EQ(body.at("model"), "scripted");
  EXPECT_EQ(body.at("usage"), (json::value{{"prompt_tokens", 5}, {"total_tokens", 5}}));
  ASSERT_EQ(body.at("data").as_array().size(), 2u);
  EXPECT_EQ(body.at("data").at(0).at("embedding"), json::parse("[2,65,66]"));
  EXPECT_EQ(body.at("data").at(1).at("embedding"), json::parse("[3,65,67]"));
  EXPECT_EQ(body.at("data").at(1).at("index"), 1);
  EXPECT_EQ(body.at("data").at(1).at("object"), "embedding");
}

// All forms that OpenAI documents for `input` must mean the same text.
TEST(Embeddings, TakesTextsAndTokenIds) {
  TestServer server;
  TestClient client = server.connect();
  const auto vectors = [&](const std::string& input) {
    const auto body = client.ask("POST", kEmbeddings, R"({"input":)" + input + "}").json();
    json::array out;
    for (const auto& one : body.at("data").as_array()) out.push_back(one.at("embedding"));
    return out;
  };
  const auto expected = vectors(R"("AB")");
  ASSERT_EQ(expected.size(), 1u);
  EXPECT_EQ(vectors(R"(["AB"])"), expected);
  EXPECT_EQ(vectors("[65,66]"), expected);
  EXPECT_EQ(vectors("[[65,66]]"), expected);
}

TEST(Embeddings, FormsOfAVector) {
  TestServer server;
  TestClient client = server.connect();
  const auto vector = [&](const std::string& more) {
    return client.ask("POST", kEmbeddings, R"({"input":"AB",)" + more + "}")
        .json()
        .at("data")
        .at(0)
        .at("embedding");
  };
  // 2.0f, 65.0f, 66.0f
  EXPECT_EQ(vector(R"("normalize":false,"encoding_format":"base64")"), "AAAAQAAAgkIAAIRC");
  EXPECT_EQ(vector(R"("dimensions":1)"), json::parse("[1]"));
  const auto two = vector(R"("dimensions":2)");
  EXPECT_NEAR(two.at(1).to_number<double>(), 65 / std::hypot(2.0, 65.0), 1e-6);
  EXPECT_EQ(vector(R"("normalize":false,"pooling":"mean")"), json::parse("[2,65.5,0]"));
}

// Wrong requests must say which of many inputs is at fault, and by how much.
TEST(Embeddings, RefusesWithFieldAndFigures) {
  TestServer server;
  TestClient client = server.connect();
  const auto refused = [&](const std::string& body, const char* param, const std::string& words) {
    const auto reply = client.ask("POST", kEmbeddings, body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_EQ(reply.json().at("error").at("param"), param) << reply.body;
    EXPECT_NE(reply.body.find(words), std::string::npos) << reply.body;
  };
  refused("{}", "input", "missing");
  refused(R"({"input":[]})", "input", "empty");
  refused(R"({"input":""})", "input", "empty");
  refused(R"({"input":["a",""]})", "input[1]", "empty");
  refused(R"({"input":["a",{}]})", "input[1]", "an object");
  refused(R"({"input":[300]})", "input", "300");
  refused(R"({"input":"a","dimensions":4})", "dimensions", "have 3");
  refused(R"({"input":"a","dimensions":0})", "dimensions", "between");
  refused(R"({"input":"a","encoding_format":"hex"})", "encoding_format", "base64");
  refused(R"({"input":"a","pooling":"max"})", "pooling", "mean");
  refused(R"({"input":["a",")" + std::string(1001, 'x') + R"("]})", "input[1]",
          "context length is 1000 tokens, but 'input[1]' has 1001");
  std::string too_many = R"("a")";
  for (int i = 0; i < 2048; ++i) too_many += R"(,"a")";
  refused(R"({"input":[)" + too_many + "]}", "input", "2049 texts");
  const auto other = client.ask("POST", kEmbeddings, R"({"model":"gpt","input":"a"})");
  EXPECT_EQ(other.status, 404);
}

// What no queue will ever take must not be asked for again and again.
TEST(Embeddings, ATextThatTheCacheCannotHoldIsRefused) {
  TestServer server;
  const auto reply = server.connect().ask(
      "POST", kEmbeddings, R"({"input":["a","b",")" + std::string(1000, 'x') + R"("]})");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(error_code_of(reply), "context_length_exceeded");
  EXPECT_NE(reply.body.find("950"), std::string::npos) << reply.body;
}

std::string many_inputs(int count) {
  std::string body = R"({"normalize":false,"input":[)";
  for (int i = 0; i < count; ++i)
    body += (i == 0 ? "\"" : ",\"") + std::string(1 + i % 9, 'x') + "\"";
  return body + "]}";
}

// One request with an index's worth of texts must neither be refused by a short queue nor fill it
// for everybody else.
TEST(Embeddings, ManyInputsPassThroughAShortQueue) {
  TestServer server({}, true, /*queue_max=*/2);
  const auto reply = server.connect().ask("POST", kEmbeddings, many_inputs(200));
  ASSERT_EQ(reply.status, 200) << reply.body;
  const auto body = reply.json();
  ASSERT_EQ(body.at("data").as_array().size(), 200u);
  for (int i = 0; i < 200; ++i)
    EXPECT_EQ(body.at("data").at(static_cast<std::size_t>(i)).at("embedding").at(0), 1 + i % 9);
}

// An index that is being made must not delay the question that somebody asks meanwhile.
TEST(Embeddings, SeveralTextsMatterLessThanOne) {
  TestServer server;
  TestClient client = server.connect();
  const auto priority = [&](const std::string& body) {
    EXPECT_EQ(client.ask("POST", kEmbeddings, body).status, 200);
    return server.script.last.priority;
  };
  EXPECT_EQ(priority(R"({"input":"a"})"), 0);
  EXPECT_EQ(priority(R"({"input":["a","b"]})"), 1);
  EXPECT_EQ(priority(R"({"input":["a","b"],"priority":-3,"cache_salt":"s"})"), -3);
  EXPECT_EQ(server.script.last.cache_salt, "s");
}

// A client that leaves takes the rest of its texts with it.
TEST(Embeddings, LeavingEndsTheWork) {
  TestServer server;
  server.script.hold(true);
  {
    TestClient client = server.connect();
    client.send("POST", kEmbeddings, many_inputs(200));
    ASSERT_TRUE(server.script.wait_for([](const auto& script) { return !script.started.empty(); }));
  }
  ASSERT_TRUE(server.script.wait_for([](const auto& script) { return script.cancelled == 1; }));
  server.script.hold(false);
  EXPECT_EQ(server.connect().ask("POST", kEmbeddings, R"({"input":"last"})").status, 200);
  const std::lock_guard lock(server.script.mutex);
  EXPECT_EQ(server.script.started.size(), 2u) << "the first one, and that of the second client";
}

TEST(Rerank, SortsByRelevance) {
  TestServer server;
  server.script.ranks = true;
  TestClient client = server.connect();
  const auto body =
      client.ask("POST", kRerank, R"({"query":"q","documents":["a",{"text":"z"},"m"]})").json();
  EXPECT_EQ(body.at("object"), "list");
  EXPECT_EQ(body.at("model"), "scripted");
  EXPECT_EQ(body.at("usage").at("total_tokens"), 9);
  const auto& results = body.at("results").as_array();
  ASSERT_EQ(results.size(), 3u);
  for (const auto& [place, index, letter] :
       {std::tuple{0u, 1, 'z'}, std::tuple{1u, 2, 'm'}, std::tuple{2u, 0, 'a'}}) {
    EXPECT_EQ(results[place].at("index"), index);
    EXPECT_NEAR(results[place].at("relevance_score").to_number<double>(), letter / 256.0, 1e-6);
    EXPECT_FALSE(results[place].as_object().contains("document"));
  }
  for (const char* path : {"/rerank", "/v2/rerank"}) {
    const auto first =
        client
            .ask("POST", path,
                 R"({"query":"q","documents":["a","z"],"top_n":1,"return_documents":true})")
            .json()
            .at("results");
    ASSERT_EQ(first.as_array().size(), 1u);
    EXPECT_EQ(first.at(0).at("document").at("text"), "z");
  }
}

TEST(Rerank, RefusesWithFieldAndFigures) {
  TestServer server;
  server.script.ranks = true;
  TestClient client = server.connect();
  const auto refused = [&](const std::string& body, const char* param) {
    const auto reply = client.ask("POST", kRerank, body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_EQ(reply.json().at("error").at("param"), param) << reply.body;
  };
  refused(R"({"documents":["a"]})", "query");
  refused(R"({"query":"a"})", "documents");
  refused(R"({"query":"a","documents":[]})", "documents");
  refused(R"({"query":"a","documents":["b",{}]})", "documents[1].text");
  refused(R"({"query":"a","documents":["b",3]})", "documents[1]");
  refused(R"({"query":"a","documents":["b"],"top_n":0})", "top_n");
  refused(R"({"query":"a","documents":["b"],"max_tokens_per_doc":10})", "max_tokens_per_doc");
  refused(R"({"query":"a","documents":["b",")" + std::string(1000, 'x') + R"("]})", "documents[1]");
}

// Whoever asks the wrong model must hear so, not get numbers without meaning.
TEST(Rerank, EachModelDoesWhatItIsMadeFor) {
  TestServer server;
  TestClient client = server.connect();
  const auto code = [&](const char* path, const std::string& body) {
    const auto reply = client.ask("POST", path, body);
    EXPECT_EQ(reply.status, 400) << path;
    return error_code_of(reply);
  };
  EXPECT_EQ(code(kRerank, R"({"query":"a","documents":["b"]})"), "unsupported_model");
  server.script.ranks = true;
  EXPECT_EQ(code(kEmbeddings, R"({"input":"a"})"), "unsupported_model");
  EXPECT_EQ(code(kEmbeddings, R"({"input":"a","pooling":"last"})"), "unsupported_model");
  EXPECT_EQ(code("/v1/completions", R"({"prompt":"a"})"), "unsupported_model");
  EXPECT_EQ(code("/v1/chat/completions", chat_body("Hi")), "unsupported_model");
  const auto can = client.ask("POST", "/api/show", "{}").json().at("capabilities");
  EXPECT_EQ(can, json::array{"rerank"});
}

}  // namespace
}  // namespace drystone
