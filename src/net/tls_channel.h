#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/secret.h"
#include "net/tls_context.h"

namespace drystone {

// TLS on a nonblocking socket, without waiting: whoever uses it (threads: net/tls_data_stream.h,
// the event loop: net/peer_stream.h) waits for the socket where it says so. One thread may read
// while another writes; all else is for one thread at a time. Borrows the socket and the context
// for its life.
class TlsChannel {
 public:
  enum class Wait : std::uint8_t { none, readable, writable };

  struct Progress {
    std::size_t bytes = 0;
    Wait wait = Wait::none;  // none: go on; otherwise nothing more happens before the socket is so
  };

  struct Options {
    int socket;
    TlsSide side;
    Protocol protocol = Protocol::control;  // of a client; a server takes what is asked for
    TlsPolicy policy = nullptr;             // empty: the context's
    // Records before the sending key is replaced; AES-GCM allows 2^24.5 (RFC 8446, 5.5).
    std::uint64_t records_per_key = std::uint64_t{1} << 23;
  };

  TlsChannel(const TlsContext& context, Options options);
  ~TlsChannel();
  TlsChannel(const TlsChannel&) = delete;
  TlsChannel& operator=(const TlsChannel&) = delete;

  // Again after each wait, until it says none: the keys are proved and the protocol is settled.
  // Errors: unavailable (the policy refuses the peer, or the peer us), closed (the peer left), io,
  // corrupt (what the peer says is no such handshake). The channel is of no more use then.
  Result<Wait> handshake();

  // After the handshake.
  const PublicKey& peer_key() const { return peer_key_; }
  Protocol protocol() const { return protocol_; }

  // RFC 5705 with TLS 1.3: 32 bytes that the two ends of this connection and nobody else know, the
  // same on both sides for a `label`. Whoever signs or hashes them speaks of this very connection.
  Digest exporter(std::string_view label) const;

  // Decrypts into `into` (not empty) what has come: at least one byte, or a wait. Errors: closed
  // (the peer said goodbye), unavailable (the peer refused our key), io (the connection broke, also
  // where it ends without a goodbye), corrupt.
  Result<Progress> read_some(std::span<std::byte> into);

  // Encrypts from the front of `from` as much as one record holds, and sends it as far as the
  // socket takes it; the rest is kept and goes first next time. So `bytes` are taken over even
  // where it says to wait; with an empty `from` it only sends what was kept. Errors: io.
  Result<Progress> write_some(std::span<const std::byte> from);

  // Says goodbye as far as the socket takes it at once. From any thread.
  void say_goodbye();

  // Bytes that one record carries at most.
  static constexpr std::size_t kRecordBytes = 16 << 10;

 private:
  struct Bio;  // what OpenSSL takes for the socket
  enum class Fill : std::uint8_t { got, nothing, end };

  Result<Fill> receive();
  Result<bool> flush();  // whether all is out
  void finish_handshake();
  Error failure(std::string_view doing, int ssl_result);

  SSL* ssl_ = nullptr;
  int socket_;
  TlsPolicy policy_;
  PublicKey peer_key_;
  Protocol protocol_ = Protocol::control;
  bool established_ = false;
  mutable std::mutex mutex_;  // OpenSSL's object takes one call at a time

  // Of the reading thread: received and not yet decrypted is [input_begin_, input_end_).
  std::vector<std::byte> input_;
  std::size_t input_begin_ = 0, input_end_ = 0;
  bool input_ended_ = false;
  bool may_have_input_ = false;  // inside OpenSSL, or here
  // Behind the mutex: encrypted, and not taken by the socket.
  std::vector<std::byte> unsent_;
  std::size_t unsent_begin_ = 0;
  int send_error_ = 0;
  const std::uint64_t records_per_key_;
  std::uint64_t records_ = 0;
};

}  // namespace drystone
