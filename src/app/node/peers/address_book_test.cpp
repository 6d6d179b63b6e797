#include "app/node/peers/address_book.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

namespace ip = boost::asio::ip;
using namespace std::chrono_literals;

AddressBook::Endpoint at(const char* address, std::uint16_t port = 8399) {
  return {ip::make_address(address), port};
}

Interface cable(const char* name, const char* address, std::uint32_t speed_mbit) {
  return {.name = name,
          .kind = InterfaceKind::ethernet,
          .up = true,
          .speed_mbit = speed_mbit,
          .addresses = {{.address = ip::make_address(address), .prefix_bits = 24}}};
}

// A node with two cables is reached over the fast one, and over the other when that one fails.
TEST(AddressBook, AFailingAddressStandsBehindTheOthersForAWhile) {
  AddressBook book;
  book.set_interfaces({cable("eth0", "10.0.0.1", 1000), cable("eth1", "10.1.0.1", 10'000)});
  EXPECT_TRUE(book.learn("nova", at("10.0.0.2"), 0s));
  EXPECT_TRUE(book.learn("nova", at("10.1.0.2"), 0s));
  EXPECT_FALSE(book.learn("nova", at("10.1.0.2"), 0s));
  EXPECT_EQ(book.addresses("nova", 1s).front(), at("10.1.0.2"));

  book.report("nova", at("10.1.0.2"), false, 1s);
  EXPECT_EQ(book.addresses("nova", 1s).front(), at("10.0.0.2"));
  EXPECT_EQ(book.addresses("nova", 1s).size(), 2U);
  EXPECT_TRUE(book.learn("nova", at("10.1.0.2"), 2s)) << "it is heard of again";
  EXPECT_EQ(book.addresses("nova", 32s).front(), at("10.1.0.2"));

  book.report("nova", at("10.0.0.2"), true, 33s);
  EXPECT_EQ(book.shown("nova", 33s), "10.0.0.2:8399");
}

TEST(AddressBook, WhatIsNoAddressOfAPeerIsNotKept) {
  AddressBook book;
  EXPECT_FALSE(book.learn("nova", at("0.0.0.0"), 0s));
  EXPECT_FALSE(book.learn("nova", at("239.1.2.3"), 0s));
  EXPECT_FALSE(book.learn("nova", at("10.0.0.2", 0), 0s));
  EXPECT_TRUE(book.addresses("nova", 0s).empty());
  EXPECT_EQ(book.shown("nova", 0s), "");
}

// Whoever sends packets under changing addresses must not fill the memory, nor push out good ones.
TEST(AddressBook, OfOneNodeTheLatestAreKept) {
  AddressBook book;
  book.learn("nova", at("10.0.0.2"), 0s);
  for (std::uint16_t port = 1; port <= 100; ++port) {
    book.learn("nova", at("10.0.0.3", port), std::chrono::seconds(port));
    book.report("nova", at("10.0.0.2"), true, std::chrono::seconds(port));
  }
  const auto all = book.addresses("nova", 101s);
  EXPECT_EQ(all.size(), AddressBook::kAddressesMax);
  EXPECT_NE(std::ranges::find(all, at("10.0.0.2")), all.end());
}

// An interface promises a speed; which one is better only measuring tells.
TEST(AddressBook, TheMeasuredAddressStandsBeforeThePromisingOne) {
  AddressBook book;
  book.set_interfaces({cable("eth0", "10.0.0.1", 10000), cable("eth1", "10.1.0.1", 1000)});
  book.learn("nova", at("10.0.0.2"), 0s);
  book.learn("nova", at("10.1.0.2"), 0s);
  EXPECT_EQ(book.addresses("nova", 1s).front(), at("10.0.0.2"));
  book.prefer("nova", ip::make_address("10.1.0.2"));
  EXPECT_EQ(book.addresses("nova", 1s).front(), at("10.1.0.2"));
  book.report("nova", at("10.1.0.2"), false, 1s);
  EXPECT_EQ(book.addresses("nova", 2s).front(), at("10.0.0.2")) << "its cable was cut";
  book.report("nova", at("10.1.0.2"), true, 3s);
  book.prefer("nova", std::nullopt);
  EXPECT_EQ(book.addresses("nova", 4s).front(), at("10.0.0.2"));
}

TEST(AddressBook, OthersAreToldOfAddressesThatTheyCanReach) {
  Interface loopback = cable("lo", "127.0.0.1", 0);
  loopback.kind = InterfaceKind::loopback;
  Interface unplugged = cable("eth1", "10.1.0.1", 10);
  unplugged.up = false;
  Interface both = cable("eth0", "10.0.0.1", 1000);
  both.addresses.push_back({.address = ip::make_address("fe80::1%2"), .prefix_bits = 64});
  both.addresses.push_back({.address = ip::make_address("2001:db8::1"), .prefix_bits = 64});
  EXPECT_EQ(reachable_addresses({loopback, both, unplugged}, 7),
            (std::vector<std::string>{"10.0.0.1:7", "[2001:db8::1]:7"}));
  EXPECT_EQ(reachable_addresses({loopback, both, unplugged}, 7, "127.0.0.1"),
            std::vector<std::string>{"127.0.0.1:7"});
  EXPECT_EQ(reachable_addresses({loopback, both, unplugged}, 7, "0.0.0.0").size(), 2u);
}

}  // namespace
}  // namespace drystone
