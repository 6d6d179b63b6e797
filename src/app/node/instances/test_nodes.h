#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "app/load/open_model.h"
#include "app/node/instances/instance_host.h"
#include "cluster/instance/place_value.h"
#include "cluster/plan/node_figures.h"
#include "cluster/wire/test_crypto.h"
#include "model/arch/architecture.h"
#include "net/test_memory_stream.h"
#include "net/tls_context.h"
#include "serve/http/model_host.h"

namespace drystone {

// For tests: a stream that ends with either of its nodes.
class TestCord final : public DataStream {
 public:
  explicit TestCord(std::shared_ptr<DataStream> end) : end_(std::move(end)) {}
  ~TestCord() override { end_->close(); }
  Result<void> write(Parts parts, StreamWait wait) override { return end_->write(parts, wait); }
  Result<void> read(std::span<std::byte> into, StreamWait wait) override {
    return end_->read(into, wait);
  }
  Result<void> exchange(Parts parts, std::span<std::byte> into, StreamWait wait) override {
    return end_->exchange(parts, into, wait);
  }
  void close() override { end_->close(); }
  const StreamPeer& peer() const override { return end_->peer(); }

 private:
  const std::shared_ptr<DataStream> end_;
};

class TestNode;

// The network between the nodes of a test: messages and streams, until a node is killed.
class TestNetwork {
 public:
  void add(const std::string& id, TestNode* node);
  void remove(const std::string& id);  // nothing goes to it or comes from it any more
  void break_streams();                // all that are open
  void send(const std::string& from, const std::string& to, std::string text);
  Result<std::unique_ptr<DataStream>> dial(const std::string& from, const std::string& to);

 private:
  std::mutex mutex_;
  std::map<std::string, TestNode*> nodes_;
  std::multimap<std::string, std::weak_ptr<DataStream>> cords_;  // by both of their nodes
};

// pebble, with figures that need no device.
class TestCatalog final : public ModelCatalog {
 public:
  explicit TestCatalog(std::string self) : self_(std::move(self)) {}
  Result<Found> find(const std::string& name) override {
    if (name != kDemoModelName) return Error(Errc::not_found, "no model " + name);
    return Found{.source = {.model = name, .identity = "1", .path = name, .holders = {self_}},
                 .figures = figures()};
  }
  Result<GgufFile> open(const ModelSource& source, const Placement&, std::uint32_t,
                        std::function<void(double)>, const std::atomic<bool>&) override {
    if (refuse) return Error(Errc::io, "the disk is full");
    ++opened;
    return open_model(source.path);
  }
  Result<GgufFile> open_header(const ModelSource& source, const std::atomic<bool>&) override {
    return open_model(source.path);
  }
  Result<std::shared_ptr<const WholeFiles>> whole_files(const std::string&) override {
    return Error(Errc::not_found, "no files");
  }
  void set_wanted(std::set<std::string> identities) override {
    const std::lock_guard lock(mutex_);
    wanted_ = std::move(identities);
  }
  std::set<std::string> wanted() const {
    const std::lock_guard lock(mutex_);
    return wanted_;
  }
  static ModelFigures figures() {
    const GgufFile file = *open_model(kDemoModelName);
    const Program program = *load_program(file, 1024);
    ModelFigures figures{.name = kDemoModelName,
                         .context = 1024,
                         .d_model = program.d_model,
                         .vocab = program.vocab,
                         .kv_heads = program.kv_heads,
                         .ff_width = program.ff_width,
                         .ff_block = 32,
                         .vocab_block = 16,
                         .page_tokens = 16};
    const TypedWeights weights{.type = "q8_0", .bytes = 100'000, .multiply_adds = 100'000};
    figures.layers.assign(program.layers.size(), LayerFigures{.attention = {weights},
                                                              .feed_forward = {weights},
                                                              .whole_bytes = 1000,
                                                              .kv_values = 256,
                                                              .position_ops = 256});
    figures.embedding = figures.output = weights;
    figures.working = {.fixed = 100'000, .row_whole = 10'000, .row_divided = 10'000};
    return figures;
  }

  std::atomic<bool> refuse = false;
  std::atomic<int> opened = 0;

 private:
  const std::string self_;
  mutable std::mutex mutex_;
  std::set<std::string> wanted_;
};

// A node whose cluster is of this process: a real core, a loop of its own, no socket.
class TestNode final : public ClusterHost, public PeerDialer {
 public:
  TestNode(TestNetwork& network, std::uint64_t seed, const Clock& clock)
      : network_(network), clock_(clock), crypto_(seed), work_(loop_.get_executor()) {}
  ~TestNode() override { kill(); }

  void found() {
    core_ =
        *cluster::ClusterCore::found("n" + std::to_string(1), crypto_, options(), clock_.wall());
  }
  // Into the cluster of a node that does not run yet.
  void join(TestNode& host, const std::string& name) {
    const auto wall_s = clock_.wall().time_since_epoch() / std::chrono::seconds(1);
    const auto secret = *host.core_->invite({.expires_s = wall_s + 600, .uses = 1}, clock_.wall());
    const cluster::JoinBinding bound{.exporter = std::string(32, 'x'),
                                     .joining = crypto_.public_key(),
                                     .member = host.crypto_.public_key()};
    const auto request = cluster::make_join_request(secret, name, bound, crypto_);
    const auto welcome = *cluster::parse_join_welcome(
        *host.core_->answer_join(to_json(request), bound, clock_.wall()));
    auto members = *cluster::accept_welcome(welcome, secret, bound, crypto_);
    core_ = *cluster::ClusterCore::joined(std::move(members), welcome, crypto_, options(),
                                          clock_.wall());
  }
  // As from disk, in another process.
  void restore(const std::string& saved) {
    core_ = *cluster::ClusterCore::restore(saved, crypto_, options(), clock_.wall());
  }

  // Serves until kill().
  void begin(Bytes free_bytes) {
    catalog = std::make_unique<TestCatalog>(self());
    models = std::make_unique<ModelHost>(clock_, false);
    door = std::make_unique<DataDoor>();
    instances = std::make_unique<InstanceHost>(
        InstanceHost::Options{.threads = 1, .measured_within = measured_within}, *this, *door,
        *catalog, clock_);
    const NodeFigures figures{
        .id = self(), .name = core_->members().find(self())->name, .free_bytes = free_bytes};
    CHECK(core_->put("figures/" + self(), boost::json::serialize(to_json(figures)), clock_.wall()));
    instances->start(*models);
    network_.add(self(), this);
    thread_ = std::thread([this] { run(); });
  }
  // As kill -9 looks from elsewhere. What it had saved.
  std::string kill() {
    if (!thread_.joinable()) return "";
    network_.remove(self());
    stop();
    thread_.join();
    door->close();
    instances.reset();
    door.reset();
    models.reset();
    return core_->saved();
  }
  void take(std::unique_ptr<DataStream> stream) { door->accept(std::move(stream)); }
  // The present placement once more, as a keeper publishes it.
  void place_again(const std::string& instance) {
    boost::asio::post(loop_, [this, key = place_key(instance)] {
      const auto place = place_value_from_json(boost::json::parse(*core_->get(key)));
      PlaceValue again = *place;
      again.epoch = again.placement->epoch = {again.epoch.number + 1, self()};
      CHECK(core_->put(key, boost::json::serialize(to_json(again)), clock_.wall()));
      follow();
    });
  }
  void receive(const std::string& from, std::string text) {
    boost::asio::post(loop_, [this, from, text = std::move(text)] {
      static_cast<void>(core_->receive(from, text, clock_.monotonic()));
      follow();
    });
  }

  End run() override {
    tick();
    loop_.run();
    return End::stopped;
  }
  void stop() override { loop_.stop(); }
  std::vector<std::string> contacts() const override { return {}; }
  bool ended() const override { return loop_.stopped(); }
  boost::asio::any_io_executor executor() override { return loop_.get_executor(); }
  cluster::ClusterCore& core() override { return *core_; }
  void follow() override {
    for (cluster::Outgoing& out : core_->take_outbox())
      network_.send(self(), out.to, std::move(out.text));
    for (const auto& event : core_->take_events())
      for (const auto& listener : listeners_) listener(event);
  }
  void listen(std::function<void(const cluster::ClusterEvent&)> listener) override {
    listeners_.push_back(std::move(listener));
  }
  std::string self() const override { return core_->self(); }
  std::uint16_t peer_port() const override { return 0; }
  const TlsContext& tls() const override { CHECK(false); }
  std::optional<NodePlace> find(const std::string&) const override { return std::nullopt; }
  void prefer(const std::string&, const std::optional<boost::asio::ip::address>&) override {}
  PeerDialer& dialer() override { return *this; }
  Result<std::unique_ptr<DataStream>> dial(const std::string& node, std::chrono::nanoseconds,
                                           const std::atomic<bool>&) override {
    return network_.dial(self(), node);
  }
  void set_data_handler(std::function<void(std::unique_ptr<DataStream>)>) override {}
  void set_api(std::string) override {}
  std::vector<Node> nodes() override { return {}; }
  Result<std::string> id_of(const std::string& name) override { return name; }
  Result<Invited> invite(const cluster::InvitationTerms&, bool) override { CHECK(false); }
  std::vector<cluster::OpenInvitation> invitations() override { CHECK(false); }
  Result<std::string> withdraw(const std::string&) override { CHECK(false); }
  Result<void> remove(const std::string&) override { CHECK(false); }
  Result<void> leave() override { CHECK(false); }
  void join(const std::string&, std::function<void(Joined)>) override { CHECK(false); }

  FiguresWait::Limits measured_within{};  // nobody measures anything here
  std::unique_ptr<TestCatalog> catalog;
  std::unique_ptr<ModelHost> models;
  std::unique_ptr<DataDoor> door;
  std::unique_ptr<InstanceHost> instances;

 private:
  cluster::ClusterCore::Options options() const {
    const auto ms = clock_.wall().time_since_epoch() / std::chrono::milliseconds(1);
    return {.start = static_cast<std::uint64_t>(ms), .seed = 1};
  }
  void tick() {
    core_->tick(clock_.monotonic(), clock_.wall());
    follow();
    timer_.expires_after(std::chrono::milliseconds(50));
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) tick();
    });
  }

  TestNetwork& network_;
  const Clock& clock_;
  cluster::TestCrypto crypto_;
  boost::asio::io_context loop_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  boost::asio::steady_timer timer_{loop_};
  std::unique_ptr<cluster::ClusterCore> core_;
  std::vector<std::function<void(const cluster::ClusterEvent&)>> listeners_;
  std::thread thread_;
};

inline void TestNetwork::add(const std::string& id, TestNode* node) {
  const std::lock_guard lock(mutex_);
  nodes_[id] = node;
}

inline void TestNetwork::remove(const std::string& id) {
  const std::lock_guard lock(mutex_);
  nodes_.erase(id);
  for (auto [at, end] = cords_.equal_range(id); at != end; ++at)
    if (const auto cord = at->second.lock()) cord->close();
  cords_.erase(id);
}

inline void TestNetwork::break_streams() {
  const std::lock_guard lock(mutex_);
  for (const auto& [node, end] : cords_)
    if (const auto cord = end.lock()) cord->close();
  cords_.clear();
}

inline void TestNetwork::send(const std::string& from, const std::string& to, std::string text) {
  const std::lock_guard lock(mutex_);
  if (nodes_.contains(from) && nodes_.contains(to)) nodes_[to]->receive(from, std::move(text));
}

inline Result<std::unique_ptr<DataStream>> TestNetwork::dial(const std::string& from,
                                                             const std::string& to) {
  auto [here, there] = make_memory_streams();
  std::shared_ptr<DataStream> near(std::move(here)), far(std::move(there));
  const std::lock_guard lock(mutex_);
  if (!nodes_.contains(from) || !nodes_.contains(to))
    return Error(Errc::unavailable, to + " does not answer");
  for (const std::string& node : {from, to})
    for (const auto& end : {near, far}) cords_.emplace(node, end);
  nodes_[to]->take(std::make_unique<TestCord>(far));
  return std::unique_ptr<DataStream>(std::make_unique<TestCord>(near));
}

}  // namespace drystone
