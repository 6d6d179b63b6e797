#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "compute/dtype.h"
#include "compute/program.h"
#include "compute/reducer.h"

// A Device holds weights and KV pages and runs layer programs. Nothing above it may assume that its
// memory is host memory: weights go in through TensorSource, activations and logits cross as host
// float32, and that is all.

namespace drystone {

// Where a device reads weights from while loading. Called from several threads at once.
class TensorSource {
 public:
  virtual ~TensorSource() = default;
  struct Tensor {
    DType type;
    std::span<const std::byte>
        bytes;  // spec.rows rows of row_bytes(type, spec.cols); valid until release()
  };
  // Errors: not_found, corrupt (shape disagrees with the spec), unsupported (columns that begin or
  // end inside a block of the type).
  virtual Result<Tensor> read(const TensorSpec& spec) = 0;
  // The type that read() would give, without the bytes. Errors: those of read().
  virtual Result<DType> type(const TensorSpec& spec) = 0;
  // The device has taken what it needs of this tensor; a file mapping may drop its pages.
  // Errors: io (the bytes that were taken are not the file's).
  virtual Result<void> release(const TensorSpec& spec) = 0;
};

enum class KvType { f16, f32, q8_0 };

// Where the output head (final norm and output matrix) stands to a stage.
enum class HeadPlace {
  none,               // in another stage, or another node
  behind_last_layer,  // run() ends with it: for the stage with the model's last layer
  apart,              // held beside the layers: head() applies it to rows that come back
};

// A model is cut into stages: layers [0, a), [a, b), ... each with its own pages. The stage that
// embeds takes tokens, the others the hidden rows of the one before them, all rows of the step. A
// stage may have no layers at all (the node that only holds embedding and head). However a model is
// cut, its rows have the bits of the whole model on one device.
struct StageOptions {
  LayerRange layers;
  bool embed = true;  // tokens in; else hidden rows in
  HeadPlace head = HeadPlace::behind_last_layer;
  // Of a rank of a shard group: sums its products with those of the other ranks. Borrowed for the
  // stage's life, called from run() only; null for whole models and for stages without layers.
  Reducer* reducer = nullptr;
  KvType kv_type = KvType::f16;
  std::uint32_t kv_tokens = 4096;  // capacity of the KV cache over all sequences, reserved at load
  std::uint32_t batch_tokens_max = 512;
  std::uint32_t logit_rows_max = 16;          // rows of one step whose logits can be wanted
  std::function<void(double done)> progress;  // fraction in [0, 1]; may be empty
  // Once it is true, loading ends as `cancelled` behind the tensor it is at. Borrowed for load().
  const std::atomic<bool>* stop = nullptr;
};

// The kind of a row decides its arithmetic: its result depends on the tokens before it and on
// nothing else, not on batch size, chunk borders or threads. A replay must give each row the kind
// that it had.
enum class RowKind { prompt, generated };

// What a stage with the output head gives back of a segment: the logits, or the hidden state behind
// the final norm, of its last row or of all.
enum class RowOutput { none, last_logits, all_logits, last_hidden, all_hidden };

// Consecutive positions of one sequence in a step.
struct Segment {
  std::uint32_t rows;      // consecutive rows of the batch
  std::uint32_t position;  // of the first row
  RowKind kind;
  std::span<const std::uint32_t>
      pages;  // page table of the sequence: covers positions [0, position + rows)
  RowOutput output = RowOutput::last_logits;
};

// How many rows of a step have an output, and how many of these are logits.
std::uint32_t wanted_rows(std::span<const Segment> segments);
std::uint32_t logit_rows(std::span<const Segment> segments);

struct StepInput {
  std::span<const Segment> segments;     // those of generated rows before those of prompt rows
  std::span<const std::int32_t> tokens;  // stages that embed: one id per row
  std::span<const float> hidden;         // others: f32 [rows, d_model]
};

// f32 row-major, rows in the order of their segments. What run() gives is valid until the next
// run(), what head() gives until the next head() or run().
struct StepOutput {
  // Behind the output head: [rows with logits, logit_width], that is vocab, or the rank's part.
  std::span<const float> logits;
  // Behind the output head: [rows with hidden output, d_model], after the final norm.
  // Of run() without it: hidden rows before any norm, [rows, d_model]. From a stage that ends
  // before the model's last layer these are all rows of the step, from one that ends with it only
  // those with an output (wanted_rows), since nothing else of the others is of use.
  std::span<const float> hidden;
};

// What the last layer gave of a step.
struct HeadInput {
  // Those of the step; positions and pages are not looked at.
  std::span<const Segment> segments;
  std::span<const float> hidden;  // f32 [wanted_rows(segments), d_model], in the order of run()
};

struct StageMemory {
  Bytes weights = 0, kv = 0, working = 0;
};

class DeviceStage {
 public:
  virtual ~DeviceStage() = default;
  // Runs one step and appends its K/V to the pages of each segment. Blocks; one thread at a time.
  // Errors: limit  more rows than batch_tokens_max, or more logits than logit_rows_max; nothing was
  //                appended
  //         those of the reducer: the step is void. What was appended for its rows is undefined
  //         until
  //                they are run again, at the same positions; everything before them stays.
  virtual Result<StepOutput> run(const StepInput& input) = 0;
  // Final norm and output matrix, for HeadPlace::apart. The bits are those that the rows have
  // behind the last layer of a stage with the head. Blocks; not at the same time as run(); leaves
  // run()'s output and the pages as they are. Errors: limit  as of run().
  virtual Result<StepOutput> head(const HeadInput& input) = 0;
  // Rows of both kinds are computed alike: a token's keys and values have the same bits as a prompt
  // row and as a generated row.
  virtual bool kinds_agree() const = 0;
  virtual std::uint32_t page_tokens() const = 0;  // positions per page
  virtual std::uint32_t page_count() const = 0;
  // The keys and values that a page holds, all layers of this stage, as bytes that mean something
  // to it alone. Between steps.
  virtual Bytes page_bytes() const = 0;
  virtual void read_page(std::uint32_t page, std::span<std::byte> bytes) const = 0;
  virtual void write_page(std::uint32_t page, std::span<const std::byte> bytes) = 0;
  virtual StageMemory memory() const = 0;
};

class Device {
 public:
  virtual ~Device() = default;
  virtual std::string name() const = 0;  // "cpu avx512 (2 threads)"
  // What load() would reserve.
  virtual StageMemory estimate(const Program& program, const StageOptions& options,
                               const std::function<DType(const TensorSpec&)>& type_of) const = 0;
  // Reads and repacks the weights and reserves KV pages and working memory. Blocks for seconds.
  // Errors: out_of_memory (nothing stays reserved), unsupported (a tensor type), cancelled, and
  // those of `source`.
  virtual Result<std::unique_ptr<DeviceStage>> load(const Program& program,
                                                    const StageOptions& options,
                                                    TensorSource& source) = 0;
};

}  // namespace drystone
