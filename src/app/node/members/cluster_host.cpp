#include "app/node/members/cluster_host.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "app/node/members/belonging.h"
#include "app/node/members/joining.h"
#include "app/node/members/node_list.h"
#include "app/node/members/node_name.h"
#include "app/node/members/open_core.h"
#include "app/node/members/surroundings.h"
#include "app/node/peers/address_book.h"
#include "app/node/peers/member_streams.h"
#include "app/node/peers/node_crypto.h"
#include "app/node/peers/peer_links.h"
#include "app/node/state/state_folder.h"
#include "app/node/state/state_saver.h"
#include "cluster/members/invitation_code.h"
#include "cluster/plan/find_node.h"
#include "net/address_order.h"
#include "net/loop_timer.h"
#include "net/tcp_listener.h"
#include "serve/peer/control/control_server.h"

namespace drystone {
namespace asio = boost::asio;
using asio::ip::tcp;
using cluster::ClusterCore;
using cluster::ClusterEvent;
using cluster::NodeState;
using std::chrono::milliseconds;

namespace {

constexpr auto kTickEvery = std::chrono::duration_cast<milliseconds>(cluster::kTickInterval);
constexpr milliseconds kGoodbyeWithin{1500};  // for what is left in the outbox at the end
constexpr milliseconds kGoodbyeStep{20};

class Host final : public ClusterHost {
 public:
  Host(Options options, const Clock& clock, StateFolder folder, OpenedCore opened)
      : options_(std::move(options)),
        clock_(clock),
        folder_(std::move(folder)),
        key_(std::move(opened.key)),
        crypto_(std::move(opened.crypto)),
        tls_(TlsContext::make(*key_,
                              [this](const TlsPeer& peer) { return belonging_.admits(peer); })),
        streams_(*tls_, clock_, book_),
        core_(std::move(opened.core)),
        self_(core_->self()) {}
  ~Host() override { close(); }

  Result<void> open();
  End run() override;
  void stop() override {
    asio::post(loop_, [this] { begin_end(End::stopped); });
  }
  std::vector<std::string> contacts() const override { return contacts_; }
  bool ended() const override { return ended_; }

  asio::any_io_executor executor() override { return loop_.get_executor(); }
  ClusterCore& core() override { return *core_; }
  void follow() override;
  void listen(std::function<void(const ClusterEvent&)> listener) override {
    listeners_.push_back(std::move(listener));
  }
  std::string self() const override { return self_; }
  std::uint16_t peer_port() const override { return port_; }
  const TlsContext& tls() const override { return *tls_; }
  std::optional<NodePlace> find(const std::string& node) const override {
    return streams_.find(node);
  }
  void prefer(const std::string& node, const std::optional<asio::ip::address>& address) override {
    book_.prefer(node, address);
  }
  PeerDialer& dialer() override { return streams_; }
  void set_data_handler(std::function<void(std::unique_ptr<DataStream>)> handler) override {
    data_handler_ = std::move(handler);
  }
  void set_api(std::string url) override { api_ = std::move(url); }

  std::vector<Node> nodes() override { return list_nodes(*core_, book_, clock_.monotonic()); }
  Result<std::string> id_of(const std::string& name) override {
    return find_node(node_names(*core_), name);
  }
  Result<Invited> invite(const cluster::InvitationTerms& terms, bool with_addresses) override;
  std::vector<cluster::OpenInvitation> invitations() override {
    return core_->invitations(clock_.wall());
  }
  Result<std::string> withdraw(const std::string& beginning) override;
  Result<void> remove(const std::string& name) override;
  Result<void> leave() override;
  void join(const std::string& code, std::function<void(Joined)> done) override;

 private:
  Result<void> listen_for_peers();
  Result<void> join_first();
  void tell_of_dropped(const std::vector<std::string>& models) const;

  Result<void> receive(const PublicKey& key, std::string_view text,
                       const std::optional<tcp::endpoint>& from);
  void follow_event(const ClusterEvent& event);
  void follow_members();
  void put_out(const std::string& node);
  void tick();
  std::string id(const PublicKey& key) const { return cluster::node_id(to_cluster(key), *crypto_); }

  void start_saver();
  void begin_end(End end);
  void say_goodbye(Clock::Nanoseconds until);
  void close();

  // What streams and coroutines borrow outlives the loop, which destroys the last of them.
  const Options options_;
  const Clock& clock_;
  StateFolder folder_;
  std::unique_ptr<NodeKey> key_;
  std::unique_ptr<NodeCrypto> crypto_;
  Belonging belonging_;
  std::unique_ptr<TlsContext> tls_;
  AddressBook book_;
  MemberStreams streams_;
  std::unique_ptr<Joining> joining_;
  asio::io_context loop_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{loop_.get_executor()};
  std::unique_ptr<ClusterCore> core_;
  const std::string self_;
  std::uint16_t port_ = 0;
  std::string api_;
  std::vector<std::string> contacts_;
  std::vector<std::function<void(const ClusterEvent&)>> listeners_;
  std::function<void(std::unique_ptr<DataStream>)> data_handler_;

  cluster::Digest members_digest_{};
  bool running_ = false, following_ = false, ending_ = false, closed_ = false;
  End end_ = End::stopped;
  std::atomic<bool> ended_ = false;

  LoopTimer tick_timer_{loop_.get_executor()}, end_timer_{loop_.get_executor()};
  std::unique_ptr<PeerListener> listener_;
  std::unique_ptr<ControlServer> server_;
  std::unique_ptr<PeerLinks> links_;
  std::unique_ptr<Surroundings> surroundings_;  // while it runs
  std::unique_ptr<StateSaver> saver_;
};

// --- beginning

Result<void> Host::open() {
  TRY(listen_for_peers());
  joining_ = std::make_unique<Joining>(Joining::Options{.peers = options_.peers,
                                                        .our_port = port_,
                                                        .discover = options_.discover,
                                                        .pause_saving =
                                                            [this] {
                                                              if (saver_) saver_->close();
                                                            },
                                                        .resume_saving =
                                                            [this] {
                                                              if (!saver_) return;
                                                              start_saver();
                                                              saver_->changed();
                                                            }},
                                       Joining::Rooms{loop_, clock_, *tls_, *crypto_, folder_});
  if (!options_.join_code.empty()) TRY(join_first());
  links_ = std::make_unique<PeerLinks>(loop_.get_executor(), *tls_, clock_, book_, port_);
  follow_members();
  return {};
}

Result<void> Host::listen_for_peers() {
  server_ = std::make_unique<ControlServer>(
      loop_.get_executor(), clock_, key_->public_key(),
      ControlServer::Handlers{
          .is_member = [this](const PublicKey& key) { return belonging_.is_member(key); },
          .message =
              [this](const PublicKey& key, std::string_view text,
                     const std::optional<tcp::endpoint>& from) { return receive(key, text, from); },
          .join = [this](std::string_view request, const cluster::JoinBinding& binding,
                         std::optional<tcp::endpoint> from) -> Result<std::string> {
            auto welcome = core_->answer_join(request, binding, clock_.wall());
            if (welcome && from) links_->learn(id(to_net(binding.joining)), *from);
            follow();
            return welcome;
          }});
  listener_ =
      TRY(PeerListener::listen(loop_.get_executor(), *tls_, clock_,
                               {.address = options_.peer_address, .port = options_.peer_port},
                               {.on_control =
                                    [this](std::unique_ptr<PeerStream> stream) {
                                      if (running_) server_->accept(std::move(stream));
                                    },
                                .on_data =
                                    [this](std::unique_ptr<DataStream> stream) {
                                      if (!running_ || !data_handler_) return;
                                      // It may have been put out since the handshake.
                                      auto guarded = streams_.guard_member(std::move(stream));
                                      if (guarded) data_handler_(*std::move(guarded));
                                    }}));
  port_ = listener_->port();
  return {};
}

Result<void> Host::join_first() {
  auto entered = TRY(joining_->join_first(options_.join_code, *core_));
  if (!entered) {
    options_.say("--join is left out: this node is in a cluster with others already");
    return {};
  }
  tell_of_dropped(entered->dropped);
  contacts_.push_back(std::move(entered->by));
  core_ = std::move(entered->core);
  return {};
}

void Host::start_saver() {
  saver_ = std::make_unique<StateSaver>(
      loop_.get_executor(), folder_,
      [this]() -> StateSaver::MakeText {
        return [saved = core_->snapshot()] { return to_text(saved); };
      },
      options_.say);
}

ClusterHost::End Host::run() {
  start_saver();
  std::vector<std::string> peers = options_.peers;
  peers.insert(peers.end(), contacts_.begin(), contacts_.end());
  surroundings_ =
      std::make_unique<Surroundings>(Surroundings::Options{.discover = options_.discover,
                                                           .peers = std::move(peers),
                                                           .version = options_.version,
                                                           .api = api_,
                                                           .address = options_.peer_address,
                                                           .port = port_,
                                                           .say = options_.say,
                                                           .changed = [this] { follow(); }},
                                     Surroundings::Rooms{.loop = loop_.get_executor(),
                                                         .clock = clock_,
                                                         .tls = *tls_,
                                                         .crypto = *crypto_,
                                                         .core = *core_,
                                                         .belonging = belonging_,
                                                         .book = book_,
                                                         .links = *links_});
  running_ = true;
  asio::post(loop_, [this] {
    surroundings_->start();
    tick();
  });
  loop_.run();
  ended_ = true;
  loop_.restart();
  loop_.poll();  // answers whoever has asked before that
  return end_;
}

// --- what comes in

Result<void> Host::receive(const PublicKey& key, std::string_view text,
                           const std::optional<tcp::endpoint>& from) {
  const std::string sender = id(key);
  auto taken = core_->receive(sender, text, clock_.monotonic());
  if (from && core_->members().key_of(sender)) links_->learn(sender, *from);
  follow();
  return taken;
}

void Host::tick() {
  core_->tick(clock_.monotonic(), clock_.wall());
  follow();
  tick_timer_.after(kTickEvery, [this] { tick(); });
}

void Host::follow() {
  // A listener changed something: the loop below sees it. Closed: what is still answered must not
  // begin anything.
  if (following_ || !running_ || closed_) return;
  following_ = true;
  while (true) {
    follow_members();
    for (cluster::Outgoing& message : core_->take_outbox())
      if (const auto* key = core_->members().key_of(message.to))
        links_->send(message.to, to_net(*key), std::move(message.text));
    if (core_->take_unsaved()) saver_->changed();
    const std::vector<ClusterEvent> events = core_->take_events();
    if (events.empty()) break;
    for (const ClusterEvent& event : events) {
      follow_event(event);
      for (const auto& listener : listeners_) listener(event);
    }
  }
  following_ = false;
}

void Host::follow_event(const ClusterEvent& event) {
  switch (event.kind) {
    case ClusterEvent::Kind::key_changed:
      // Where others are is what the next life begins with.
      if (event.key.starts_with("node/") && surroundings_->learn_from(event.key)) saver_->changed();
      if (event.key.starts_with(cluster::kInvitationPrefix) || event.key == cluster::kDiscoveryKey)
        surroundings_->look_around();
      return;
    case ClusterEvent::Kind::member_removed:
      put_out(event.node);
      return;
    case ClusterEvent::Kind::removed_self:
      options_.say(
          "this node is no member of its cluster any more: it goes on alone, with a new key, in a "
          "cluster of its own");
      begin_end(End::restart);
      return;
    default:
      return;
  }
}

void Host::follow_members() {
  if (members_digest_ == core_->members().digest()) return;
  members_digest_ = core_->members().digest();
  belonging_.follow(core_->members());
  streams_.follow(core_->members());
}

// It hears of its removal by what is in the outbox, over a connection of ours; all others end now.
void Host::put_out(const std::string& node) {
  const auto* key = core_->members().key_of(node);
  if (!key) return;
  server_->close_all_of(to_net(*key));
  streams_.close_all_of(to_net(*key));
}

// --- what a person asks for

Result<ClusterHost::Invited> Host::invite(const cluster::InvitationTerms& terms,
                                          bool with_addresses) {
  const auto secret = TRY(core_->invite(terms, clock_.wall()));
  follow();
  std::vector<std::string> addresses;
  if (with_addresses) {
    if (surroundings_) addresses = surroundings_->addresses();
    if (addresses.empty()) addresses = {fmt::format("127.0.0.1:{}", port_)};
  }
  addresses.resize(std::min(addresses.size(), cluster::kCodeAddressesMax));
  if (surroundings_) surroundings_->announce_now();
  return Invited{.id = cluster::invitation_id(secret, *crypto_),
                 .code = to_text(
                     cluster::InvitationCode{.secret = secret, .addresses = std::move(addresses)})};
}

Result<std::string> Host::withdraw(const std::string& beginning) {
  std::string id = TRY(core_->withdraw(beginning, clock_.wall()));
  follow();
  return id;
}

Result<void> Host::remove(const std::string& name) {
  const std::string node = TRY(id_of(name));
  if (node == self_) return leave();
  TRY(core_->remove(node, clock_.wall()));
  follow();
  return {};
}

Result<void> Host::leave() {
  if (core_->members().members().size() <= 1)
    return Error(Errc::invalid_argument, "this node is alone in its cluster: nothing to leave");
  TRY(core_->remove(self_, clock_.wall()));
  follow();
  return {};
}

void Host::tell_of_dropped(const std::vector<std::string>& models) const {
  if (!models.empty())
    options_.say(
        fmt::format("what this node ran until now it gives up, as it comes into another "
                    "cluster: {}. `drystone load` has that one run it",
                    fmt::join(models, ", ")));
}

void Host::join(const std::string& code, std::function<void(Joined)> done) {
  joining_->join(code, *core_, [this, done = std::move(done)](Result<Joining::Entered> entered) {
    if (!entered) return done(std::move(entered).error());
    contacts_.push_back(std::move(entered->by));
    tell_of_dropped(entered->dropped);
    done(std::move(entered->dropped));
    begin_end(End::restart);
  });
}

// --- the end

void Host::begin_end(End end) {
  if (ending_) return;
  ending_ = true;
  joining_->end();
  end_ = end;
  if (end == End::stopped) {
    core_->stop();
    follow();
  }
  say_goodbye(clock_.monotonic() + kGoodbyeWithin);
}

void Host::say_goodbye(Clock::Nanoseconds until) {
  end_timer_.after(kGoodbyeStep, [this, until] {
    if (!links_->idle() && clock_.monotonic() < until) return say_goodbye(until);
    close();
    loop_.stop();
  });
}

void Host::close() {
  if (closed_) return;
  closed_ = true;
  const bool is_member = core_->members().is_member(self_);
  if (saver_ && saver_->close() && is_member && end_ == End::stopped)
    if (auto saved = folder_.save_cluster(core_->saved()); !saved)
      options_.say(saved.error().message());
  if (running_ && !is_member)
    if (auto fresh = folder_.start_over(); !fresh) options_.say(fresh.error().message());
  if (listener_) listener_->close();
  if (server_) server_->close();
  if (surroundings_) surroundings_->close();
  if (links_) links_->close();
  tick_timer_.cancel();
}

}  // namespace

Result<std::unique_ptr<ClusterHost>> ClusterHost::open(const Options& options, const Clock& clock) {
  Options used = options;
  if (!used.say) used.say = [](const std::string&) {};
  if (!used.name.empty()) TRY(cluster::check_name(used.name));
  for (const std::string& peer : used.peers) {
    auto parsed = parse_host_port(peer);
    if (!parsed) return std::move(parsed).error().with("--peer");
  }
  StateFolder folder = TRY(StateFolder::open(used.state));
  OpenedCore opened = TRY(open_core(folder, used.name, clock, used.say));
  auto host = std::make_unique<Host>(std::move(used), clock, std::move(folder), std::move(opened));
  if (auto ready = host->open(); !ready) return std::move(ready).error();
  return std::unique_ptr<ClusterHost>(std::move(host));
}

}  // namespace drystone
