#include "app/node/measure/machine_facts.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace drystone {
namespace {

// A person who reads "isa": "" takes it for what the machine has.
TEST(MachineFacts, WhatIsNotKnownIsAbsent) {
  const auto unknown = describe_machine({.version = "1", .threads = 2});
  for (const char* name : {"isa", "cpu", "devices"}) EXPECT_FALSE(unknown.contains(name)) << name;
  const auto known = describe_machine({.version = "1", .cpu = "Zen", .isa = "avx2", .threads = 2});
  EXPECT_EQ(known.at("isa"), "avx2");
  EXPECT_EQ(known.at("devices").at(0).at("name"), "avx2 (2 threads)");
}

}  // namespace
}  // namespace drystone
