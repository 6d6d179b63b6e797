#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "serve/api/openai/openai_embeddings.h"
#include "serve/api/openai/openai_parse.h"
#include "serve/api/openai/openai_rerank.h"

// A request's body is foreign bytes: each either is understood, or refused as the client's mistake.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  if (const auto chat = drystone::parse_chat_request(body); !chat)
    CHECK(chat.error().status == 400 && !chat.error().message.empty());
  else
    CHECK(!chat->messages.empty());
  if (const auto completion = drystone::parse_completion_request(body); !completion)
    CHECK(completion.error().status == 400 && !drystone::to_json(completion.error()).empty());
  if (const auto embedding = drystone::parse_embedding_request(body); !embedding)
    CHECK(embedding.error().status == 400 && !embedding.error().message.empty());
  else
    CHECK(!embedding->inputs.empty());
  if (const auto ranking = drystone::parse_rerank_request(body); !ranking)
    CHECK(ranking.error().status == 400 && !ranking.error().message.empty());
  else
    CHECK(!ranking->documents.empty() && !ranking->query.empty());
  return 0;
}
