#include "machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/rng.h"

namespace drystone::sim {

using cluster::ClusterCore;

namespace {

constexpr seconds kEpoch{1'800'000'000};  // of wall time, at network time 0
constexpr milliseconds kWriteWithin{500};

}  // namespace

cluster::NodeId Machine::id() const { return node_id(crypto_->public_key(), *crypto_); }

ClusterCore::Wall Machine::wall(Time now) const {
  return ClusterCore::Wall(std::max<Time>(kEpoch + now + clocks_.wall_skew, Time(0)));
}

ClusterCore::Options Machine::options(Time now, std::uint64_t seed) const {
  const auto wall_ms = wall(now).time_since_epoch() / milliseconds(1);
  return {.start = static_cast<std::uint64_t>(wall_ms), .seed = seed};
}

void Machine::tick(Time now) {
  now_ = now;
  if (write_at_ && now >= *write_at_) write_disk();
  if (core_) core_->tick(now + clocks_.monotonic_offset, wall(now));
}

void Machine::receive(const Packet& packet, Time now) {
  if (!core_) return;
  const auto from = packet.text.substr(0, cluster::kNodeIdLength);
  const std::string_view text = std::string_view(packet.text).substr(from.size());
  const auto taken = core_->receive(from, text, now + clocks_.monotonic_offset);
  if (taken) return;
  if (on_refused) on_refused(taken.error().message());
  if (!taken.is(Errc::invalid_argument)) complaints.push_back(taken.error().message());
}

std::vector<Packet> Machine::take_outbox() {
  std::vector<Packet> packets;
  if (!core_) return packets;
  for (const cluster::ClusterEvent& event : core_->take_events())
    if (on_event) on_event(event);
  if (core_->take_unsaved() && !write_at_) {
    Rng rng(number_ << 32 | ++writes_);
    write_at_ = now_ + Time(rng.below(Time(kWriteWithin).count()));
  }
  for (cluster::Outgoing& out : core_->take_outbox()) {
    if (out.text.size() > cluster::kMessageBytesMax)
      complaints.push_back(fmt::format("a message of {} bytes", out.text.size()));
    // The id in front stands for the key that TLS proves.
    if (const auto found = directory_->find(out.to); found != directory_->end())
      packets.push_back({.peer = found->second, .text = core_->self() + std::move(out.text)});
  }
  return packets;
}

void Machine::write_disk() {
  write_at_.reset();
  if (core_) disk_ = core_->saved();
}

void Machine::save() {
  if (write_at_) write_disk();
}

void Machine::crash() {
  write_at_.reset();
  core_.reset();
}

void Machine::make_identity(std::uint64_t seed) {
  crash();
  disk_.clear();
  crypto_ = std::make_unique<cluster::TestCrypto>(seed);
  (*directory_)[id()] = number_;
}

void Machine::begin_life(Time now) {
  // What every daemon says of itself when it starts.
  const auto put = core_->put(cluster::own_key(id(), "life"),
                              std::to_string(core_->membership().own_record().start), wall(now));
  CHECK(put.has_value());
  now_ = now;
  write_disk();
}

void Machine::found(Time now, std::uint64_t seed) {
  core_ = *ClusterCore::found("machine " + std::to_string(number_), *crypto_, options(now, seed),
                              wall(now));
  begin_life(now);
}

std::string Machine::join(Machine& host, const cluster::InvitationSecret& secret,
                          bool answer_is_lost, Time now, std::uint64_t seed) {
  const cluster::JoinBinding binding{
      .exporter = fmt::format("{:32}", fmt::format("{}-{}", number_, host.number())),
      .joining = crypto_->public_key(),
      .member = host.crypto_->public_key()};
  const auto request =
      make_join_request(secret, "machine " + std::to_string(number_), binding, *crypto_);
  const auto answer = host.core_->answer_join(to_json(request), binding, host.wall(now));
  if (!answer) return answer.error().message();
  if (answer_is_lost) return "the answer was lost";
  const auto welcome = cluster::parse_join_welcome(*answer);
  if (!welcome) return welcome.error().message();
  auto members = accept_welcome(*welcome, secret, binding, *crypto_);
  if (!members) return members.error().message();
  auto joined =
      ClusterCore::joined(*std::move(members), *welcome, *crypto_, options(now, seed), wall(now));
  if (!joined) return joined.error().message();
  core_ = *std::move(joined);
  begin_life(now);
  return "";
}

bool Machine::boot(Time now, std::uint64_t seed) {
  core_.reset();
  if (disk_.empty()) return true;
  auto restored = ClusterCore::restore(disk_, *crypto_, options(now, seed), wall(now));
  if (!restored) {
    complaints.push_back("the disk was refused: " + restored.error().message());
    return false;
  }
  core_ = *std::move(restored);
  if (core_->members().is_member(id())) begin_life(now);
  return true;
}

}  // namespace drystone::sim
