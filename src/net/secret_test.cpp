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

TEST(Secret, HkdfIsThatOfRfc5869) {
  std::vector<std::byte> key(42);
  const auto info = from_hex("f0f1f2f3f4f5f6f7f8f9");
  hkdf_sha256(from_hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"),
              from_hex("000102030405060708090a0b0c"),
              {reinterpret_cast<const char*>(info.data()), info.size()}, key);
  EXPECT_EQ(key, from_hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208"
                          "d5b887185865"));
  // Test case 3: neither salt nor info.
  hkdf_sha256(from_hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"), {}, "", key);
  EXPECT_EQ(key, from_hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395"
                          "faa4b61a96c8"));
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
