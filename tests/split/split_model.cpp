#include "split_model.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <thread>

#include "base/rng.h"
#include "compute/cpu/cpu_device.h"
#include "model/arch/architecture.h"

namespace drystone {
namespace {

constexpr std::uint32_t kContext = 256;

GgufFile write_and_open(const ModelConfig& config, std::string_view type) {
  const auto path = std::filesystem::temp_directory_path() /
                    fmt::format("split-{}-{}-{}.gguf", config.architecture, type, getpid());
  ThreadPool pool(1);
  const auto written = write_synth({.config = config}, *find_mixture(type), path, pool, {});
  CHECK(written, written.error().message());
  auto file = GgufFile::open(path);
  CHECK(file, file.error().message());
  std::filesystem::remove(path);  // the mapping stays
  return *std::move(file);
}

template <typename T>
T checked(Result<T> result) {
  CHECK(result, result.error().message());
  return *std::move(result);
}

// A sequence that is read, and then written with tokens that are given.
struct Sequence {
  std::vector<std::int32_t> tokens;
  std::uint32_t prompt;       // so many of them
  RowOutput output;           // of the prompt
  std::uint32_t writes_rows;  // generated rows a step
  std::vector<std::uint32_t> pages;
  std::uint32_t done = 0;

  bool reading() const { return done < prompt; }
  bool finished() const { return done == tokens.size(); }
};

std::vector<Sequence> sequences(std::uint32_t vocab) {
  std::vector<Sequence> all = {
      {.prompt = 21, .output = RowOutput::all_logits, .writes_rows = 1, .pages = {2}},
      {.prompt = 7, .output = RowOutput::last_logits, .writes_rows = 3, .pages = {0}},
      {.prompt = 9, .output = RowOutput::all_hidden, .writes_rows = 1, .pages = {3}},
      {.prompt = 5, .output = RowOutput::last_hidden, .writes_rows = 1, .pages = {1}}};
  const std::uint32_t written[] = {5, 6, 0, 0};
  Rng rng(7);
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::uint32_t t = 0; t < all[i].prompt + written[i]; ++t)
      all[i].tokens.push_back(static_cast<std::int32_t>(rng.below(vocab)));
  return all;
}

// What is wanted of a chunk of a prompt that ends behind `end`.
RowOutput chunk_output(const Sequence& sequence, std::uint32_t end) {
  const bool all =
      sequence.output == RowOutput::all_logits || sequence.output == RowOutput::all_hidden;
  return all || end == sequence.prompt ? sequence.output : RowOutput::none;
}

// Hands the rows of a step's output to their sequences.
void collect(const StepRowsOut& out, std::span<const Segment> segments,
             std::span<const std::uint32_t> sequence_of, RowsOf& rows) {
  const std::uint32_t logit_count = logit_rows(segments),
                      hidden_count = wanted_rows(segments) - logit_count;
  std::size_t logit = 0, hidden = 0;
  for (std::size_t s = 0; s < segments.size(); ++s) {
    const Segment& segment = segments[s];
    const bool all =
        segment.output == RowOutput::all_logits || segment.output == RowOutput::all_hidden;
    if (segment.output == RowOutput::none) continue;
    for (std::uint32_t i = all ? 0 : segment.rows - 1; i < segment.rows; ++i) {
      const bool is_logits = logit_rows({&segment, 1}) > 0;
      const auto& values = is_logits ? out.logits : out.hidden;
      const std::size_t width = values.size() / (is_logits ? logit_count : hidden_count);
      const auto row = values.begin() + (is_logits ? logit++ : hidden++) * width;
      rows[{sequence_of[s], segment.position + i}].assign(row, row + width);
    }
  }
}

}  // namespace

ModelConfig splittable(std::string architecture) {
  ModelConfig config;
  config.architecture = std::move(architecture);
  config.layers = 4;
  config.d_model = 256;
  config.ff_width = 1280;
  config.heads = 16;
  config.kv_heads = 8;
  config.head_dim = 64;
  config.vocab = 512;
  config.context = 2048;
  if (config.architecture == "gemma3") {
    config.window = 16;
    config.window_period = 3;
    config.tied_output = true;
  }
  return config;
}

SplitModel::SplitModel(const ModelConfig& config, std::string_view type)
    : file_(write_and_open(config, type)), program_(checked(load_program(file_, kContext))) {}

std::vector<ShardCut> SplitModel::cuts(std::span<const double> shares) const {
  return checked(
      shard_cuts(program_, shares, [&](const TensorSpec& spec) { return type_of(spec); }));
}

SplitRun::SplitRun(const SplitModel& model, Isa isa, const Split& split, StageOptions options)
    : model_(model), split_(split) {
  const Program& whole = model.program();
  const auto ranks = static_cast<std::uint32_t>(split.shares.size());
  CHECK(ranks == 1 || split.head == HeadLayout::alone);
  for (std::uint32_t rank = 0; rank < ranks; ++rank)
    devices_.push_back(make_cpu_device(isa, 1));
  std::vector<Program> programs = {whole};
  if (ranks > 1) {
    programs.clear();
    for (const ShardCut& cut : model.cuts(split.shares))
      programs.push_back(shard_program(whole, cut));
  }
  options.kv_tokens = kContext;
  options.batch_tokens_max = 64;
  options.logit_rows_max = 64;
  if (split.head == HeadLayout::alone) {
    options.layers = {0, 0};
    options.embed = true;
    options.head = HeadPlace::apart;
    edge_ = std::make_unique<Part>(load(programs[0], options, *devices_[0]));
  }
  std::vector<std::uint32_t> borders = split.borders;
  borders.insert(borders.begin(), 0);
  borders.push_back(static_cast<std::uint32_t>(whole.layers.size()));
  for (std::size_t s = 0; s + 1 < borders.size(); ++s) {
    Stage stage;
    if (ranks > 1) stage.reducers = std::make_unique<TestReducerGroup>(ranks);
    options.layers = {borders[s], borders[s + 1]};
    const bool first = s == 0, last = s + 2 == borders.size();
    for (std::uint32_t rank = 0; rank < ranks; ++rank) {
      options.embed = first && edge_ == nullptr;
      options.head = HeadPlace::none;
      if (split.head == HeadLayout::in_stages && last) options.head = HeadPlace::behind_last_layer;
      // The other ranks of the head's group hold their rows of the output matrix.
      if (first && (split.head == HeadLayout::apart || rank > 0)) options.head = HeadPlace::apart;
      options.reducer = ranks > 1 ? &stage.reducers->rank(rank) : nullptr;
      stage.ranks.push_back(load(programs[rank], options, *devices_[rank]));
    }
    stages_.push_back(std::move(stage));
  }
}

SplitRun::Part SplitRun::load(Program program, StageOptions options, Device& device) {
  const auto source = tensor_source(model_.file());
  auto stage = checked(device.load(program, options, *source));
  return {std::move(program), std::move(options), std::move(stage), &device};
}

std::vector<const SplitRun::Part*> SplitRun::parts() const {
  std::vector<const Part*> parts;
  if (edge_ != nullptr) parts.push_back(edge_.get());
  for (const Stage& stage : stages_)
    for (const Part& part : stage.ranks) parts.push_back(&part);
  return parts;
}

std::vector<float> SplitRun::run_stage(Stage& stage, const StepInput& input) {
  std::vector<std::vector<float>> hidden(stage.ranks.size());
  const auto run = [&](std::size_t rank) {
    const auto out = stage.ranks[rank].stage->run(input);
    CHECK(out, out.error().message());
    hidden[rank].assign(out->hidden.begin(), out->hidden.end());
  };
  {
    std::vector<std::jthread> others;
    for (std::size_t rank = 1; rank < stage.ranks.size(); ++rank)
      others.emplace_back([&, rank] { run(rank); });
    run(0);
  }
  for (const auto& other : hidden)
    CHECK(std::ranges::equal(std::as_bytes(std::span(other)), std::as_bytes(std::span(hidden[0]))),
          "ranks hold different hidden rows");
  return hidden[0];
}

StepRowsOut SplitRun::step(std::span<const Segment> segments,
                           std::span<const std::int32_t> tokens) {
  StepInput input{.segments = segments, .tokens = tokens};
  std::vector<float> hidden;
  if (edge_ != nullptr) {
    const StepOutput out = checked(edge_->stage->run(input));
    hidden.assign(out.hidden.begin(), out.hidden.end());
    input = {.segments = segments, .hidden = hidden};
  }
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    Stage& stage = stages_[s];
    if (s + 1 == stages_.size() && split_.head == HeadLayout::in_stages) {
      const StepOutput out = checked(stage.ranks[0].stage->run(input));
      return {{out.logits.begin(), out.logits.end()}, {out.hidden.begin(), out.hidden.end()}};
    }
    hidden = run_stage(stage, input);
    input = {.segments = segments, .hidden = hidden};
  }
  CHECK(hidden.size() == std::size_t{wanted_rows(segments)} * model_.program().d_model);
  // Each rank of the first stage gives its slice of the vocabulary.
  StepRowsOut all;
  const std::uint32_t rows = logit_rows(segments);
  all.logits.resize(std::size_t{rows} * vocab());
  std::size_t first = 0;
  for (std::size_t rank = 0; rank < stages_[0].ranks.size(); ++rank) {
    const Part& part = rank == 0 && edge_ != nullptr ? *edge_ : stages_[0].ranks[rank];
    const StepOutput out = checked(part.stage->head({.segments = segments, .hidden = hidden}));
    const std::size_t width = logit_width(part.program);
    CHECK(out.logits.size() == rows * width && first + width <= vocab(), out.logits.size());
    for (std::uint32_t row = 0; row < rows; ++row)
      std::copy_n(out.logits.begin() + row * width, width,
                  all.logits.begin() + row * vocab() + first);
    first += width;
    if (rank == 0) all.hidden.assign(out.hidden.begin(), out.hidden.end());
  }
  CHECK(first == vocab(), first);
  return all;
}

RowsOf talk(SplitRun& run, std::uint32_t chunk) {
  std::vector<Sequence> all = sequences(run.vocab());
  RowsOf rows;
  while (!std::ranges::all_of(all, &Sequence::finished)) {
    std::vector<Segment> segments;
    std::vector<std::uint32_t> sequence_of;
    std::vector<std::int32_t> tokens;
    const auto add = [&](std::uint32_t i, std::uint32_t count, RowKind kind, RowOutput output) {
      Sequence& sequence = all[i];
      segments.push_back({.rows = count,
                          .position = sequence.done,
                          .kind = kind,
                          .pages = sequence.pages,
                          .output = output});
      sequence_of.push_back(i);
      const auto begin = sequence.tokens.begin() + sequence.done;
      tokens.insert(tokens.end(), begin, begin + count);
    };
    for (std::uint32_t i = 0; i < all.size(); ++i)
      if (!all[i].reading() && !all[i].finished())
        add(i,
            std::min(all[i].writes_rows,
                     static_cast<std::uint32_t>(all[i].tokens.size()) - all[i].done),
            RowKind::generated, RowOutput::all_logits);
    std::uint32_t budget = chunk;
    for (std::uint32_t i = 0; i < all.size() && budget > 0; ++i) {
      if (!all[i].reading()) continue;
      const std::uint32_t count = std::min(budget, all[i].prompt - all[i].done);
      add(i, count, RowKind::prompt, chunk_output(all[i], all[i].done + count));
      budget -= count;
    }
    collect(run.step(segments, tokens), segments, sequence_of, rows);
    for (std::size_t s = 0; s < segments.size(); ++s) all[sequence_of[s]].done += segments[s].rows;
  }
  return rows;
}

std::vector<std::int32_t> write_greedily(SplitRun& run, std::uint32_t tokens) {
  const std::vector<std::uint32_t> pages = {0, 1};
  std::vector<std::int32_t> ids(12), written;
  std::iota(ids.begin(), ids.end(), 40);
  Segment segment{.rows = 12, .position = 0, .kind = RowKind::prompt, .pages = pages};
  while (written.size() < tokens) {
    const auto logits = run.step({&segment, 1}, ids).logits;
    ids = {static_cast<std::int32_t>(std::ranges::max_element(logits) - logits.begin())};
    written.push_back(ids[0]);
    segment.position += segment.rows;
    segment.rows = 1;
    segment.kind = RowKind::generated;
  }
  return written;
}

}  // namespace drystone
