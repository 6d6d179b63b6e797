#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "serve/http/test_server.h"

namespace drystone {
namespace {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;

// A certificate that is its own authority, and its key, as files.
TlsFiles make_identity(const std::string& name) {
  const auto folder = std::filesystem::temp_directory_path();
  TlsFiles files{.certificate = folder / (name + "-" + std::to_string(getpid()) + ".crt"),
                 .key = folder / (name + "-" + std::to_string(getpid()) + ".key")};
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(certificate, subject);
  X509_sign(certificate, key, EVP_sha256());
  std::FILE* file = std::fopen(files.certificate.c_str(), "w");
  PEM_write_X509(file, certificate);
  std::fclose(file);
  file = std::fopen(files.key.c_str(), "w");
  PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(file);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return files;
}

class Tls : public ::testing::Test {
 protected:
  ~Tls() override {
    for (const TlsFiles& files : {identity, other}) {
      std::filesystem::remove(files.certificate);
      std::filesystem::remove(files.key);
    }
  }
  const TlsFiles identity = make_identity("tls-one"), other = make_identity("tls-two");
};

// One exchange by TLS; "" when the handshake fails.
std::string ask_by_tls(std::uint16_t port, ssl::context& context, const std::string& request) {
  asio::io_context loop;
  ssl::stream<asio::ip::tcp::socket> stream(loop, context);
  boost::system::error_code error;
  stream.lowest_layer().connect({asio::ip::make_address("127.0.0.1"), port});
  if (stream.handshake(ssl::stream_base::client, error)) return "";
  asio::write(stream, asio::buffer(request), error);
  std::string reply;
  asio::read(stream, asio::dynamic_buffer(reply), error);
  return reply;
}

TEST_F(Tls, ServesAStreamToAClientThatTrustsTheCertificate) {
  TestServer server({.tls = identity});
  EXPECT_TRUE(server.server().url().starts_with("https://"));
  ssl::context context(ssl::context::tls_client);
  context.load_verify_file(identity.certificate);
  context.set_verify_mode(ssl::verify_peer);
  const std::string body = chat_body("Hi", R"("stream":true)");
  const std::string reply =
      ask_by_tls(server.port(), context,
                 "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                 "Content-Length: " +
                     std::to_string(body.size()) + "\r\n\r\n" + body);
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 200")) << reply;
  EXPECT_NE(reply.find("data: [DONE]"), std::string::npos) << reply;
}

// Old versions have known attacks; whoever still speaks them is told no at the handshake.
TEST_F(Tls, RefusesTls11) {
  TestServer server({.tls = identity});
  ssl::context context(ssl::context::tls_client);
  SSL_CTX_set_security_level(context.native_handle(), 0);
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_1_VERSION);
  SSL_CTX_set_max_proto_version(context.native_handle(), TLS1_1_VERSION);
  EXPECT_EQ(ask_by_tls(server.port(), context, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            "");
}

// Plain HTTP on the TLS port, or silence, costs its own connection only.
TEST_F(Tls, AClientWithoutTlsIsLetGo) {
  TestServer server({.tls = identity, .limits = {.header_max = std::chrono::milliseconds(100)}});
  TestClient plain = server.connect(), silent = server.connect();
  plain.send("GET", "/health");
  plain.read_to_end();
  EXPECT_EQ(silent.read_to_end(), "");
}

TEST_F(Tls, NamesTheFileThatIsWrong) {
  const auto message = [](TlsFiles files) {
    const auto context = load_tls(files);
    return context ? std::string("no error") : context.error().message();
  };
  EXPECT_NE(message({.certificate = identity.certificate}).find("--tls-key is missing"),
            std::string::npos);
  EXPECT_NE(message({"/no/such.crt", identity.key}).find("cannot read the certificate file"),
            std::string::npos);
  EXPECT_NE(message({identity.key, identity.key}).find("holds no certificate"), std::string::npos);
  EXPECT_NE(message({identity.certificate, identity.certificate}).find("holds no private key"),
            std::string::npos);
  const std::string mismatch = message({identity.certificate, other.key});
  EXPECT_NE(mismatch.find("does not belong to the certificate"), std::string::npos) << mismatch;
}

}  // namespace
}  // namespace drystone
