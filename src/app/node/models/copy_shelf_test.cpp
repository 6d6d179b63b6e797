#include "app/node/models/copy_shelf.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace drystone {
namespace {

namespace fs = std::filesystem;

class CopyShelfTest : public testing::Test {
 protected:
  CopyShelfTest() : folder_(fs::temp_directory_path() / fmt::format("shelf-test-{}", getpid())) {
    fs::remove_all(folder_);
  }
  ~CopyShelfTest() override { fs::remove_all(folder_); }

  void put(const std::string& identity, std::chrono::hours unused) {
    fs::create_directories(folder_ / identity);
    std::ofstream(folder_ / identity / "model.gguf") << "bytes";
    fs::last_write_time(folder_ / identity, fs::file_time_type::clock::now() - unused);
  }
  bool has(const std::string& identity) const { return fs::exists(folder_ / identity); }

  const fs::path folder_;
  const std::atomic<bool> stop_ = false;
};

constexpr std::chrono::hours kOld = CopyShelf::kUnusedMax + std::chrono::hours(1);

// A node on which models come and go must not fill its disk with what nobody loads any more.
TEST_F(CopyShelfTest, WhatNobodyUsesGoes) {
  put("a1", kOld);
  put("a2", kOld);
  put("a3", std::chrono::hours(1));
  put("a4", kOld);
  CopyShelf shelf(folder_, [] { return SystemClock().wall(); });
  shelf.tidy();
  EXPECT_TRUE(has("a1")) << "before it is known what is wanted";
  const auto lease = shelf.take("a4", stop_);
  ASSERT_TRUE(lease.held());
  shelf.set_wanted({"a2"});
  shelf.tidy();
  EXPECT_FALSE(has("a1"));
  EXPECT_TRUE(has("a2")) << "somebody wants it";
  EXPECT_TRUE(has("a3")) << "it is not old";
  EXPECT_TRUE(has("a4")) << "it was used just now";
}

// The disk is full: what was used least recently makes room, and never what is in use.
TEST_F(CopyShelfTest, TheOneUnusedForLongestGoesFirst) {
  put("b1", std::chrono::hours(1));
  put("b2", std::chrono::hours(3));
  put("b3", std::chrono::hours(2));
  put("b4", std::chrono::hours(9));
  put("b5", std::chrono::hours(8));
  CopyShelf shelf(folder_);
  EXPECT_FALSE(shelf.drop_one()) << "before it is known what is wanted";
  shelf.set_wanted({"b4"});
  {
    const auto lease = shelf.take("b5", stop_);
    fs::last_write_time(folder_ / "b5", fs::file_time_type::clock::now() - std::chrono::hours(8));
    ASSERT_TRUE(shelf.drop_one());
    EXPECT_FALSE(has("b2"));
    EXPECT_TRUE(has("b3") && has("b4") && has("b5"));
    ASSERT_TRUE(shelf.drop_one());
    EXPECT_FALSE(has("b3"));
    ASSERT_TRUE(shelf.drop_one());
    EXPECT_FALSE(has("b1"));
    EXPECT_FALSE(shelf.drop_one());
  }
  EXPECT_TRUE(shelf.drop_one()) << "nobody works on it any more";
  EXPECT_FALSE(has("b5"));
  EXPECT_TRUE(has("b4"));
}

}  // namespace
}  // namespace drystone
