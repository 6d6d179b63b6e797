// A cable of chosen length and width between two network interfaces of this machine: hands every
// frame that comes in at one over to the other, later and no faster than was asked for, in both
// directions. Works below IP, so that whoever talks over it sees nothing of it, discovery included.
//
//   link_proxy IFACE_A IFACE_B [--mbit 1000] [--delay-us 100] [--queue-kib 4096]
//
// A frame of n bytes leaves when the frame before it has left and n bytes have passed at the given
// rate; it arrives the delay later. What finds the queue full is lost, as in a switch. Needs
// CAP_NET_RAW and interfaces that nothing else uses (ends of veth pairs). Large segments that the
// kernel would cut for a real cable pass in one piece, which is what lets one processor carry tens
// of gigabits. Runs before everything else where it may (SCHED_FIFO): a cable does not wait for a
// processor.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/units.h"
#include "net/socket_handle.h"

namespace drystone {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kFrameMax = 256 * kKiB;  // with what stands before it
// virtio_net_hdr stands before each frame; its header is no C++.
constexpr std::size_t kHead = 10;
constexpr int kBatch = 64;               // frames that are read before others are sent
constexpr auto kSpin = 3us;              // before a frame is due, instead of sleeping
constexpr int kSocketBuffer = 32 << 20;  // bytes

std::atomic<bool> stopping = false;

struct Options {
  std::string a, b;
  double mbit = 10'000, delay_us = 0;
  Bytes queue_kib = 4096;
};

// Every frame that comes in at an interface, and a way to send some out of it.
SocketHandle open_interface(const std::string& name) {
  SocketHandle socket(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  CHECK(socket.get() >= 0, "a packet socket needs CAP_NET_RAW", std::strerror(errno));
  const unsigned index = ::if_nametoindex(name.c_str());
  CHECK(index != 0, "no such interface", name);
  const int yes = 1;
  // With what the kernel left to the network card: checksums, and the cutting of large segments.
  CHECK(::setsockopt(socket.get(), SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof yes) == 0, errno);
  CHECK(::setsockopt(socket.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes) == 0,
        errno);
  ::setsockopt(socket.get(), SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof yes);
  for (const int side : {SO_RCVBUFFORCE, SO_SNDBUFFORCE})
    ::setsockopt(socket.get(), SOL_SOCKET, side, &kSocketBuffer, sizeof kSocketBuffer);
  const packet_mreq promiscuous{.mr_ifindex = static_cast<int>(index),
                                .mr_type = PACKET_MR_PROMISC};
  CHECK(::setsockopt(socket.get(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous,
                     sizeof promiscuous) == 0,
        errno);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(index);
  CHECK(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
        name, std::strerror(errno));
  return socket;
}

// One direction.
class Lane {
 public:
  Lane(int from, int to, const Options& options, const Clock& clock)
      : from_(from),
        to_(to),
        nanoseconds_per_byte_(8000 / options.mbit),
        delay_(static_cast<std::int64_t>(options.delay_us * 1000)),
        queue_max_(options.queue_kib * kKiB),
        clock_(clock),
        buffer_(kFrameMax) {}

  void read() {
    for (int i = 0; i < kBatch; ++i) {
      const ssize_t got = ::recv(from_, buffer_.data(), buffer_.size(), 0);
      if (got < 0) return;  // nothing there, or the interface is down
      const auto bytes = static_cast<std::size_t>(got);
      if (bytes <= kHead || queued_ + bytes > queue_max_) {
        lost_ += bytes > kHead ? 1 : 0;
        continue;
      }
      const double wire_ns = static_cast<double>(bytes - kHead) * nanoseconds_per_byte_;
      left_ = std::max(left_, clock_.monotonic()) +
              Clock::Nanoseconds(static_cast<std::int64_t>(wire_ns));
      queued_ += bytes;
      frames_.push_back({left_ + delay_, std::vector(buffer_.begin(), buffer_.begin() + got)});
    }
  }

  // Sends what is due; when the next frame is.
  Clock::Nanoseconds send() {
    while (!frames_.empty()) {
      Frame& frame = frames_.front();
      if (frame.due > clock_.monotonic()) return frame.due;
      const ssize_t sent = ::send(to_, frame.bytes.data(), frame.bytes.size(), 0);
      if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS)) return clock_.monotonic() + 20us;
      lost_ += sent < 0 ? 1 : 0;
      carried_ += frame.bytes.size() - kHead;
      queued_ -= frame.bytes.size();
      frames_.pop_front();
    }
    return Clock::Nanoseconds::max();
  }

  Bytes carried() const { return carried_; }
  Bytes lost() const { return lost_; }

 private:
  struct Frame {
    Clock::Nanoseconds due;
    std::vector<std::byte> bytes;
  };
  const int from_, to_;
  const double nanoseconds_per_byte_;
  const Clock::Nanoseconds delay_;
  const Bytes queue_max_;
  const Clock& clock_;
  std::vector<std::byte> buffer_;
  std::deque<Frame> frames_;
  Clock::Nanoseconds left_{};  // when the last frame has left
  Bytes queued_ = 0, carried_ = 0, lost_ = 0;
};

void carry(const Options& options) {
  const SystemClock clock;
  const SocketHandle a = open_interface(options.a), b = open_interface(options.b);
  Lane there(a.get(), b.get(), options, clock), back(b.get(), a.get(), options, clock);
  const SocketHandle waiter(::epoll_create1(EPOLL_CLOEXEC));
  for (const int socket : {a.get(), b.get()}) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = socket}};
    CHECK(::epoll_ctl(waiter.get(), EPOLL_CTL_ADD, socket, &event) == 0, errno);
  }
  const sched_param first{.sched_priority = 10};
  if (::sched_setscheduler(0, SCHED_FIFO, &first) != 0)
    fmt::print(stderr, "link_proxy may not go first (CAP_SYS_NICE): it will add some delay\n");
  ::prctl(PR_SET_TIMERSLACK, 1UL);
  fmt::print("carrying {} <-> {}: {} Mbit/s, {} us each way\n", options.a, options.b, options.mbit,
             options.delay_us);
  std::fflush(stdout);
  while (!stopping) {
    there.read();
    back.read();
    const auto due = std::min(there.send(), back.send());
    const auto wait = due == Clock::Nanoseconds::max() ? Clock::Nanoseconds(200ms)
                                                       : due - clock.monotonic() - kSpin;
    if (wait <= Clock::Nanoseconds::zero()) continue;
    const timespec limit{.tv_sec = wait / 1s, .tv_nsec = (wait % 1s).count()};
    std::array<epoll_event, 2> events;
    ::epoll_pwait2(waiter.get(), events.data(), static_cast<int>(events.size()), &limit, nullptr);
  }
  fmt::print("carried {} and {}, lost {} frames\n", format_bytes(there.carried()),
             format_bytes(back.carried()), there.lost() + back.lost());
}

int main_of(int argc, char** argv) {
  Options options;
  CLI::App app("A cable of chosen latency and bandwidth between two interfaces of this machine");
  app.add_option("a", options.a, "interface")->required();
  app.add_option("b", options.b, "the other one")->required();
  app.add_option("--mbit", options.mbit, "of each direction")->check(CLI::Range(0.01, 1e6));
  app.add_option("--delay-us", options.delay_us, "each way")->check(CLI::Range(0.0, 1e7));
  app.add_option("--queue-kib", options.queue_kib, "what waits for the cable, at most")
      ->check(CLI::Range(64, 1 << 20));
  CLI11_PARSE(app, argc, argv);
  for (const int signal : {SIGINT, SIGTERM}) ::signal(signal, [](int) { stopping = true; });
  carry(options);
  return 0;
}

}  // namespace
}  // namespace drystone

int main(int argc, char** argv) { return drystone::main_of(argc, argv); }
