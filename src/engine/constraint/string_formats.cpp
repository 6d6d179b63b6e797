#include "engine/constraint/string_formats.h"

#include <map>

namespace drystone::constraint {

namespace {

std::map<std::string_view, std::string> make_formats() {
  // Real days only, leap years included.
  const std::string year = R"((?:000[1-9]|00[1-9]\d|0[1-9]\d\d|[1-9]\d{3}))";
  const std::string leap =
      R"((?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00))";
  const std::string date = "(?:" + year + "-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|" +
                           "(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))|" +
                           leap + "-02-29)";
  const std::string time =
      R"((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d))";
  const std::string n = R"(\d{1,6})";
  const std::string seconds = n + "S", minutes = n + "M(?:" + seconds + ")?";
  const std::string clock = "T(?:" + n + "H(?:" + minutes + ")?|" + minutes + "|" + seconds + ")";
  const std::string days = n + "D", months = n + "M(?:" + days + ")?";
  const std::string calendar = "(?:" + n + "Y(?:" + months + ")?|" + months + "|" + days + ")";
  const std::string label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,28}[A-Za-z0-9])?";
  const std::string atom = "[A-Za-z0-9_+-]{1,31}";
  const std::string octet = R"((?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d))";
  const std::string h = "[0-9A-Fa-f]{1,4}", hc = "(?:" + h + ":)", ch = "(?::" + h + ")";
  const std::string percent = "%[0-9A-Fa-f]{2}";
  const std::string path = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|" + percent + ")";
  return {
      {"date", date},
      {"time", time},
      {"date-time", date + "T" + time},
      {"duration", "P(?:" + n + "W|" + calendar + "(?:" + clock + ")?|" + clock + ")"},
      {"email", atom + "(?:\\." + atom + ")?@" + label + "(?:\\." + label + "){1,4}"},
      {"hostname", label + "(?:\\." + label + "){0,7}"},
      {"ipv4", octet + "(?:\\." + octet + "){3}"},
      {"ipv6", hc + "{7}" + h + "|" + hc + "{1,7}:|" + hc + "{1,6}" + ch + "|" + hc + "{1,5}" + ch +
                   "{1,2}|" + hc + "{1,4}" + ch + "{1,3}|" + hc + "{1,3}" + ch + "{1,4}|" + hc +
                   "{1,2}" + ch + "{1,5}|" + hc + ch + "{1,6}|:" + ch + "{1,7}|::"},
      {"uuid", "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"},
      {"uri", "[A-Za-z][A-Za-z0-9+.-]{0,15}://(?:[A-Za-z0-9._~-]|" + percent +
                  ")+(?::[1-9]\\d{0,3})?(?:/" + path + "*)*(?:\\?(?:" + path +
                  "|[/?])*)?(?:#(?:" + path + "|[/?])*)?"},
  };
}

const std::map<std::string_view, std::string>& formats() {
  static const std::map<std::string_view, std::string> kFormats = make_formats();
  return kFormats;
}

}  // namespace

std::string_view format_regex(std::string_view format) {
  const auto at = formats().find(format);
  return at == formats().end() ? std::string_view() : std::string_view(at->second);
}

std::string format_names() {
  std::string names;
  for (const auto& [name, regex] : formats())
    names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

}  // namespace drystone::constraint
