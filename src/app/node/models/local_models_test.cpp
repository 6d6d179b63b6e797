#include "app/node/models/local_models.h"

#include <gtest/gtest.h>

#include "serve/peer/split/test_cluster.h"

namespace drystone {
namespace {

namespace fs = std::filesystem;

// What was hashed once is known by the file's times and number: another model at its path, and
// other bytes in it, are other models all the same.
TEST(LocalModels, AnotherFileAtThePathIsAnotherModel) {
  const fs::path folder = fs::temp_directory_path() / fmt::format("local-models-{}", getpid());
  fs::remove_all(folder);
  fs::create_directories(folder);
  const fs::path path = folder / "stone.gguf";
  const TestModel first("Q8_0"), second("Q4_0");
  fs::copy(first.open().files()[0], path);
  LocalModels models;
  const auto before = models.open(path);
  ASSERT_TRUE(before) << before.error().message();
  EXPECT_EQ(models.open(path)->identity.identity, before->identity.identity);
  fs::copy(second.open().files()[0], path, fs::copy_options::overwrite_existing);
  EXPECT_NE(models.open(path)->identity.identity, before->identity.identity);
  fs::remove(path);
  fs::copy(first.open().files()[0], path);
  EXPECT_EQ(models.open(path)->identity.identity, before->identity.identity);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace drystone
