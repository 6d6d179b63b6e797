#pragma once

#include <boost/asio/ip/address.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace drystone {

// Which address of another node the best pair of interfaces leads to.
struct MeasuredWay {
  std::string node;
  std::optional<boost::asio::ip::address> to;  // nullopt: the system chooses the pair
};

// By the value of link/FROM/TO, whichever of the two `self` is; nullopt: it says nothing of a link
// of ours.
std::optional<MeasuredWay> measured_way(const std::string& self, std::string_view link);

}  // namespace drystone
