#include "app/node/peers/member_streams.h"

#include <gtest/gtest.h>

#include "app/node/peers/node_crypto.h"
#include "app/node/peers/test_closing_stream.h"

namespace drystone {
namespace {

// A connection whose handshake ends while its node is being put out comes too late to be closed
// with the others: it is refused, or it would go on for as long as it likes.
TEST(MemberStreams, AStreamOfWhoWasPutOutMeanwhileIsRefused) {
  const NodeKey key = NodeKey::make(), other = NodeKey::make();
  const NodeCrypto crypto(key);
  const auto tls = TlsContext::make(key, [](const TlsPeer&) { return true; });
  const SystemClock clock;
  const AddressBook book;
  auto members = *cluster::MemberList::found({}, "atlas", crypto);
  ASSERT_TRUE(members.admit(to_cluster(other.public_key()), "nova", crypto));
  MemberStreams streams(*tls, clock, book);
  streams.follow(members);
  bool closed_before = false, closed_after = false;
  const auto before =
      streams.guard_member(std::make_unique<TestClosingStream>(other.public_key(), closed_before));
  ASSERT_TRUE(before) << before.error().message();

  ASSERT_TRUE(members.remove(to_cluster(other.public_key()), crypto));
  streams.follow(members);
  streams.close_all_of(other.public_key());
  EXPECT_TRUE(closed_before);
  const auto after =
      streams.guard_member(std::make_unique<TestClosingStream>(other.public_key(), closed_after));
  EXPECT_TRUE(after.is(Errc::unavailable));
}

}  // namespace
}  // namespace drystone
