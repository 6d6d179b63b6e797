#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/classifier.h"
#include "model/arch/architecture.h"
#include "model/chat_prompt/chat_prompt.h"
#include "model/chat_prompt/rank_prompt.h"
#include "serve/constraint_cache.h"
#include "serve/http/served_model.h"
#include "serve/toolcall/template_habits.h"

namespace drystone {

// Of a model all that its file's header tells: prompts, texts of tokens, the form of replies,
// constraints. What computes it may be an engine of this process or another node.
class HeaderModel : public ServedModel {
 public:
  // Borrowed for the model's life.
  struct Header {
    const Metadata& metadata;
    const Tokenizer& tokenizer;
    const ChatTemplate* chat_template;  // null: none, or one that cannot be used:
    std::string chat_template_error;
    std::optional<PoolingType> pooling;
    const Classifier* classifier;  // null: none here
    std::uint32_t vocab, width;
    std::uint64_t weights_bytes;
    // The model's tokens as constraints see them; asked for when the first one comes.
    std::function<std::shared_ptr<const ConstraintVocabulary>()> vocabulary;
  };
  HeaderModel(Header header, const Clock& clock);  // borrows the clock

  Result<std::vector<TokenId>> chat_prompt(const ChatRequest& request) const override;
  std::vector<TokenId> text_prompt(std::string_view text) const override;
  Result<std::vector<TokenId>> fill_in_prompt(std::string_view before,
                                              std::string_view after) const override;
  Result<std::shared_ptr<const CompiledConstraint>> compile(
      const Constraint& constraint) const override;
  Result<std::shared_ptr<const CompiledConstraint>> compile_spec(const ConstraintSpec& spec,
                                                                 bool calls) const override;
  Result<std::shared_ptr<const CompiledConstraint>> compile_calls(
      const ChatRequest& request, bool reasoning_open) const override;
  std::vector<TokenId> mark_tokens() const override { return marks_; }
  ReplyFormat reply_format() const override { return format_; }
  ModelFacts facts() const override { return facts_; }
  bool writes() const override { return header_.pooling != PoolingType::rank; }
  Result<Pooling> pooling() const override;
  std::uint32_t width() const override { return header_.width; }
  Result<std::vector<TokenId>> rank_prompt(std::string_view query,
                                           std::string_view document) const override;
  float relevance(std::span<const float> hidden) const override;
  std::string piece(TokenId id) const override { return header_.tokenizer.piece(id, true); }
  std::uint32_t vocab() const override { return header_.vocab; }

 private:
  std::shared_ptr<const ConstraintVocabulary> call_vocabulary() const;
  void learn_to_rank();

  const Header header_;
  const Clock& clock_;
  std::optional<ChatPrompt> chat_prompt_;  // empty: the model has no usable template
  std::optional<RankPrompt> rank_prompt_;  // empty: it is not made for ranking
  std::string cannot_rank_;                // why
  std::size_t relevant_class_ = 0;
  mutable ConstraintCache constraints_;
  mutable std::once_flag call_vocabulary_once_;
  mutable std::shared_ptr<const ConstraintVocabulary> call_vocabulary_;
  TemplateHabits habits_;
  ModelFacts facts_;
  ReplyFormat format_;
  std::vector<TokenId> marks_;
};

}  // namespace drystone
