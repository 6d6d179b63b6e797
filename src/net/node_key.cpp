#include "net/node_key.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "base/base32.h"
#include "base/file_bytes.h"
#include "net/secret.h"
#include "net/socket_handle.h"

namespace drystone {
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kKeyFileBytesMax = 4096;
constexpr std::size_t kIdBytes = 16;

using Memory = std::unique_ptr<BIO, decltype(&BIO_free)>;

Error file_error(std::string_view doing, const std::filesystem::path& file, int error) {
  return {error == ENOENT ? Errc::not_found : Errc::io,
          fmt::format("cannot {} the key file {}: {}", doing, file.string(),
                      std::strerror(error))};  // NOLINT(concurrency-mt-unsafe): glibc's is safe
}

// A key that is encrypted must not make us ask a terminal that may not be there.
int no_password(char*, int, int, void*) { return 0; }

Result<std::vector<char>> read_private_file(const std::filesystem::path& file) {
  const SocketHandle opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!opened) return file_error("open", file, errno);
  struct stat status = {};
  if (::fstat(opened.get(), &status) != 0) return file_error("look at", file, errno);
  if (!S_ISREG(status.st_mode) || status.st_size > static_cast<off_t>(kKeyFileBytesMax))
    return Error(Errc::corrupt, fmt::format("{} is no key file: it should be a file of at most {} "
                                            "bytes",
                                            file.string(), kKeyFileBytesMax));
  if ((status.st_mode & 077) != 0)
    return Error(Errc::io, fmt::format("the key file {} may be read by others (mode {:o}); make it "
                                       "private: chmod 600 {}",
                                       file.string(), status.st_mode & 0777, file.string()));
  std::vector<char> text(static_cast<std::size_t>(status.st_size));
  if (auto done = read_at(opened.get(), 0, std::as_writable_bytes(std::span(text))); !done)
    return std::move(done).error().with("cannot read the key file " + file.string());
  return text;
}

// Writes and syncs; the caller removes what is left of a failure.
Result<void> write_private_file(const std::filesystem::path& file, std::string_view text) {
  const SocketHandle opened(
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!opened || ::fchmod(opened.get(), 0600) != 0) return file_error("write", file, errno);
  if (auto done = write_at(opened.get(), 0, std::as_bytes(std::span(text))); !done)
    return std::move(done).error().with("cannot write the key file " + file.string());
  if (::fsync(opened.get()) != 0) return file_error("write", file, errno);
  return {};
}

}  // namespace

std::string node_id(const PublicKey& key) {
  const auto digest = std::bit_cast<std::array<std::uint8_t, sizeof(Digest)>>(sha256(key.raw));
  return to_base32(std::span(digest).first(kIdBytes));
}

bool verify(const PublicKey& key, std::span<const std::byte> message, const Signature& signature) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> handle(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr,
                                  reinterpret_cast<const unsigned char*>(key.raw.data()),
                                  key.raw.size()),
      EVP_PKEY_free);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  const bool good =
      handle != nullptr && context != nullptr &&
      EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, handle.get()) == 1 &&
      EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                       signature.size(), reinterpret_cast<const unsigned char*>(message.data()),
                       message.size()) == 1;
  if (!good) ERR_clear_error();
  return good;
}

void NodeKey::Free::operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }

NodeKey::NodeKey(Handle key) : key_(std::move(key)) {
  std::size_t size = public_key_.raw.size();
  CHECK(EVP_PKEY_get_raw_public_key(
            key_.get(), reinterpret_cast<unsigned char*>(public_key_.raw.data()), &size) == 1 &&
        size == public_key_.raw.size());
}

NodeKey NodeKey::make() {
  Handle key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  CHECK(key != nullptr);
  return NodeKey(std::move(key));
}

Result<NodeKey> NodeKey::load(const std::filesystem::path& file) {
  std::vector<char> text = TRY(read_private_file(file));
  const Memory memory(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free);
  Handle key(memory == nullptr  // as of an empty file
                 ? nullptr
                 : PEM_read_bio_PrivateKey(memory.get(), nullptr, no_password, nullptr));
  wipe(std::as_writable_bytes(std::span(text)));
  ERR_clear_error();
  if (key == nullptr || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519)
    return Error(Errc::corrupt,
                 fmt::format("{} holds no Ed25519 private key in PEM (not encrypted). Restore it "
                             "from a copy; a new key means that this node joins anew.",
                             file.string()));
  return NodeKey(std::move(key));
}

Result<void> NodeKey::save(const std::filesystem::path& file) const {
  const Memory memory(BIO_new(BIO_s_secmem()), BIO_free);
  CHECK(memory != nullptr && PEM_write_bio_PKCS8PrivateKey(memory.get(), key_.get(), nullptr,
                                                           nullptr, 0, nullptr, nullptr) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &text);
  // Beside the file, so that a crash leaves the old one or the new one.
  const std::string part = file.string() + ".new";
  ::unlink(part.c_str());
  auto written = write_private_file(part, {text, static_cast<std::size_t>(size)});
  if (written && ::rename(part.c_str(), file.c_str()) != 0)
    written = file_error("write", file, errno);
  if (!written) ::unlink(part.c_str());
  // So that a power cut does not undo the move. A file system that cannot do it does its best.
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  static_cast<void>(sync_folder(folder));
  // A missing folder is no missing key.
  if (written.is(Errc::not_found)) return Error(Errc::io, written.error().message());
  return written;
}

Result<NodeKey> NodeKey::load_or_make(const std::filesystem::path& file) {
  auto found = load(file);
  if (!found.is(Errc::not_found)) return found;
  NodeKey fresh = make();
  TRY(fresh.save(file));
  return fresh;
}

Signature NodeKey::sign(std::span<const std::byte> message) const {
  Signature signature;
  std::size_t size = signature.size();
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  CHECK(context != nullptr &&
        EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
        EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                       reinterpret_cast<const unsigned char*>(message.data()),
                       message.size()) == 1 &&
        size == signature.size());
  return signature;
}

}  // namespace drystone
