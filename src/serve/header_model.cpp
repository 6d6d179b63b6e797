#include "serve/header_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "serve/toolcall/tool_grammar.h"

namespace drystone {

namespace {

// The text of a key, "" where there is none (or where it is no text, which loading refuses).
std::string text_of(const Metadata& metadata, std::string_view key) {
  const auto text = metadata.string(key);
  return text && *text ? **text : std::string();
}

// The tokens with which models are asked to fill in the middle, as families call them; all of these
// read what stands before, then what stands after.
struct FillInMarks {
  std::string_view before, after, middle;
};
constexpr FillInMarks kFillInMarks[] = {
    {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"},     // Qwen Coder, CodeGemma
    {"<fim_prefix>", "<fim_suffix>", "<fim_middle>"},           // StarCoder
    {"<fim-prefix>", "<fim-suffix>", "<fim-middle>"},           // Refact
    {"<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"},  // GLM
    {"<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"},     // DeepSeek
    {"▁<PRE>", "▁<SUF>", "▁<MID>"},                             // CodeLlama
};

const FillInMarks* fill_in_marks(const Tokenizer& tokenizer) {
  for (const FillInMarks& marks : kFillInMarks) {
    const auto known = [&](std::string_view mark) { return tokenizer.find(mark).has_value(); };
    if (known(marks.before) && known(marks.after) && known(marks.middle)) return &marks;
  }
  return nullptr;
}

}  // namespace

HeaderModel::HeaderModel(Header header, const Clock& clock)
    : header_(std::move(header)), clock_(clock) {
  if (header_.chat_template != nullptr) {
    chat_prompt_.emplace(header_.tokenizer, *header_.chat_template);
    habits_ = learn_habits(*header_.chat_template);
  }
  facts_.family = text_of(header_.metadata, "general.architecture");
  facts_.chat_template = text_of(header_.metadata, "tokenizer.chat_template");
  facts_.weights_bytes = header_.weights_bytes;
  facts_.fills_in = fill_in_marks(header_.tokenizer) != nullptr;
  learn_to_rank();
  format_ = detect_format(facts_.chat_template, facts_.family);
  for (const std::string& mark : visible_marks(format_))
    if (const auto token = header_.tokenizer.find(mark)) marks_.push_back(*token);
}

Result<std::vector<TokenId>> HeaderModel::chat_prompt(const ChatRequest& request) const {
  if (!chat_prompt_)
    return Error(Errc::unsupported,
                 header_.chat_template_error.empty()
                     ? "This model has no chat template, so it cannot be asked in messages; use "
                       "/v1/completions."
                     : "The chat template of this model cannot be used (" +
                           header_.chat_template_error + "); use /v1/completions.");
  boost::json::object variables = request.template_variables;
  variables["messages"] = TRY(template_messages(request.messages, habits_));
  if (!request.tools.empty()) variables["tools"] = request.tools;
  variables["add_generation_prompt"] = request.add_generation_prompt;
  return chat_prompt_->encode(std::move(variables), local_time(clock_));
}

std::vector<TokenId> HeaderModel::text_prompt(std::string_view text) const {
  return header_.tokenizer.encode(text, {.parse_special = true, .add_special = true});
}

Result<std::vector<TokenId>> HeaderModel::fill_in_prompt(std::string_view before,
                                                         std::string_view after) const {
  const Tokenizer& tokenizer = header_.tokenizer;
  const FillInMarks* marks = fill_in_marks(tokenizer);
  if (marks == nullptr) return ServedModel::fill_in_prompt(before, after);
  std::vector<TokenId> ids;
  if (tokenizer.add_bos() && tokenizer.bos()) ids.push_back(*tokenizer.bos());
  const auto add = [&](std::string_view mark, std::string_view text) {
    ids.push_back(*tokenizer.find(mark));
    const auto more = tokenizer.encode(text, {});
    ids.insert(ids.end(), more.begin(), more.end());
  };
  add(marks->before, before);
  add(marks->after, after);
  add(marks->middle, "");
  return ids;
}

Result<std::shared_ptr<const CompiledConstraint>> HeaderModel::compile(
    const Constraint& constraint) const {
  return constraints_.compile(to_spec(constraint), header_.vocabulary());
}

Result<std::shared_ptr<const CompiledConstraint>> HeaderModel::compile_spec(
    const ConstraintSpec& spec, bool calls) const {
  return constraints_.compile(spec, calls ? call_vocabulary() : header_.vocabulary());
}

Result<std::shared_ptr<const CompiledConstraint>> HeaderModel::compile_calls(
    const ChatRequest& request, bool reasoning_open) const {
  ToolGrammar grammar = TRY(tool_grammar(format_, request.tools,
                                         {.function = request.tool_choice.name,
                                          .parallel = request.parallel_tool_calls,
                                          .reasoning_open = reasoning_open}));
  ConstraintSpec spec{.kind = ConstraintSpec::Kind::gbnf, .text = std::move(grammar.gbnf)};
  for (auto& [rule, schema] : grammar.schemas)
    spec.schemas.emplace_back(rule, boost::json::serialize(schema));
  return constraints_.compile(spec, call_vocabulary());
}

// The model's tokens with the marks of calls among them, which a grammar of calls spells out.
std::shared_ptr<const ConstraintVocabulary> HeaderModel::call_vocabulary() const {
  if (marks_.empty()) return header_.vocabulary();
  std::call_once(call_vocabulary_once_, [&] {
    call_vocabulary_ = ConstraintVocabulary::build(header_.tokenizer, header_.vocab, marks_);
  });
  return call_vocabulary_;
}

Result<std::vector<TokenId>> HeaderModel::rank_prompt(std::string_view query,
                                                      std::string_view document) const {
  if (!rank_prompt_) return Error(Errc::unsupported, cannot_rank_);
  return rank_prompt_->encode(query, document);
}

float HeaderModel::relevance(std::span<const float> hidden) const {
  return header_.classifier->probabilities(hidden)[relevant_class_];
}

Result<Pooling> HeaderModel::pooling() const {
  // A decoder's last token is the only one that has seen the whole text.
  switch (header_.pooling.value_or(PoolingType::last)) {
    case PoolingType::mean:
      return Pooling::mean;
    case PoolingType::last:
      return Pooling::last;
    case PoolingType::rank:
      return Error(Errc::unsupported,
                   "This model is made for ranking documents; it has no embeddings. Send the query "
                   "and the documents to /v1/rerank.");
    default:
      return Error(Errc::unsupported,
                   "The file of this model names no way to make one vector of a text that suits a "
                   "decoder (pooling_type none or cls). Send 'pooling': \"mean\" or \"last\" to "
                   "/v1/embeddings.");
  }
}

// What makes a file one for ranking, in the order in which it is missed.
void HeaderModel::learn_to_rank() {
  const auto lacks = [&](std::string_view what) {
    cannot_rank_ = fmt::format("This model is not made for ranking documents: {}.", what);
  };
  if (header_.pooling != PoolingType::rank)
    return lacks(fmt::format("its file has no {}.pooling_type 4 (rank)", facts_.family));
  const Classifier* classifier = header_.classifier;
  if (classifier == nullptr)
    return lacks(
        fmt::format("its file has no {}.classifier.output_labels with a head for them "
                    "(cls.output.weight)",
                    facts_.family));
  std::string rank_template = text_of(header_.metadata, "tokenizer.chat_template.rerank");
  if (rank_template.empty()) return lacks("its file has no tokenizer.chat_template.rerank");
  auto prompt = RankPrompt::create(header_.tokenizer, std::move(rank_template));
  if (!prompt) return lacks(prompt.error().message());
  rank_prompt_.emplace(*std::move(prompt));
  const auto& classes = classifier->classes();
  const auto yes = std::ranges::find(classes, "yes");
  relevant_class_ =
      yes == classes.end() ? 0 : static_cast<std::size_t>(std::distance(classes.begin(), yes));
}

}  // namespace drystone
