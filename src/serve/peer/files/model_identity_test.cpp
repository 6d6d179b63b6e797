#include "serve/peer/files/model_identity.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "serve/peer/split/test_cluster.h"

namespace drystone {
namespace {

namespace fs = std::filesystem;

class ModelIdentityTest : public testing::Test {
 protected:
  ModelIdentityTest()
      : folder_(fs::temp_directory_path() / fmt::format("identity-test-{}", getpid())) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~ModelIdentityTest() override { fs::remove_all(folder_); }

  // The model with one byte of a tensor changed, as if it had been trained a little more.
  fs::path changed(const std::string& tensor, Bytes at) const {
    fs::path path = folder_ / fmt::format("{}-{}.gguf", tensor, at);
    fs::copy(whole_.files()[0], path);
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    const auto place = static_cast<std::streamoff>(whole_.find(tensor)->offset + at);
    file.seekg(place);
    const int was = file.get();
    file.seekp(place);
    file.put(static_cast<char>(was ^ 1));
    return path;
  }
  static std::string identity(const fs::path& path) {
    const auto is = identify(*GgufFile::open(path));
    EXPECT_TRUE(is) << is.error().message();
    return is ? is->identity : "";
  }

  const TestModel model_{"Q4_0"};
  const GgufFile whole_ = model_.open();
  const fs::path folder_;
};

// A model that was trained anew has the sizes and the header of the old one: parts of both together
// would answer nonsense.
TEST_F(ModelIdentityTest, AnotherTensorIsAnotherModel) {
  const std::string is = identity(whole_.files()[0]);
  const fs::path copy = folder_ / "copy-of-it.gguf";
  fs::copy(whole_.files()[0], copy);
  EXPECT_EQ(identity(copy), is);
  for (const char* tensor : {"token_embd.weight", "blk.1.ffn_up.weight", "blk.3.attn_norm.weight"})
    for (const Bytes at : {Bytes(0), whole_.find(tensor)->bytes / 2})
      EXPECT_NE(identity(changed(tensor, at)), is) << tensor << " at byte " << at;
}

TEST_F(ModelIdentityTest, IsTheSameInMemory) {
  std::ifstream file(whole_.files()[0], std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto view = std::as_bytes(std::span(bytes));
  const auto parsed = GgufFile::parse(view);
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(identify(*parsed, view, "a.gguf").identity, identity(whole_.files()[0]));
}

// Nobody may have to read a large model through to know it.
TEST_F(ModelIdentityTest, SamplesAreFew) {
  Bytes sampled = 0;
  for (const FileRange& range : identity_samples(whole_)) {
    EXPECT_LE(range.bytes.end, whole_.file_bytes());
    sampled += range.bytes.size();
  }
  EXPECT_GT(sampled, 0u);
  EXPECT_LE(sampled, whole_.tensors().size() * 8 * kKiB);
}

}  // namespace
}  // namespace drystone
