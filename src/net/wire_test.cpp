#include "net/wire.h"

#include <gtest/gtest.h>

#include "net/test_bytes.h"

namespace drystone {
namespace {

TEST(Wire, FieldsComeBack) {
  WireWriter writer;
  writer.u8(0xfe);
  writer.u16(0x1234);
  writer.u32(0xdeadbeef);
  writer.u64(0x0123456789abcdef);
  writer.i32(-7);
  writer.f32(1.5F);
  writer.text("drystone");
  writer.text("");
  writer.numbers(std::span<const std::uint32_t>(std::array<std::uint32_t, 3>{1, 2, 3}));
  writer.numbers(std::span<const float>());
  writer.bytes(from_hex("0a0b"));

  WireReader reader(writer.written());
  EXPECT_EQ(reader.u8(), 0xfe);
  EXPECT_EQ(reader.u16(), 0x1234);
  EXPECT_EQ(reader.u32(), 0xdeadbeef);
  EXPECT_EQ(reader.u64(), 0x0123456789abcdefU);
  EXPECT_EQ(reader.i32(), -7);
  EXPECT_EQ(reader.f32(), 1.5F);
  EXPECT_EQ(reader.text(8), "drystone");
  EXPECT_EQ(reader.text(8), "");
  EXPECT_EQ(reader.numbers<std::uint32_t>(3), (std::vector<std::uint32_t>{1, 2, 3}));
  EXPECT_EQ(reader.numbers<float>(3), std::vector<float>());
  EXPECT_EQ(reader.bytes(2)[1], std::byte{0x0b});
  EXPECT_TRUE(reader.finish());
}

// Nodes of different builds talk to each other: the layout is fixed.
TEST(Wire, NumbersAreLittleEndianWithoutGaps) {
  WireWriter writer;
  writer.u8(1);
  writer.u32(0x05040302);
  writer.text("x");
  EXPECT_EQ(writer.take(), from_hex("01020304050100000078"));
}

TEST(Wire, TheFirstFaultStaysAndAllBehindItIsEmpty) {
  const auto bytes = from_hex("0100000005000000");
  WireReader reader(bytes);
  EXPECT_EQ(reader.u64(), 0x0000000500000001U);
  EXPECT_EQ(reader.u16(), 0);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.text(10), "");
  EXPECT_EQ(reader.count(10, 1), 0U);
  reader.refuse("later");
  const auto finished = reader.finish();
  ASSERT_TRUE(finished.is(Errc::corrupt));
  EXPECT_EQ(finished.error().message(), "at byte 8 of 8: a field of 2 bytes where 0 are left");
}

// A peer's count must not make us reserve gigabytes.
TEST(Wire, CountsAreBoundedByTheMaximumAndByWhatIsThere) {
  const auto bytes = from_hex("ffffffff00112233");
  EXPECT_EQ(WireReader(bytes).count(100, 1), 0U);
  EXPECT_EQ(WireReader(bytes).count(0xffffffff, 1), 0U);
  EXPECT_TRUE(WireReader(bytes).numbers<std::uint64_t>(0xffffffff).empty());
  const auto four = from_hex("0400000000112233");
  EXPECT_EQ(WireReader(four).count(4, 1), 4U);
  EXPECT_EQ(WireReader(four).count(4, 2), 0U);
  EXPECT_EQ(WireReader(four).count(3, 1), 0U);
  EXPECT_EQ(WireReader(four).text(3), "");
}

TEST(Wire, WhatIsLeftOverIsAFault) {
  const auto bytes = from_hex("0100");
  WireReader reader(bytes);
  reader.u8();
  EXPECT_TRUE(reader.finish().is(Errc::corrupt));
}

TEST(Wire, AReadersOwnRuleIsAFault) {
  WireReader reader({});
  reader.refuse("rank 3 of 2");
  EXPECT_EQ(reader.finish().error().message(), "at byte 0 of 0: rank 3 of 2");
}

}  // namespace
}  // namespace drystone
