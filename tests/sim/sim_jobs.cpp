#include "sim_jobs.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "net/frame.h"

namespace drystone::sim {
namespace {

constexpr JobWaits kWaits;

}  // namespace

// What both ends of a connection keep. A packet: its kind (dial, accepted, frame, goodbye), its
// number, and for a frame its bytes.
struct SimJobs::Line {
  std::size_t machine = 0;
  int channel = 0;
  Send send;
  std::uint32_t sent = 0, taken = 0;
  Time said{}, heard{};
  bool closed = false;

  void say(char kind, std::string_view rest = {}) {
    if (!closed) send(machine, channel, fmt::format("{}{:08x}{}", kind, sent++, rest));
  }
  void frame(JobFrame type, std::uint64_t tag, std::span<const std::byte> payload,
             std::uint16_t flags) {
    const auto head =
        encode(FrameHeader{.type = static_cast<std::uint16_t>(type),
                           .flags = flags,
                           .payload_bytes = static_cast<std::uint32_t>(payload.size()),
                           .tag = tag});
    std::string bytes(reinterpret_cast<const char*>(head.data()), head.size());
    bytes.append(reinterpret_cast<const char*>(payload.data()), payload.size());
    say('f', bytes);
  }
  // Whether it follows the packet before.
  bool follows(const std::string& text, Time now) {
    heard = now;
    return std::stoul(text.substr(1, 8), nullptr, 16) == taken++;
  }
  bool is_silent(Time now) const { return now - heard > kWaits.silence_max; }
  void keep_alive(Time now) {
    if (now - said < kWaits.alive_every) return;
    said = now;
    frame(JobFrame::alive, 0, {}, 0);
  }
};

class SimJobs::Client final : public ClientJobs {
 public:
  Client(Model model, std::shared_ptr<Line> line)
      : ClientJobs(std::move(model)), line_(std::move(line)) {}

 private:
  void send(JobFrame type, std::uint64_t tag, std::span<const std::byte> payload) override {
    line_->frame(type, tag, payload, 0);
  }
  const std::shared_ptr<Line> line_;
};

class SimJobs::Server final : public ServerJobs {
 public:
  Server(Find find, std::shared_ptr<Line> line)
      : ServerJobs(std::move(find)), line_(std::move(line)) {}

 private:
  void send(JobFrame type, std::uint64_t tag, std::span<const std::byte> payload,
            std::uint16_t flags) override {
    line_->frame(type, tag, payload, flags);
  }
  const std::shared_ptr<Line> line_;
};

SimJobs::~SimJobs() {
  for (auto& [channel, one] : outgoing_) one.line->closed = true;
  for (auto& [channel, one] : incoming_) one.line->closed = true;
  for (auto& [channel, one] : std::exchange(outgoing_, {}))
    one.jobs->lose(Error(Errc::unavailable, "the process ended"));
  for (auto& [channel, one] : std::exchange(incoming_, {})) one.jobs->cancel_all();
}

std::shared_ptr<SimJobs::Dialed> SimJobs::dial(std::size_t machine, int channel,
                                               ClientJobs::Model model, Time now) {
  auto line = std::make_shared<Line>();
  line->machine = machine;
  line->channel = channel;
  line->send = send_;
  line->said = line->heard = now;
  auto jobs = std::make_shared<Client>(std::move(model), line);
  auto dialed = std::make_shared<Dialed>(Dialed{.jobs = jobs});
  line->say('d');
  outgoing_[channel] = {std::move(line), std::move(jobs), dialed, now};
  return dialed;
}

void SimJobs::receive(const Packet& packet, Time now) {
  now_ = now;
  const int channel = packet.channel;
  const std::string& text = packet.text;
  if (text[0] == 'd') {
    auto line = std::make_shared<Line>();
    line->machine = packet.peer;
    line->channel = channel;
    line->send = send_;
    line->said = line->heard = now;
    line->taken = 1;
    auto jobs = std::make_shared<Server>(find_, line);
    incoming_[channel] = {line, std::move(jobs), now};
    return line->say('a');
  }
  const auto out = outgoing_.find(channel);
  const auto in = incoming_.find(channel);
  const auto& line = out != outgoing_.end()  ? out->second.line
                     : in != incoming_.end() ? in->second.line
                                             : nullptr;
  if (line == nullptr) return;
  if (!line->follows(text, now)) return end(channel, "a packet is missing");
  if (text[0] == 'x') return end(channel, "the other side said goodbye");
  if (text[0] == 'a') {
    out->second.dialed->open = true;
    return;
  }
  std::array<std::byte, FrameHeader::kBytes> head;
  std::memcpy(head.data(), text.data() + 9, head.size());
  const FrameHeader header = *decode_frame_header(head, JobLimits::kPayloadBytesMax);
  const auto payload = std::as_bytes(std::span(text)).subspan(9 + head.size());
  const auto type = static_cast<JobFrame>(header.type);
  // Held here: what they call may end the connection.
  Result<void> taken;
  if (out != outgoing_.end()) {
    const auto jobs = out->second.jobs;
    taken = jobs->take(type, header.flags, header.tag, payload);
  } else {
    const auto jobs = in->second.jobs;
    taken = jobs->take(type, header.tag, payload);
  }
  if (!taken) end(channel, taken.error().message());
}

void SimJobs::broken(int channel) { end(channel, "broken"); }

void SimJobs::end(int channel, const std::string& why) {
  if (auto node = outgoing_.extract(channel); !node.empty()) {
    Outgoing& one = node.mapped();
    one.line->say('x');
    one.line->closed = true;
    one.dialed->over = true;
    one.jobs->lose(Error(Errc::unavailable, "the connection is lost: " + why));
  } else if (auto other = incoming_.extract(channel); !other.empty()) {
    Incoming& one = other.mapped();
    one.line->say('x');
    one.line->closed = true;
    one.jobs->cancel_all();
  }
}

void SimJobs::tick(Time now) {
  now_ = now;
  std::map<int, std::string> over;
  for (auto& [channel, one] : outgoing_) {
    if (one.dialed->open)
      one.line->keep_alive(now);
    else if (now - one.dialed_at > kDialWithin)
      over[channel] = "no answer";
    if (one.line->is_silent(now)) over[channel] = "silence";
    // Nobody else holds it: the destructor of a JobClient.
    if (one.jobs.use_count() == 2 && one.dialed.use_count() == 1) over[channel] = "let go of";
  }
  for (auto& [channel, one] : incoming_) {
    one.line->keep_alive(now);
    if (one.line->is_silent(now)) over[channel] = "silence";
    if (now - one.looked < kWaits.look_every) continue;
    one.looked = now;
    one.jobs->tell_positions();
  }
  for (const auto& [channel, why] : over) end(channel, why);
}

}  // namespace drystone::sim
