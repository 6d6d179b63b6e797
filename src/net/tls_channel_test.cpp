#include "net/tls_channel.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <atomic>
#include <functional>

#include "net/certificate.h"
#include "net/test_bytes.h"
#include "net/test_channels.h"

namespace drystone {
namespace {

std::string why(const Result<TlsChannel::Wait>& result) {
  return result ? "no error" : result.error().message();
}

// Sends all of `bytes` through a pair whose reader takes what it can meanwhile.
std::vector<std::byte> carry(TlsChannel& from, TlsChannel& to, std::span<const std::byte> bytes) {
  std::vector<std::byte> got(bytes.size());
  std::size_t have = 0;
  bool sent_all = false;
  while (have < got.size() || !sent_all) {
    const auto wrote = from.write_some(bytes);
    CHECK(wrote, wrote.error().message());
    bytes = bytes.subspan(wrote->bytes);
    sent_all = bytes.empty() && wrote->wait == TlsChannel::Wait::none;
    while (have < got.size()) {
      const auto read = to.read_some(std::span(got).subspan(have));
      CHECK(read, read.error().message());
      have += read->bytes;
      if (read->wait != TlsChannel::Wait::none) break;
    }
  }
  return got;
}

TEST(TlsChannel, BothSidesLearnTheOthersKeyAndTheProtocol) {
  const TestNode atlas, nova;
  for (const Protocol protocol : {Protocol::control, Protocol::data}) {
    ChannelPair pair(atlas, nova, protocol);
    pair.shake_hands();
    ASSERT_TRUE(pair.shaken()) << why(pair.client_says) << why(pair.server_says);
    EXPECT_EQ(pair.client->peer_key(), nova.key.public_key());
    EXPECT_EQ(pair.server->peer_key(), atlas.key.public_key());
    EXPECT_EQ(pair.client->protocol(), protocol);
    EXPECT_EQ(pair.server->protocol(), protocol);
  }
}

TEST(TlsChannel, ThePolicyHearsWhoAsksForWhat) {
  std::vector<TlsPeer> asked;
  const TestNode atlas;
  const TestNode nova([&](const TlsPeer& peer) { return asked.push_back(peer), true; });
  ChannelPair pair(atlas, nova, Protocol::control);
  pair.shake_hands();
  ASSERT_TRUE(pair.shaken());
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0].key, atlas.key.public_key());
  EXPECT_EQ(asked[0].protocol, Protocol::control);
  EXPECT_EQ(asked[0].our_side, TlsSide::server);
}

// `drystone remove NODE` must hold at once, whatever the removed node remembers of old connections.
TEST(TlsChannel, ARemovedKeyGetsNoNewConnection) {
  std::atomic<bool> member = true;
  const TestNode atlas;
  const TestNode nova([&](const TlsPeer&) { return member.load(); });
  ChannelPair before(atlas, nova);
  before.shake_hands();
  ASSERT_TRUE(before.shaken());

  member = false;
  ChannelPair after(atlas, nova);
  after.shake_hands();
  ASSERT_TRUE(after.server_says.is(Errc::unavailable)) << why(after.server_says);
  // The client is through before the server has seen its key; it learns it on reading.
  std::byte byte;
  const auto read = after.client->read_some(std::span(&byte, 1));
  ASSERT_TRUE(read.is(Errc::unavailable)) << (read ? "no error" : read.error().message());
  EXPECT_NE(read.error().message().find("refuses this node's key"), std::string::npos);
}

TEST(TlsChannel, AClientRefusesAServerThatIsNotWhomItExpects) {
  const TestNode atlas, nova;
  const PublicKey other = NodeKey::make().public_key();
  ChannelPair pair(atlas, nova, Protocol::data,
                   [&](const TlsPeer& peer) { return peer.key == other; });
  pair.shake_hands();
  EXPECT_TRUE(pair.client_says.is(Errc::unavailable)) << why(pair.client_says);
  EXPECT_TRUE(pair.server_says.is(Errc::unavailable)) << why(pair.server_says);
}

TEST(TlsChannel, CarriesBytesOfAnySizeBothWays) {
  const TestNode atlas, nova;
  ChannelPair pair(atlas, nova);
  pair.shake_hands();
  ASSERT_TRUE(pair.shaken());
  for (const std::size_t size : {1, 100, 16383, 16384, 16385, 1 << 20}) {
    EXPECT_EQ(carry(*pair.client, *pair.server, pattern(size, 1)), pattern(size, 1)) << size;
    EXPECT_EQ(carry(*pair.server, *pair.client, pattern(size, 2)), pattern(size, 2)) << size;
  }
}

// AES-GCM allows some millions of records for a key; a busy link sends them within hours.
TEST(TlsChannel, KeysAreReplacedWithoutAPause) {
  const TestNode atlas, nova;
  ChannelPair pair(atlas, nova, Protocol::data, nullptr, /*records_per_key=*/3);
  pair.shake_hands();
  ASSERT_TRUE(pair.shaken());
  for (std::uint64_t i = 0; i < 400; ++i) {
    ASSERT_EQ(carry(*pair.client, *pair.server, pattern(100, i)), pattern(100, i)) << i;
    ASSERT_EQ(carry(*pair.server, *pair.client, pattern(50, i)), pattern(50, i)) << i;
  }
}

// A join is proved by this value: a man in the middle has two connections, so two values.
TEST(TlsChannel, TheExportedSecretIsThatOfThisConnectionAndLabel) {
  const TestNode atlas, nova;
  ChannelPair one(atlas, nova), two(atlas, nova);
  one.shake_hands();
  two.shake_hands();
  ASSERT_TRUE(one.shaken() && two.shaken());
  EXPECT_EQ(one.client->exporter("join"), one.server->exporter("join"));
  EXPECT_NE(one.client->exporter("join"), one.client->exporter("other"));
  EXPECT_NE(one.client->exporter("join"), two.client->exporter("join"));
}

// A peer that ended and one that vanished are told apart.
TEST(TlsChannel, AGoodbyeIsToldFromACut) {
  const TestNode atlas, nova;
  std::byte byte;
  ChannelPair polite(atlas, nova), cut(atlas, nova);
  polite.shake_hands();
  cut.shake_hands();
  ASSERT_TRUE(polite.shaken() && cut.shaken());
  polite.client->say_goodbye();
  polite.sockets.client.reset();
  cut.sockets.client.reset();
  EXPECT_TRUE(polite.server->read_some(std::span(&byte, 1)).is(Errc::closed));
  EXPECT_TRUE(cut.server->read_some(std::span(&byte, 1)).is(Errc::io));
}

// Waits for the reader instead of holding whatever it is given.
TEST(TlsChannel, HoldsOneRecordThatTheSocketDoesNotTake) {
  const TestNode atlas, nova;
  ChannelPair pair(atlas, nova);
  pair.shake_hands();
  ASSERT_TRUE(pair.shaken());
  const auto bytes = pattern(1 << 20, 1);
  std::size_t taken = 0;
  TlsChannel::Progress progress;
  while (progress.wait == TlsChannel::Wait::none && taken < bytes.size()) {
    progress = pair.client->write_some(std::span(bytes).subspan(taken)).value();
    taken += progress.bytes;
  }
  ASSERT_LT(taken, bytes.size());
  progress = pair.client->write_some(std::span(bytes).subspan(taken)).value();
  EXPECT_EQ(progress.bytes, 0U);
  EXPECT_EQ(progress.wait, TlsChannel::Wait::writable);
}

// Strangers that speak TLS in their own way: plain OpenSSL against a node's server.
class Stranger : public testing::Test {
 protected:
  using Setup = std::function<void(SSL_CTX*, SSL*)>;

  // What the server says of a client that was set up so.
  Result<TlsChannel::Wait> meets(const Setup& setup) {
    const TestNode node;
    SocketPair sockets;
    TlsChannel server(*node.tls, {.socket = sockets.server.get(), .side = TlsSide::server});
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());
    SSL* ssl = SSL_new(context);
    setup(context, ssl);
    SSL_free(ssl);
    ssl = SSL_new(context);
    setup(context, ssl);
    SSL_set_fd(ssl, sockets.client.get());
    SSL_set_connect_state(ssl);
    Result<TlsChannel::Wait> says = TlsChannel::Wait::readable;
    for (int i = 0; i < 8 && says && *says != TlsChannel::Wait::none; ++i) {
      SSL_do_handshake(ssl);
      says = server.handshake();
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
    return says;
  }

  static void show(SSL* ssl, const NodeKey& key, X509* certificate) {
    SSL_use_certificate(ssl, certificate);
    SSL_use_PrivateKey(ssl, key.handle());
  }
  static void offer(SSL* ssl, std::string_view protocol) {
    const std::string names = static_cast<char>(protocol.size()) + std::string(protocol);
    SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(names.data()),
                        static_cast<unsigned>(names.size()));
  }

  NodeKey key_ = NodeKey::make();
  Certificate certificate_ = make_certificate(key_);
};

TEST_F(Stranger, WhoDoesAllAsANodeDoesIsLetIn) {
  const auto says = meets([&](SSL_CTX*, SSL* ssl) {
    show(ssl, key_, certificate_.get());
    offer(ssl, "http/1.1");
  });
  EXPECT_TRUE(says) << why(says);
}

TEST_F(Stranger, WithoutACertificateIsRefused) {
  EXPECT_FALSE(meets([&](SSL_CTX*, SSL* ssl) { offer(ssl, "http/1.1"); }));
}

TEST_F(Stranger, WithAnotherProtocolOrNoneIsRefused) {
  EXPECT_FALSE(meets([&](SSL_CTX*, SSL* ssl) {
    show(ssl, key_, certificate_.get());
    offer(ssl, "h2");
  }));
  EXPECT_FALSE(meets([&](SSL_CTX*, SSL* ssl) { show(ssl, key_, certificate_.get()); }));
}

TEST_F(Stranger, WithOlderTlsIsRefused) {
  EXPECT_FALSE(meets([&](SSL_CTX*, SSL* ssl) {
    SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
    show(ssl, key_, certificate_.get());
    offer(ssl, "http/1.1");
  }));
}

TEST_F(Stranger, WithAChainIsRefused) {
  EXPECT_FALSE(meets([&](SSL_CTX*, SSL* ssl) {
    show(ssl, key_, certificate_.get());
    const Certificate other = make_certificate(NodeKey::make());
    SSL_add1_chain_cert(ssl, other.get());
    offer(ssl, "http/1.1");
  }));
}

TEST_F(Stranger, WithAForgedCertificateIsRefused) {
  const NodeKey member = NodeKey::make();
  // The member's name on a certificate of its own key: signed by the stranger.
  const Certificate forged = make_certificate(key_);
  X509_set_pubkey(forged.get(), key_.handle());
  X509_sign(forged.get(), member.handle(), nullptr);
  EXPECT_FALSE(meets([&](SSL_CTX*, SSL* ssl) {
    show(ssl, key_, forged.get());
    offer(ssl, "http/1.1");
  }));
}

TEST_F(Stranger, WhoSpeaksSomethingElseIsRefused) {
  const TestNode node;
  for (const std::string_view text :
       {"GET / HTTP/1.1\r\n\r\n", "SSH-2.0-x\r\n", "\x16\x03\x01\xff\xff"}) {
    SocketPair sockets;
    TlsChannel server(*node.tls, {.socket = sockets.server.get(), .side = TlsSide::server});
    ASSERT_EQ(::send(sockets.client.get(), text.data(), text.size(), 0),
              static_cast<ssize_t>(text.size()));
    sockets.client.reset();
    EXPECT_FALSE(server.handshake()) << text;
  }
}

}  // namespace
}  // namespace drystone
