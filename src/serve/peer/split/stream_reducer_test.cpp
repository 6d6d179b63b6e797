#include "serve/peer/split/stream_reducer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <thread>
#include <tuple>

#include "base/rng.h"
#include "cluster/plan/row_format.h"
#include "net/test_memory_stream.h"
#include "serve/peer/split/sum_codec.h"

namespace drystone {
namespace {

// All ranks of a group, with streams that hold no more than they must.
struct Group {
  Group(std::uint32_t ranks, StreamReducer::Options options) : ends(ranks) {
    for (auto& row : ends) row.resize(ranks);
    for (std::uint32_t a = 0; a < ranks; ++a)
      for (std::uint32_t b = 0; b < a; ++b)
        std::tie(ends[a][b], ends[b][a]) = make_memory_streams(StreamReducer::kUnreadBytesMax);
    for (std::uint32_t rank = 0; rank < ranks; ++rank) {
      std::vector<DataStream*> streams;
      for (const auto& end : ends[rank]) streams.push_back(end.get());
      options.rank = rank;
      reducers.push_back(std::make_unique<StreamReducer>(streams, options));
    }
  }

  // What every rank holds after the sum of its values.
  std::vector<std::vector<float>> sum(std::vector<std::vector<float>> values) {
    std::vector<std::jthread> threads;
    for (std::size_t rank = 0; rank < values.size(); ++rank)
      threads.emplace_back([&, rank] {
        const auto done = reducers[rank]->all_reduce(values[rank]);
        EXPECT_TRUE(done) << done.error().message();
      });
    threads.clear();
    return values;
  }

  std::vector<std::vector<std::unique_ptr<DataStream>>> ends;
  std::vector<std::unique_ptr<Reducer>> reducers;
};

std::vector<std::vector<float>> random_parts(std::uint32_t ranks, std::size_t size) {
  Rng rng(size);
  std::vector<std::vector<float>> parts(ranks, std::vector<float>(size));
  for (auto& part : parts)
    for (float& value : part) value = rng.normal() * 1000;
  return parts;
}

// As it stood on the wire.
std::vector<float> rounded(const std::vector<float>& values) {
  std::vector<std::byte> bytes(sum_bytes(values.size()));
  std::vector<float> back(values.size());
  encode_sum(values, bytes);
  decode_sum(bytes, back);
  return back;
}

// Ranks that disagree in the last bit drift apart, token by token. In the order of ranks, whatever
// the way: so a text does not depend on the size of a step.
TEST(StreamReducer, EveryRankHoldsTheSumInTheOrderOfRanks) {
  for (const std::uint32_t ranks : {2u, 3u, 4u, 8u})
    for (const std::size_t one_shot : {std::size_t{0}, std::size_t{1} << 30}) {
      Group group(ranks, {.width = 32, .one_shot_bytes = one_shot});
      // One block, fewer blocks than ranks, single pieces and many: large ones are further than
      // streams hold.
      for (const std::size_t size : {32u, 160u, 256u, 2048u, 4128u, 300000u}) {
        const auto parts = random_parts(ranks, size);
        std::vector<float> expected = rounded(parts[0]);
        for (std::uint32_t rank = 1; rank < ranks; ++rank) {
          const auto more = rounded(parts[rank]);
          for (std::size_t i = 0; i < size; ++i) expected[i] += more[i];
        }
        if (ranks > 2) expected = rounded(expected);
        for (const auto& sum : group.sum(parts))
          EXPECT_EQ(std::memcmp(sum.data(), expected.data(), size * sizeof(float)), 0)
              << ranks << " ranks, " << size << " values, one shot up to " << one_shot;
      }
    }
}

TEST(StreamReducer, AClosedStreamEndsTheSumForGood) {
  Group group(3, {.width = 32});
  group.ends[2][0]->close();
  std::vector<std::vector<float>> values(3, std::vector<float>(32, 1.0f));
  EXPECT_TRUE(group.reducers[0]->all_reduce(values[0]).is(Errc::unavailable));
  group.ends[0][1]->close();
  EXPECT_TRUE(group.reducers[0]->all_reduce(values[0]).is(Errc::unavailable));
}

TEST(StreamReducer, ASilentRankCountsAsLostAfterItsTime) {
  Group group(
      2,
      {.width = 32, .writing_within = std::chrono::milliseconds(50), .nodes = {"atlas", "nova"}});
  std::vector<float> values(32, 1.0f);
  const auto lost = group.reducers[0]->all_reduce(values);
  ASSERT_TRUE(lost.is(Errc::unavailable));
  EXPECT_TRUE(lost.error().message().starts_with("a sum with rank 1 on nova: "))
      << lost.error().message();
}

// Ranks that are not at the same step must not add what they have.
TEST(StreamReducer, RefusesASumOfAnotherSize) {
  Group group(2, {.width = 32});
  std::vector<float> small(32, 1.0f), large(64, 1.0f);
  std::jthread other([&] { EXPECT_FALSE(group.reducers[1]->all_reduce(large)); });
  EXPECT_TRUE(group.reducers[0]->all_reduce(small).is(Errc::unavailable));
}

}  // namespace
}  // namespace drystone
