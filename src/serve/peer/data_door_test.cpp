#include "serve/peer/data_door.h"

#include <gtest/gtest.h>

#include <future>

#include "net/frame.h"
#include "net/test_memory_stream.h"

namespace drystone {
namespace {

using std::chrono::seconds;

// Every dialled stream comes to the door.
class DoorDialer final : public PeerDialer {
 public:
  explicit DoorDialer(DataDoor& door) : door_(door) {}
  Result<std::unique_ptr<DataStream>> dial(const std::string&, std::chrono::nanoseconds,
                                           const std::atomic<bool>&) override {
    auto [here, there] = make_memory_streams();
    door_.accept(std::move(there));
    return std::move(here);
  }

 private:
  DataDoor& door_;
};

class DataDoorTest : public testing::Test {
 protected:
  std::unique_ptr<DataStream> dial(DataPurpose purpose) {
    auto stream = dial_for(purpose, dialer, "node", seconds(5), stop);
    CHECK(stream, stream.error().message());
    return *std::move(stream);
  }
  static Errc read_error(DataStream& stream) {
    std::byte byte{};
    const auto result = stream.read({&byte, 1}, {.within = seconds(10)});
    CHECK(!result);
    return result.error().code();
  }

  std::atomic<bool> stop = false;
  DataDoor door;
  DoorDialer dialer{door};
};

// One port serves everything, so a stream must reach the right room, with nothing of it lost.
TEST_F(DataDoorTest, HandsAStreamToWhoeverServesItsPurpose) {
  std::promise<std::byte> jobs, parts;
  const auto into = [](std::promise<std::byte>& promise) {
    return [&promise](std::unique_ptr<DataStream> stream) {
      std::byte byte{};
      EXPECT_TRUE(stream->read({&byte, 1}, {.within = seconds(10)}));
      promise.set_value(byte);
    };
  };
  door.serve(DataPurpose::jobs, into(jobs));
  door.serve(DataPurpose::part, into(parts));
  PurposeDialer for_parts(DataPurpose::part, dialer);
  auto first = for_parts.dial("node", seconds(5), stop);
  ASSERT_TRUE(first);
  auto second = dial(DataPurpose::jobs);
  for (const auto& [stream, byte] :
       {std::pair(first->get(), std::byte{1}), std::pair(second.get(), std::byte{2})})
    ASSERT_TRUE(stream->write({&byte, 1}, {.within = seconds(5)}));
  EXPECT_EQ(parts.get_future().get(), std::byte{1});
  EXPECT_EQ(jobs.get_future().get(), std::byte{2});
  EXPECT_EQ(read_error(*second), Errc::closed) << "it ends with its Serve";
}

TEST_F(DataDoorTest, ClosesWhatNobodyServesAndWhatSpeaksOtherwise) {
  EXPECT_EQ(read_error(*dial(DataPurpose::files)), Errc::closed);
  auto [here, there] = make_memory_streams();
  door.accept(std::move(there));
  FrameStream frames(*here, {.payload_bytes_max = 8});
  ASSERT_TRUE(frames.write({.type = 1, .tag = 1}, {}, {.within = seconds(5)}));
  EXPECT_EQ(read_error(*here), Errc::closed);
}

// A node that stops must not wait for those who talk to it.
TEST_F(DataDoorTest, CloseEndsStreamsThatStillRun) {
  std::promise<void> begun;
  std::promise<Errc> ended;
  door.serve(DataPurpose::jobs, [&](std::unique_ptr<DataStream> stream) {
    begun.set_value();
    ended.set_value(read_error(*stream));
  });
  const auto stream = dial(DataPurpose::jobs);
  begun.get_future().get();
  door.close();
  EXPECT_EQ(ended.get_future().get(), Errc::cancelled);
  EXPECT_EQ(read_error(*stream), Errc::closed);
  const auto late = dialer.dial("node", seconds(5), stop);
  ASSERT_TRUE(late);
  EXPECT_EQ(read_error(**late), Errc::closed);
}

// A part keeps its streams for as long as it lives; the door forgets them.
TEST_F(DataDoorTest, AStreamMayLiveOnWithItsNewOwner) {
  std::promise<std::unique_ptr<DataStream>> kept;
  door.serve(DataPurpose::part, [&](std::unique_ptr<DataStream> stream) {
    kept.set_value(std::move(stream));
    throw std::bad_alloc();
  });
  const auto here = dial(DataPurpose::part);
  const auto there = kept.get_future().get();
  const std::byte sent{7};
  ASSERT_TRUE(here->write({&sent, 1}, {.within = seconds(5)}));
  std::byte got{};
  ASSERT_TRUE(there->read({&got, 1}, {.within = seconds(10)}));
  EXPECT_EQ(got, sent);
}

}  // namespace
}  // namespace drystone
