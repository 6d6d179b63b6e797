#include "app/node/members/joining.h"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <utility>

#include "app/node/members/node_name.h"
#include "app/node/members/open_core.h"
#include "cluster/instance/map_view.h"
#include "net/address_order.h"

namespace drystone {
namespace asio = boost::asio;
using cluster::ClusterCore;

namespace {

Result<void> check_foreign(const cluster::InvitationCode& code, const ClusterCore& own,
                           const cluster::Crypto& crypto) {
  if (own.get(std::string(cluster::kInvitationPrefix) +
              cluster::invitation_id(code.secret, crypto)) == nullptr)
    return {};
  return Error(Errc::invalid_argument,
               "this code invites into the cluster of this very node: give it to `drystone join` "
               "or `drystone up --join` on the machine that is to come in");
}

std::vector<std::string> wanted_models(const ClusterCore& core) {
  std::vector<std::string> models;
  for (const auto& [key, value] : core.list(kWantPrefix))
    models.push_back(key.substr(kWantPrefix.size()));
  return models;
}

}  // namespace

Result<std::optional<Joining::Entered>> Joining::join_first(const std::string& text,
                                                            const ClusterCore& own) {
  auto code = cluster::parse_invitation_code(text);
  if (!code) return std::move(code).error().with("--join");
  if (own.members().members().size() > 1) return std::optional<Entered>();
  if (auto foreign = check_foreign(*code, own, rooms_.crypto); !foreign)
    return std::move(foreign).error().with("--join");
  Result<std::optional<Entered>> result = std::optional<Entered>();
  ask(*std::move(code), own, [&](Result<Entered> entered) {
    if (entered)
      result = std::optional(*std::move(entered));
    else
      result = std::move(entered).error();
    rooms_.loop.stop();
  });
  rooms_.loop.run();
  rooms_.loop.restart();
  return result;
}

void Joining::join(const std::string& text, const ClusterCore& own, Done done) {
  auto code = cluster::parse_invitation_code(text);
  if (!code) return done(std::move(code).error());
  if (auto foreign = check_foreign(*code, own, rooms_.crypto); !foreign)
    return done(std::move(foreign).error());
  if (busy_ || ended_)
    return done(Error(Errc::unavailable, "this node is joining or leaving already"));
  if (const std::size_t members = own.members().members().size(); members > 1)
    return done(Error(Errc::invalid_argument,
                      fmt::format("this node is in a cluster of {} nodes: take it out of that one "
                                  "first, with `drystone leave`",
                                  members)));
  ask(*std::move(code), own, std::move(done));
}

void Joining::ask(cluster::InvitationCode code, const ClusterCore& own, Done done) {
  busy_ = true;
  JoinWish wish{.code = std::move(code),
                .name = node_name(own, own.self()),
                .peers = options_.peers,
                .our_port = options_.our_port,
                .discover = options_.discover};
  asio::co_spawn(rooms_.loop, try_to_join(std::move(wish), own, std::move(done)), asio::detached);
}

asio::awaitable<void> Joining::try_to_join(JoinWish wish, const ClusterCore& own, Done done) {
  auto joined = co_await join_cluster(rooms_.tls, rooms_.crypto, rooms_.clock, std::move(wish));
  busy_ = false;
  done(enter(std::move(joined), wanted_models(own)));
}

Result<Joining::Entered> Joining::enter(Result<JoinedCluster> joined,
                                        std::vector<std::string> dropped) {
  if (!joined) return std::move(joined).error();
  if (ended_) return Error(Errc::cancelled, "this node stops");
  options_.pause_saving();
  const auto save = [&]() -> Result<std::unique_ptr<ClusterCore>> {
    auto core = TRY(ClusterCore::joined(std::move(joined->members), joined->welcome, rooms_.crypto,
                                        core_options(rooms_.clock), rooms_.clock.wall()));
    TRY(rooms_.folder.save_cluster(core->saved()));
    return core;
  };
  auto core = save();
  if (!core) {
    options_.resume_saving();
    return Error(core.error().code(),
                 fmt::format("the cluster has let this node in, but it cannot keep that, and goes "
                             "on alone: {}. Make room on the disk, then run the same command "
                             "again: the same code lets it in and loses no further use",
                             core.error().message()));
  }
  return Entered{
      .core = *std::move(core), .by = to_string(joined->by), .dropped = std::move(dropped)};
}

}  // namespace drystone
