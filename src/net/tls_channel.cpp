#include "net/tls_channel.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "net/certificate.h"

namespace drystone {

namespace {

constexpr std::size_t kHandshakeInputBytes = 4 << 10;
constexpr std::size_t kInputBytes = 64 << 10;  // received with one call of the system
#ifdef MSG_NOSIGNAL
constexpr int kSendFlags = MSG_NOSIGNAL;
#else
constexpr int kSendFlags = 0;  // the socket is set up not to raise SIGPIPE
#endif

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

// How many bytes the socket took; 0: none now. Errors: -1, errno.
ssize_t send_now(int socket, std::span<const std::byte> bytes) {
  while (true) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), kSendFlags);
    if (sent >= 0) return sent;
    if (errno != EINTR) return would_block(errno) ? 0 : -1;
  }
}

// OpenSSL judges a call by what stands in the thread's list of errors.
void forget_old_errors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

bool is_about_our_key(int alert) {
  switch (alert) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
      return true;
    default:
      return false;
  }
}

}  // namespace

struct TlsChannel::Bio {
  static TlsChannel& channel(BIO* bio) { return *static_cast<TlsChannel*>(BIO_get_data(bio)); }

  // Takes all of it: what the socket does not take now is kept. So OpenSSL never sees a write that
  // must be repeated. At most a record and a few alerts come between two flushes.
  static int write(BIO* bio, const char* data, int size) {
    TlsChannel& self = channel(bio);
    auto bytes = std::as_bytes(std::span(data, static_cast<std::size_t>(size)));
    if (self.unsent_.empty()) {
      const ssize_t sent = send_now(self.socket_, bytes);
      if (sent < 0) {
        self.send_error_ = errno;
        return -1;
      }
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
    self.unsent_.insert(self.unsent_.end(), bytes.begin(), bytes.end());
    return size;
  }

  static int read(BIO* bio, char* out, int size) {
    TlsChannel& self = channel(bio);
    BIO_clear_retry_flags(bio);
    const std::size_t bytes =
        std::min(static_cast<std::size_t>(size), self.input_end_ - self.input_begin_);
    if (bytes == 0) {
      if (self.input_ended_) return 0;
      BIO_set_retry_read(bio);
      return -1;
    }
    std::memcpy(out, self.input_.data() + self.input_begin_, bytes);
    self.input_begin_ += bytes;
    return static_cast<int>(bytes);
  }

  static long control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_FLUSH) return 1;
    if (command == BIO_CTRL_EOF) {
      const TlsChannel& self = channel(bio);
      return self.input_ended_ && self.input_begin_ == self.input_end_ ? 1 : 0;
    }
    return 0;
  }

  static BIO_METHOD* method() {
    static BIO_METHOD* const method = [] {
      BIO_METHOD* made =
          BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "drystone socket");
      CHECK(made != nullptr && BIO_meth_set_write(made, write) == 1 &&
            BIO_meth_set_read(made, read) == 1 && BIO_meth_set_ctrl(made, control) == 1);
      return made;
    }();
    return method;
  }

  static BIO* make(TlsChannel& channel) {
    BIO* bio = BIO_new(method());
    CHECK(bio != nullptr);
    BIO_set_data(bio, &channel);
    BIO_set_init(bio, 1);
    return bio;
  }
};

TlsChannel::TlsChannel(const TlsContext& context, Options options)
    : socket_(options.socket),
      policy_(std::move(options.policy)),
      input_(kHandshakeInputBytes),
      records_per_key_(options.records_per_key) {
  ssl_ = context.new_connection(options.side, options.protocol, policy_ ? &policy_ : nullptr);
  BIO* bio = Bio::make(*this);
  SSL_set_bio(ssl_, bio, bio);
}

TlsChannel::~TlsChannel() { SSL_free(ssl_); }

// Only when all input is used up: OpenSSL takes in what there is, even part of a record.
Result<TlsChannel::Fill> TlsChannel::receive() {
  CHECK(input_begin_ == input_end_, input_begin_, input_end_);
  while (!input_ended_) {
    const ssize_t got = ::recv(socket_, input_.data(), input_.size(), 0);
    if (got > 0) {
      input_begin_ = 0;
      input_end_ = static_cast<std::size_t>(got);
      return Fill::got;
    }
    if (got == 0) input_ended_ = true;
    if (got < 0 && would_block(errno)) return Fill::nothing;
    if (got < 0 && errno != EINTR)
      return Error(Errc::io, fmt::format("the connection broke: {}", std::strerror(errno)));
  }
  return Fill::end;
}

Result<bool> TlsChannel::flush() {
  while (unsent_begin_ < unsent_.size()) {
    const ssize_t sent = send_now(socket_, std::span(unsent_).subspan(unsent_begin_));
    if (sent < 0)
      return Error(Errc::io, fmt::format("the connection broke: {}", std::strerror(errno)));
    if (sent == 0) return false;
    unsent_begin_ += static_cast<std::size_t>(sent);
  }
  unsent_.clear();
  unsent_begin_ = 0;
  return true;
}

Error TlsChannel::failure(std::string_view doing, int ssl_result) {
  const int kind = SSL_get_error(ssl_, ssl_result);
  const unsigned long code = ERR_peek_last_error();
  const int reason = ERR_GET_REASON(code);
  const char* text = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  if (send_error_ != 0)
    return {Errc::io,
            fmt::format("{}: the connection broke: {}", doing, std::strerror(send_error_))};
  if (kind == SSL_ERROR_ZERO_RETURN)
    return {Errc::closed, fmt::format("{}: the peer ended the connection", doing)};
  if (kind == SSL_ERROR_SYSCALL || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
    return {established_ ? Errc::io : Errc::closed,
            fmt::format("{}: the connection ended without a goodbye", doing)};
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    if (SSL_get_verify_result(ssl_) == X509_V_ERR_CERT_REJECTED)
      return {Errc::unavailable,
              fmt::format("{}: the peer's key is not one that is expected", doing)};
    return {Errc::corrupt, fmt::format("{}: the peer shows no certificate of a node", doing)};
  }
  if (reason > SSL_AD_REASON_OFFSET) {
    if (is_about_our_key(reason - SSL_AD_REASON_OFFSET))
      return {Errc::unavailable, fmt::format("{}: the peer refuses this node's key", doing)};
    return {Errc::unavailable,
            fmt::format("{}: the peer refuses ({})", doing, text == nullptr ? "unknown" : text)};
  }
  return {Errc::corrupt, fmt::format("{}: this is no TLS of a node ({})", doing,
                                     text == nullptr ? "no reason known" : text)};
}

Result<TlsChannel::Wait> TlsChannel::handshake() {
  constexpr std::string_view kDoing = "TLS handshake";
  while (true) {
    int result = 0;
    {
      const std::lock_guard lock(mutex_);
      forget_old_errors();
      result = SSL_do_handshake(ssl_);
      const bool want_read = result != 1 && SSL_get_error(ssl_, result) == SSL_ERROR_WANT_READ;
      if (result != 1 && !want_read) return failure(kDoing, result);
      if (!TRY(flush())) return Wait::writable;
      if (result == 1) {
        finish_handshake();
        return Wait::none;
      }
    }
    if (TRY(receive()) == Fill::nothing) return Wait::readable;
  }
}

void TlsChannel::finish_handshake() {
  if (established_) return;
  const Certificate certificate(SSL_get1_peer_certificate(ssl_));
  CHECK(certificate != nullptr);
  peer_key_ = key_of(*certificate).value();
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  const std::string_view chosen(reinterpret_cast<const char*>(name), size);
  protocol_ = chosen == alpn_name(Protocol::data) ? Protocol::data : Protocol::control;
  std::vector<std::byte> larger(kInputBytes);
  std::copy(input_.begin(), input_.end(), larger.begin());
  input_ = std::move(larger);
  may_have_input_ = true;
  established_ = true;
}

Digest TlsChannel::exporter(std::string_view label) const {
  CHECK(established_);
  Digest secret;
  const std::lock_guard lock(mutex_);
  CHECK(SSL_export_keying_material(ssl_, reinterpret_cast<unsigned char*>(secret.data()),
                                   secret.size(), label.data(), label.size(), nullptr, 0, 0) == 1);
  return secret;
}

Result<TlsChannel::Progress> TlsChannel::read_some(std::span<std::byte> into) {
  CHECK(established_ && !into.empty());
  while (true) {
    if (may_have_input_) {
      const std::lock_guard lock(mutex_);
      forget_old_errors();
      std::size_t bytes = 0;
      const int result = SSL_read_ex(ssl_, into.data(), into.size(), &bytes);
      if (result == 1) return Progress{.bytes = bytes};
      if (SSL_get_error(ssl_, result) != SSL_ERROR_WANT_READ) return failure("reading", result);
      may_have_input_ = false;
    }
    if (TRY(receive()) == Fill::nothing) return Progress{.wait = Wait::readable};
    may_have_input_ = true;
  }
}

Result<TlsChannel::Progress> TlsChannel::write_some(std::span<const std::byte> from) {
  CHECK(established_);
  const std::lock_guard lock(mutex_);
  if (!TRY(flush())) return Progress{.wait = Wait::writable};
  if (from.empty()) return Progress{};
  forget_old_errors();
  if (++records_ == records_per_key_) {
    records_ = 0;
    CHECK(SSL_key_update(ssl_, SSL_KEY_UPDATE_NOT_REQUESTED) == 1);
  }
  std::size_t bytes = 0;
  const int result = SSL_write_ex(ssl_, from.data(), std::min(from.size(), kRecordBytes), &bytes);
  if (result != 1) return failure("writing", result);
  return Progress{.bytes = bytes, .wait = unsent_.empty() ? Wait::none : Wait::writable};
}

void TlsChannel::say_goodbye() {
  const std::lock_guard lock(mutex_);
  if (SSL_is_init_finished(ssl_) == 0) return;
  SSL_shutdown(ssl_);
  ERR_clear_error();
}

}  // namespace drystone
