#include "app/node/state/state_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

namespace drystone {
namespace {

class StateFolderTest : public testing::Test {
 protected:
  StateFolderTest() {
    std::string made = testing::TempDir() + "drystone-state-XXXXXX";
    CHECK(::mkdtemp(made.data()) != nullptr);
    path_ = made;
  }
  ~StateFolderTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path path_;
};

// Two processes with one key would contradict each other for ever.
TEST_F(StateFolderTest, OneProcessAtATime) {
  {
    const auto first = StateFolder::open(path_ / "node");
    ASSERT_TRUE(first) << first.error().message();
    const auto second = StateFolder::open(path_ / "node");
    ASSERT_TRUE(second.is(Errc::unavailable));
    EXPECT_NE(second.error().message().find("--state"), std::string::npos);
  }
  EXPECT_TRUE(StateFolder::open(path_ / "node"));
}

TEST_F(StateFolderTest, WhatWasSavedIsThere) {
  const auto folder = StateFolder::open(path_ / "node");
  ASSERT_TRUE(folder);
  EXPECT_EQ(folder->load_cluster().value(), std::nullopt);
  ASSERT_TRUE(folder->save_cluster("one"));
  ASSERT_TRUE(folder->save_cluster("second"));
  EXPECT_EQ(folder->load_cluster().value(), "second");
  struct stat found = {};
  ASSERT_EQ(::stat(folder->cluster_file().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 077, 0U);
  ASSERT_EQ(::stat(folder->path().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 077, 0U);
}

TEST_F(StateFolderTest, AfterStartingOverTheNodeIsAnother) {
  const auto folder = StateFolder::open(path_ / "node");
  ASSERT_TRUE(folder);
  const PublicKey before = folder->load_or_make_key()->public_key();
  EXPECT_EQ(folder->load_or_make_key()->public_key(), before);
  ASSERT_TRUE(folder->save_cluster("one"));
  ASSERT_TRUE(folder->start_over());
  EXPECT_EQ(folder->load_cluster().value(), std::nullopt);
  EXPECT_NE(folder->load_or_make_key()->public_key(), before);
  EXPECT_TRUE(folder->start_over());
  EXPECT_TRUE(folder->start_over());
}

TEST_F(StateFolderTest, AFolderThatCannotBeMadeIsNamed) {
  std::ofstream(path_ / "file") << "x";
  const auto folder = StateFolder::open(path_ / "file" / "node");
  ASSERT_TRUE(folder.is(Errc::io));
  EXPECT_NE(folder.error().message().find("file/node"), std::string::npos);
}

}  // namespace
}  // namespace drystone
