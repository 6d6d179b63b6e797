#include "net/node_key.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "net/secret.h"
#include "net/test_bytes.h"

namespace drystone {
namespace {
namespace fs = std::filesystem;

class NodeKeyTest : public testing::Test {
 protected:
  NodeKeyTest() { fs::create_directories(folder_); }
  ~NodeKeyTest() override { fs::remove_all(folder_); }

  fs::path write(const char* name, std::string_view text, mode_t mode = 0600) {
    const fs::path file = folder_ / name;
    std::ofstream(file) << text;
    ::chmod(file.c_str(), mode);
    return file;
  }

  fs::path folder_ =
      fs::temp_directory_path() / ("drystone-node-key-" + std::to_string(::getpid()));
};

PublicKey key_from(std::string_view hex) {
  PublicKey key;
  const auto bytes = from_hex(hex);
  std::copy(bytes.begin(), bytes.end(), key.raw.begin());
  return key;
}

// Members check each other's signatures for as long as a cluster lives: these must be the
// standard's.
TEST_F(NodeKeyTest, VerifiesTheSignaturesOfRfc8032) {
  const PublicKey key =
      key_from("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  const auto bytes = from_hex(
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f1"
      "1d8c387b2eaeb4302aeeb00d291612bb0c00");
  Signature signature;
  std::copy(bytes.begin(), bytes.end(), signature.begin());
  const auto message = from_hex("72");

  EXPECT_TRUE(verify(key, message, signature));
  EXPECT_FALSE(verify(key, from_hex("73"), signature));
  EXPECT_FALSE(verify(key, {}, signature));
  signature[10] ^= std::byte{1};
  EXPECT_FALSE(verify(key, message, signature));
  EXPECT_FALSE(verify(PublicKey{}, message, Signature{}));
}

TEST_F(NodeKeyTest, SignsWhatItsPublicHalfVerifies) {
  const NodeKey key = NodeKey::make();
  const auto message = pattern(1000, 1);
  EXPECT_TRUE(verify(key.public_key(), message, key.sign(message)));
  EXPECT_TRUE(verify(key.public_key(), {}, key.sign({})));
  EXPECT_FALSE(verify(NodeKey::make().public_key(), message, key.sign(message)));
}

// The id is what people and messages call a node: it must never change with a release.
TEST_F(NodeKeyTest, IdIsTheStartOfTheKeysHashInBase32) {
  const PublicKey key =
      key_from("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  EXPECT_EQ(node_id(key), "hh3rhufgiqst6bcssqq3t5i3tm");
}

TEST_F(NodeKeyTest, ASavedKeyIsTheSameAndPrivate) {
  const NodeKey key = NodeKey::make();
  const fs::path file = folder_ / "node.key";
  ASSERT_TRUE(key.save(file));
  struct stat status = {};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);

  const auto loaded = NodeKey::load(file);
  ASSERT_TRUE(loaded) << loaded.error().message();
  EXPECT_EQ(loaded->public_key(), key.public_key());
  EXPECT_TRUE(verify(key.public_key(), bytes_of("x"), loaded->sign(bytes_of("x"))));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

TEST_F(NodeKeyTest, SavingReplacesAnOlderKey) {
  const fs::path file = write("node.key", "old", 0644);
  const NodeKey key = NodeKey::make();
  ASSERT_TRUE(key.save(file));
  EXPECT_EQ(NodeKey::load(file).value().public_key(), key.public_key());
}

TEST_F(NodeKeyTest, LoadOrMakeMakesOnce) {
  const fs::path file = folder_ / "node.key";
  const PublicKey first = NodeKey::load_or_make(file).value().public_key();
  EXPECT_EQ(NodeKey::load_or_make(file).value().public_key(), first);
}

// A key that cannot be read must never be replaced by a new one: the node would be a stranger.
TEST_F(NodeKeyTest, LoadOrMakeLeavesWhatItCannotRead) {
  const fs::path file = write("node.key", "scratched");
  const auto key = NodeKey::load_or_make(file);
  EXPECT_TRUE(key.is(Errc::corrupt));
  std::string text;
  std::getline(std::ifstream(file), text);
  EXPECT_EQ(text, "scratched");
}

TEST_F(NodeKeyTest, ErrorsNameTheFile) {
  const auto expect = [](const Result<NodeKey>& key, Errc code, const fs::path& file) {
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().code(), code) << key.error().message();
    EXPECT_NE(key.error().message().find(file.string()), std::string::npos);
  };
  expect(NodeKey::load(folder_ / "none"), Errc::not_found, folder_ / "none");
  expect(NodeKey::load(folder_), Errc::corrupt, folder_);
  const fs::path empty = write("empty", "");
  expect(NodeKey::load(empty), Errc::corrupt, empty);
  const fs::path large = write("large", std::string(5000, 'x'));
  expect(NodeKey::load(large), Errc::corrupt, large);
  // A key of another kind.
  const fs::path other = write("other", "");
  EVP_PKEY* key = EVP_EC_gen("P-256");
  BIO* out = BIO_new_file(other.c_str(), "w");
  PEM_write_bio_PKCS8PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
  BIO_free(out);
  EVP_PKEY_free(key);
  expect(NodeKey::load(other), Errc::corrupt, other);
}

TEST_F(NodeKeyTest, RefusesAKeyThatOthersMayRead) {
  const fs::path file = folder_ / "node.key";
  ASSERT_TRUE(NodeKey::make().save(file));
  ::chmod(file.c_str(), 0640);
  const auto key = NodeKey::load(file);
  ASSERT_TRUE(key.is(Errc::io));
  EXPECT_NE(key.error().message().find("chmod 600 " + file.string()), std::string::npos);
}

TEST_F(NodeKeyTest, AFolderThatIsMissingIsNoNewKey) {
  const auto key = NodeKey::load_or_make(folder_ / "nowhere" / "node.key");
  EXPECT_TRUE(key.is(Errc::io)) << key.error().message();
}

}  // namespace
}  // namespace drystone
