#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "cluster/members/invitation.h"
#include "cluster/members/invitation_code.h"
#include "cluster/members/join.h"

// The first byte chooses what the rest is read as. What is read must be written and read again as
// the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drystone::cluster;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'c':
      if (const auto code = parse_invitation_code(text)) {
        const auto again = parse_invitation_code(to_text(*code));
        if (!again || *again != *code) std::abort();
      }
      break;
    case 'i':
      if (const auto invitation = parse_invitation(text)) {
        const auto again = parse_invitation(to_json(*invitation));
        if (!again || *again != *invitation) std::abort();
      }
      break;
    case 'r':
      if (const auto request = parse_join_request(text)) {
        const auto again = parse_join_request(to_json(*request));
        if (!again || again->name != request->name) std::abort();
      }
      break;
    case 'w':
      if (const auto welcome = parse_join_welcome(text)) {
        const auto again = parse_join_welcome(to_json(*welcome));
        if (!again || again->members != welcome->members) std::abort();
      }
      break;
    default:
      break;
  }
  return 0;
}
