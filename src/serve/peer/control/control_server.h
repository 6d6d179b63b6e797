#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "cluster/members/join.h"
#include "net/peer_stream.h"

namespace drystone {

// Answers the control connections that others open: messages of members; of keys that are no
// members a request to join or an introduction, within narrow limits, and nothing else. All on the
// executor, which runs one thing at a time.
class ControlServer {
 public:
  static constexpr std::size_t kConnectionsMax = 1024;        // of members; one more is closed
  static constexpr std::size_t kConnectionsPerMemberMax = 4;  // one more takes the oldest's place
  static constexpr std::size_t kStrangersMax = 16;            // likewise
  static constexpr double kStrangerRequestsPerSecond = 2;     // of one address
  static constexpr double kStrangerRequestsBurst = 10;

  struct Handlers {
    std::function<bool(const PublicKey&)> is_member;
    // A message; `from` is where the sender takes connections itself, if it said so. The error goes
    // back to a member; a stranger is told nothing.
    std::function<Result<void>(const PublicKey& key, std::string_view text,
                               std::optional<boost::asio::ip::tcp::endpoint> from)>
        message;
    // A JoinRequest, mostly of a stranger: the JSON of a JoinWelcome, or why not.
    std::function<Result<std::string>(std::string_view request, const cluster::JoinBinding& binding,
                                      std::optional<boost::asio::ip::tcp::endpoint> from)>
        join;
  };

  // Borrows the clock. `ours`: this node's key.
  ControlServer(boost::asio::any_io_executor executor, const Clock& clock, PublicKey ours,
                Handlers handlers);
  ~ControlServer();  // close()

  void accept(std::unique_ptr<PeerStream> stream);
  void close_all_of(const PublicKey& key);  // it was put out
  void close();                             // no handler is called any more
  std::size_t connections() const;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace drystone
