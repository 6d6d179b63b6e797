#include <boost/json.hpp>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "cluster/members/member_json.h"
#include "cluster/wire/test_crypto.h"

// A list that is read must be written and read again as the same, and merge into an empty one.
// Every signature is taken for good here, so that what follows the check is reached.
namespace {

class Credulous final : public drystone::cluster::Crypto {
 public:
  drystone::cluster::PublicKey public_key() const override { return real_.public_key(); }
  drystone::cluster::Signature sign(std::string_view bytes) const override {
    return real_.sign(bytes);
  }
  bool verify(const drystone::cluster::PublicKey&, std::string_view,
              const drystone::cluster::Signature&) const override {
    return true;
  }
  drystone::cluster::Digest sha256(std::string_view bytes) const override {
    return real_.sha256(bytes);
  }
  drystone::cluster::Digest hmac_sha256(std::string_view key,
                                        std::string_view bytes) const override {
    return real_.hmac_sha256(key, bytes);
  }
  void random(std::span<std::uint8_t> bytes) override { real_.random(bytes); }

 private:
  drystone::cluster::TestCrypto real_{1};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drystone::cluster;
  const Credulous crypto;
  const auto list =
      parse_member_list(std::string_view(reinterpret_cast<const char*>(data), size), crypto);
  if (!list) return 0;
  const auto again = parse_member_list(to_json(*list), crypto);
  if (!again || again->digest() != list->digest()) std::abort();
  if (again->members().size() != list->members().size()) std::abort();
  MemberList empty(list->cluster(), list->founder());
  if (!empty.merge(list->entries(), list->removals(), crypto).refused.empty()) std::abort();
  if (empty.digest() != list->digest()) std::abort();
  for (const auto& [id, member] : list->members())
    if (list->is_removed(member.key) || !list->is_member(member.key)) std::abort();
  return 0;
}
