#include "model/chat_prompt/rank_prompt.h"

#include <fmt/format.h>

#include <algorithm>

namespace drystone {
namespace {

constexpr std::string_view kQuery = "{query}", kDocument = "{document}";

}  // namespace

Result<RankPrompt> RankPrompt::create(const Tokenizer& tokenizer, std::string rank_template) {
  for (const std::string_view word : {kQuery, kDocument})
    if (rank_template.find(word) == std::string::npos)
      return Error(Errc::corrupt, fmt::format("the template for ranking has no place for {}: '{}'",
                                              word, rank_template.substr(0, 256)));
  return RankPrompt(tokenizer, std::move(rank_template));
}

std::vector<TokenId> RankPrompt::encode(std::string_view query, std::string_view document) const {
  const std::string marked_query = marks_.marked(query), marked_document = marks_.marked(document);
  // Piece by piece: a query that contains "{document}" stays as it is.
  std::string text;
  for (std::string_view rest = template_; !rest.empty();) {
    const std::size_t at = std::min({rest.find(kQuery), rest.find(kDocument), rest.size()});
    text += rest.substr(0, at);
    rest.remove_prefix(at);
    if (rest.starts_with(kQuery)) {
      text += marked_query;
      rest.remove_prefix(kQuery.size());
    } else if (rest.starts_with(kDocument)) {
      text += marked_document;
      rest.remove_prefix(kDocument.size());
    }
  }
  return marks_.encode(text, /*add_special=*/false);
}

}  // namespace drystone
