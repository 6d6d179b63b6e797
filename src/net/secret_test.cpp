#include "net/secret.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "net/test_bytes.h"

namespace drystone {
namespace {

std::vector<std::byte> as_vector(std::span<const std::byte> bytes) {
  return {bytes.begin(), bytes.end()};
}

TEST(Secret, Sha256IsThatOfFips180) {
  EXPECT_EQ(as_vector(sha256(bytes_of("abc"))),
            from_hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
  EXPECT_EQ(as_vector(sha256({})),
            from_hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
}

TEST(Secret, HmacIsThatOfRfc4231) {
  EXPECT_EQ(as_vector(hmac_sha256(bytes_of("Jefe"), bytes_of("what do ya want for nothing?"))),
            from_hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
  EXPECT_EQ(as_vector(hmac_sha256({}, {})),
            from_hex("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"));
}

TEST(Secret, ComparesAllOfBoth) {
  const auto a = pattern(32, 1);
  auto b = a;
  EXPECT_TRUE(equal_in_constant_time(a, b));
  EXPECT_TRUE(equal_in_constant_time({}, {}));
  EXPECT_FALSE(equal_in_constant_time(a, std::span(b).first(31)));
  b[31] ^= std::byte{1};
  EXPECT_FALSE(equal_in_constant_time(a, b));
}

TEST(Secret, RandomBytesDiffer) {
  EXPECT_NE(random_bytes<32>(), random_bytes<32>());
  std::array<std::byte, 64> secret = random_bytes<64>();
  wipe(secret);
  EXPECT_TRUE(
      std::all_of(secret.begin(), secret.end(), [](auto byte) { return byte == std::byte{0}; }));
}

}  // namespace
}  // namespace drystone
