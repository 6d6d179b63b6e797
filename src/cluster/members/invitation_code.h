#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cluster/members/invitation.h"

namespace drystone::cluster {

constexpr std::size_t kCodeAddressesMax = 8;
constexpr std::size_t kCodeAddressBytesMax = 256;

// What `drystone invite` prints and `drystone join` takes: the secret in groups of four letters,
// then, if there are any, addresses of members:
//   abcd-efgh-ijkl-mnop-qrst-uvwx-yz23@192.0.2.7:8399,[2001:db8::1]:8399
// The last group is a checksum over all the rest. Upper and lower case, spaces and missing dashes
// make no difference. There is no fingerprint in it: the member that answers proves that it knows
// the secret as well.
struct InvitationCode {
  InvitationSecret secret{};
  std::vector<std::string> addresses;  // host:port, host lower case

  bool operator==(const InvitationCode&) const = default;
};

// `addresses` as the limits above allow.
std::string to_text(const InvitationCode& code);

// Errors: invalid_argument, with what is wrong: a letter that no code has, too short or long, or a
// checksum that does not fit (a typo)
Result<InvitationCode> parse_invitation_code(std::string_view text);

}  // namespace drystone::cluster
