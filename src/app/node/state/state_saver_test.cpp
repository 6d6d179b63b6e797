#include "app/node/state/state_saver.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <thread>

namespace drystone {
namespace {

// The state may be 32 MiB: no heartbeat waits until that is written out as text.
TEST(StateSaver, TheTextIsMadeBesideTheLoop) {
  std::string made = testing::TempDir() + "drystone-saver-XXXXXX";
  ASSERT_NE(::mkdtemp(made.data()), nullptr);
  {
    const auto folder = StateFolder::open(made);
    ASSERT_TRUE(folder);
    boost::asio::io_context loop;
    std::thread::id looked, wrote;
    StateSaver saver(
        loop.get_executor(), *folder,
        [&]() -> StateSaver::MakeText {
          looked = std::this_thread::get_id();
          return [&] {
            wrote = std::this_thread::get_id();
            return std::string("{}");
          };
        },
        [](const std::string& said) { FAIL() << said; });
    saver.changed();
    EXPECT_FALSE(saver.close());
    EXPECT_EQ(folder->load_cluster().value(), "{}");
    EXPECT_EQ(looked, std::this_thread::get_id());
    EXPECT_NE(wrote, std::thread::id());
    EXPECT_NE(wrote, looked);
  }
  std::filesystem::remove_all(made);
}

}  // namespace
}  // namespace drystone
