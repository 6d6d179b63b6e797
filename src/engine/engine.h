#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "compute/device.h"
#include "engine/pooling.h"
#include "engine/sampler.h"
#include "model/arch/architecture.h"
#include "model/chat_template/chat_template.h"
#include "model/gguf/gguf.h"
#include "model/tokenizer/tokenizer.h"

namespace drystone {

class Classifier;
class CompiledConstraint;
class ConstraintVocabulary;

// Nobody's text shall come 2.5 times as slowly because somebody else's prompt is long; measurements
// scatter.
constexpr double kDefaultStall = 2.3;

struct EngineOptions {
  std::uint32_t context = 0;  // tokens per sequence; 0: the model's own, at most kDefaultContextMax
  std::uint32_t kv_tokens = 0;  // tokens of all sequences together; 0: kv_contexts contexts
  std::uint32_t kv_contexts = 1;
  std::uint32_t sequences_max = 1;  // requests that run at once
  std::size_t queue_max = 1;        // requests that wait
  bool speculate = true;  // guess tokens ahead (engine/ngram_draft.h): the same text, often sooner
  // How many times as long as without it a step may take to read prompts while other requests
  // write; 0: no bound, for most tokens per second.
  double stall = kDefaultStall;
  KvType kv_type = KvType::f16;
  // The second tier of the prefix cache: a file in this folder, of at most so many bytes; 0: none.
  std::filesystem::path kv_disk_folder;
  Bytes kv_disk_bytes = 0;
  std::uint32_t batch_tokens_max = 512;
  // Of load(), as StageOptions': fraction in [0, 1]; and what ends it as `cancelled`, borrowed.
  std::function<void(double done)> progress;
  const std::atomic<bool>* stop = nullptr;
};

constexpr std::uint32_t kDefaultContextMax = 8192;

struct GenerateRequest {
  std::vector<TokenId> prompt;
  // Set: nothing is written; the result has one vector of the prompt's hidden states. The prompt
  // may fill the context then, and of what follows only priority and cache_salt count.
  std::optional<Pooling> pooling;
  // The answer so far, of an engine that was lost: this one goes on behind it, with the tokens that
  // the other would have written. Its text and tokens come to on_delta again (without logprobs).
  std::vector<TokenId> written;
  std::uint32_t tokens_max = 0;  // of the whole answer; 0: as many as the context holds
  SamplingOptions sampling;
  std::vector<std::string> stop;        // ends before the first of these; may span tokens
  std::vector<TokenId> stop_tokens;     // ends before one of these, as before the model's own end
  std::vector<TokenId> visible_tokens;  // control tokens whose text belongs to the answer
  bool ignore_eos = false;
  std::uint32_t tokens_min = 0;  // until then no token of the model's own end is picked
  // What the answer has to be; null: anything. Made for this model (Engine::vocabulary()).
  std::shared_ptr<const CompiledConstraint> constraint;
  std::int32_t priority = 0;  // lower goes first
  std::string cache_salt;     // requests share cached prefixes only with those of the same salt
  std::optional<std::uint32_t>
      top_logprobs;  // set: tokens carry logprobs, with that many alternatives (0..20)
};

enum class FinishReason { stop, length, cancelled };

// What a sink receives: text that can no longer become part of a stop string, and the tokens that
// made it.
struct Delta {
  std::string text;             // valid UTF-8
  std::vector<Sampled> tokens;  // with logprobs when asked for
};

struct GenerateResult {
  FinishReason finish = FinishReason::stop;
  // What of the request ended the answer; neither: the model's own end, or a constraint's.
  std::string stop;                   // one of its stop strings
  std::optional<TokenId> stop_token;  // one of its stop tokens
  std::uint32_t prompt_tokens = 0, completion_tokens = 0;
  std::uint32_t cached_tokens = 0;  // of the prompt: taken from the prefix cache
  double queue_s = 0, prefill_s = 0, decode_s = 0;
  // With `pooling`: f32 [d_model] behind the final norm, of the length it happens to have.
  std::vector<float> hidden;
};

class Batcher;
class StepPipe;

// Tokens that are guessed ahead in a step, at most: rows that cost little more than one.
constexpr std::uint32_t kDraftRowsMax = 8;
// Logit rows that a stage needs for so many requests at once (StageOptions::logit_rows_max): each
// writes one, and few of them guess some more.
std::uint32_t logit_rows_for(std::uint32_t sequences_max);

// One loaded model, on one device or several machines. Requests go to its batcher(), whose steps a
// thread of the caller runs; or, where there is no such thread, through generate() and logits(),
// one at a time.
class Engine {
 public:
  // `device` is borrowed for the engine's life.
  // Errors: those of GgufFile, load_program, Tokenizer, make_scratch_file, Device::load and
  // PageTier::create.
  static Result<std::unique_ptr<Engine>> load(GgufFile file, Device& device, EngineOptions options);
  // Over stages that are loaded already, of which `file` is the model: its tokenizer and template
  // are read here, no weights. Of the options those of the stages must say what the stages hold:
  // context, batch_tokens_max, and sequences_max with logit_rows_for(). `memory` is what this
  // machine holds. Errors: those of GgufFile, load_program and Tokenizer.
  static Result<std::unique_ptr<Engine>> over(GgufFile file, std::unique_ptr<StepPipe> pipe,
                                              StageMemory memory, EngineOptions options);
  virtual ~Engine() = default;

  // Blocks. Calls `sink` for each delta; returns early as `cancelled` when `stop` is requested,
  // within one step. Errors: invalid_argument (empty prompt, ids out of range), limit (prompt
  // longer than the context: both figures).
  virtual Result<GenerateResult> generate(const GenerateRequest& request,
                                          const std::function<void(const Delta&)>& sink,
                                          std::stop_token stop) = 0;

  // Logits after each token, f32 [ids.size(), vocab], handed out chunk by chunk. All rows are
  // prompt rows.
  virtual Result<void> logits(std::span<const TokenId> ids,
                              const std::function<Result<void>(std::span<const float>)>& sink) = 0;

  virtual Batcher& batcher() = 0;

  // The model's tokens as constraints see them; made at the first call. Thread-safe.
  virtual std::shared_ptr<const ConstraintVocabulary> vocabulary() = 0;

  virtual const Tokenizer& tokenizer() const = 0;
  virtual const ChatTemplate* chat_template()
      const = 0;  // null when the file has none, or one we cannot parse
  // Why a template of the file could not be parsed; empty otherwise.
  virtual const std::string& chat_template_error() const {
    static const std::string kNone;
    return kNone;
  }
  virtual const Metadata& metadata() const = 0;
  // What the file says it is made for beside writing; nullopt: nothing.
  virtual std::optional<PoolingType> pooling_type() const = 0;
  // The head of a model made for ranking; null: it has none.
  virtual const Classifier* classifier() const = 0;
  virtual std::uint32_t context() const = 0;
  virtual std::uint32_t width() const = 0;  // d_model: values of a hidden state
  virtual std::uint32_t vocab() const = 0;
  virtual StageMemory memory() const = 0;
};

}  // namespace drystone
