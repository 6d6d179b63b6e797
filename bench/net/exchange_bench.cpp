// What a sum over two shards costs: two processes add up some KiB of f32, as ranks do (through TLS,
// in 16-bit blocks, which halves the bytes). Beside it, in turns within one run, the same bytes as
// they are: exchanged, each side sending its own and then reading the other's, and as a plain TCP
// ping-pong. Prints rows of CSV: what, spin (us), median, least and 90th percentile (us), and the
// median as a multiple of the plain ping-pong that spins as much.
//
//   exchange_bench [--bytes 8192] [--rounds 40] [--iterations 250] [--spin-us 200]
//   exchange_bench serve ADDRESS:PORT          on one host,
//   exchange_bench connect ADDRESS:PORT [...]  on the other
//
// Alone it starts its own partner over loopback and gives each a processor of its own, if there are
// two.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdio>
#include <numeric>
#include <thread>

#include "cluster/plan/row_format.h"
#include "net/address_order.h"
#include "net/dial_attempt.h"
#include "net/tcp_data_stream.h"
#include "net/tls_data_stream.h"
#include "net/wire.h"
#include "serve/peer/split/stream_reducer.h"

namespace drystone {
namespace {

using Endpoint = boost::asio::ip::tcp::endpoint;
using namespace std::chrono_literals;

constexpr auto kLimit = 30s;
constexpr std::size_t kBytesMax = 64 << 20;

struct Options {
  std::string address;
  std::uint32_t bytes = 8192, rounds = 40, iterations = 250, spin_us = 200;
};

enum class Pattern : std::uint8_t { end, ping_pong, exchange, sum };

// What the connecting side asks of the serving one, on the plain connection.
struct Task {
  Pattern pattern = Pattern::end;
  bool tls = false;
  std::uint32_t bytes = 0, iterations = 0, spin_us = 0;
  static constexpr std::size_t kBytes = 14;
};

struct Link {
  std::unique_ptr<TlsContext> context;
  std::unique_ptr<DataStream> plain, tls;
  DataStream& of(const Task& task) { return task.tls ? *tls : *plain; }
};

const SystemClock kClock;

template <typename T>
T check(Result<T> result) {
  CHECK(result, result.error().message());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

std::unique_ptr<TlsContext> anyone() {
  return TlsContext::make(NodeKey::make(), [](const TlsPeer&) { return true; });
}

std::unique_ptr<DataStream> shake_hands(const TlsContext& context, SocketHandle socket,
                                        TlsSide side) {
  auto channel = std::make_unique<TlsChannel>(
      context,
      TlsChannel::Options{.socket = socket.get(), .side = side, .protocol = Protocol::data});
  for (auto wait = check(channel->handshake()); wait != TlsChannel::Wait::none;
       wait = check(channel->handshake()))
    check(wait_for_socket(
        socket.get(),
        wait == TlsChannel::Wait::readable ? SocketSide::readable : SocketSide::writable, kLimit));
  return make_tls_stream(std::move(socket), std::move(channel), kClock);
}

SocketHandle listen_on(const Endpoint& endpoint) {
  SocketHandle socket(::socket(endpoint.data()->sa_family, SOCK_STREAM, 0));
  const int yes = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  CHECK(::bind(socket.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0 &&
            ::listen(socket.get(), 2) == 0,
        to_string(endpoint));
  return socket;
}

SocketHandle accept_from(const SocketHandle& listening) {
  SocketHandle socket(::accept(listening.get(), nullptr, nullptr));
  CHECK(socket.get() >= 0);
  check(prepare_stream_socket(socket.get()));
  return socket;
}

Link accept_link(const SocketHandle& listening) {
  Link link{.context = anyone()};
  link.plain = make_tcp_stream(accept_from(listening), kClock);
  link.tls = shake_hands(*link.context, accept_from(listening), TlsSide::server);
  return link;
}

Link connect_link(const Endpoint& endpoint) {
  const auto connected = [&] {
    SocketHandle socket = check(start_connecting(endpoint, std::nullopt));
    check(wait_for_socket(socket.get(), SocketSide::writable, kLimit));
    return socket;
  };
  Link link{.context = anyone()};
  link.plain = make_tcp_stream(connected(), kClock);
  link.tls = shake_hands(*link.context, connected(), TlsSide::client);
  return link;
}

void pin_to(unsigned processor) {
  if (std::thread::hardware_concurrency() < 2) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  ::sched_setaffinity(0, sizeof set, &set);
}

void tell(DataStream& stream, const Task& task) {
  WireWriter writer;
  writer.u8(static_cast<std::uint8_t>(task.pattern));
  writer.u8(task.tls ? 1 : 0);
  writer.u32(task.bytes);
  writer.u32(task.iterations);
  writer.u32(task.spin_us);
  check(stream.write(writer.written(), {.within = kLimit}));
}

Task hear(DataStream& stream) {
  std::array<std::byte, Task::kBytes> bytes;
  check(stream.read(bytes, {.within = 600s}));
  WireReader reader(bytes);
  Task task;
  task.pattern = static_cast<Pattern>(reader.u8());
  task.tls = reader.u8() != 0;
  task.bytes = reader.u32();
  task.iterations = reader.u32();
  task.spin_us = reader.u32();
  check(reader.finish());
  CHECK(task.bytes <= kBytesMax && task.pattern <= Pattern::sum, task.bytes);
  return task;
}

// The sums of one block of iterations, of as many values as there are bytes for.
void run_sums(DataStream& stream, const Task& task, bool first, std::vector<double>* times_us) {
  std::vector<float> values(std::max<std::size_t>(task.bytes / sizeof(float) / kSumBlock, 1) *
                            kSumBlock);
  std::vector<DataStream*> streams(2, nullptr);
  streams[first ? 1 : 0] = &stream;
  StreamReducer reducer(std::move(streams), {.rank = first ? 0u : 1u,
                                             .width = static_cast<std::uint32_t>(values.size()),
                                             .spin = std::chrono::microseconds(task.spin_us)});
  for (std::uint32_t i = 0; i < task.iterations; ++i) {
    std::iota(values.begin(), values.end(), -100.0f);  // sums would grow beyond all bounds
    const auto start = kClock.monotonic();
    check(reducer.all_reduce(values, {}));
    if (times_us != nullptr) times_us->push_back(seconds(kClock.monotonic() - start) * 1e6);
  }
}

// One block of iterations as either side sees it; how long each took.
void run(Link& link, const Task& task, bool first, std::vector<double>* times_us) {
  DataStream& stream = link.of(task);
  if (task.pattern == Pattern::sum) return run_sums(stream, task, first, times_us);
  std::vector<std::byte> mine(task.bytes), theirs(task.bytes);
  const StreamWait wait{.within = kLimit, .spin = std::chrono::microseconds(task.spin_us)};
  const std::span<const std::byte> part(mine);
  for (std::uint32_t i = 0; i < task.iterations; ++i) {
    const auto start = kClock.monotonic();
    if (task.pattern == Pattern::exchange) {
      check(stream.exchange({&part, 1}, theirs, wait));
    } else {
      if (first) check(stream.write(mine, wait));
      check(stream.read(theirs, wait));
      if (!first) check(stream.write(mine, wait));
    }
    if (times_us != nullptr) times_us->push_back(seconds(kClock.monotonic() - start) * 1e6);
  }
}

void serve(Link link) {
  while (true) {
    const Task task = hear(*link.plain);
    if (task.pattern == Pattern::end) return;
    run(link, task, /*first=*/false, nullptr);
  }
}

struct Row {
  const char* what;
  Pattern pattern;
  bool tls, spins;
  std::vector<double> times_us = {};
  double percentile(double p) {
    std::sort(times_us.begin(), times_us.end());
    return times_us[static_cast<std::size_t>(p * static_cast<double>(times_us.size() - 1))];
  }
};

void measure(Link link, const Options& options) {
  std::vector<Row> rows = {{"plain ping-pong", Pattern::ping_pong, false, true},
                           {"tls sum", Pattern::sum, true, true},
                           {"tls exchange", Pattern::exchange, true, true},
                           {"plain exchange", Pattern::exchange, false, true},
                           {"tls ping-pong", Pattern::ping_pong, true, true},
                           {"plain ping-pong", Pattern::ping_pong, false, false},
                           {"tls sum", Pattern::sum, true, false},
                           {"tls exchange", Pattern::exchange, true, false},
                           {"plain exchange", Pattern::exchange, false, false},
                           {"tls ping-pong", Pattern::ping_pong, true, false}};
  for (std::uint32_t round = 0; round <= options.rounds; ++round) {
    for (Row& row : rows) {
      const Task task{.pattern = row.pattern,
                      .tls = row.tls,
                      .bytes = options.bytes,
                      .iterations = options.iterations,
                      .spin_us = row.spins ? options.spin_us : 0};
      tell(*link.plain, task);
      run(link, task, /*first=*/true, round == 0 ? nullptr : &row.times_us);  // round 0 warms up
    }
  }
  tell(*link.plain, {});
  fmt::print("what,bytes,spin_us,median_us,least_us,p90_us,times_plain_ping_pong\n");
  for (Row& row : rows) {
    const auto base = std::find_if(rows.begin(), rows.end(), [&](const Row& other) {
      return other.pattern == Pattern::ping_pong && !other.tls && other.spins == row.spins;
    });
    fmt::print("{},{},{},{:.1f},{:.1f},{:.1f},{:.2f}\n", row.what, options.bytes,
               row.spins ? options.spin_us : 0, row.percentile(0.5), row.percentile(0),
               row.percentile(0.9), row.percentile(0.5) / base->percentile(0.5));
  }
}

int measure_alone(const Options& options) {
  const SocketHandle listening = listen_on({boost::asio::ip::make_address("127.0.0.1"), 0});
  sockaddr_in bound = {};
  socklen_t size = sizeof bound;
  ::getsockname(listening.get(), reinterpret_cast<sockaddr*>(&bound), &size);
  const pid_t partner = ::fork();
  CHECK(partner >= 0);
  if (partner == 0) {
    pin_to(1);
    serve(accept_link(listening));
    ::_exit(0);
  }
  pin_to(0);
  measure(connect_link({boost::asio::ip::make_address("127.0.0.1"), ntohs(bound.sin_port)}),
          options);
  int status = 0;
  ::waitpid(partner, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

Endpoint endpoint_of(const std::string& text) {
  const HostPort parsed = check(parse_host_port(text));
  return {boost::asio::ip::make_address(parsed.host), parsed.port};
}

int main_of(int argc, char** argv) {
  Options options;
  CLI::App app("What a sum over two shards costs beside a plain TCP ping-pong of its values");
  app.add_option("--bytes", options.bytes, "of each message, or of the values")
      ->check(CLI::Range(1, 64 << 20));
  app.add_option("--rounds", options.rounds)->check(CLI::Range(1, 100'000));
  app.add_option("--iterations", options.iterations, "in a row of each kind")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--spin-us", options.spin_us, "how long a reader asks before it sleeps");
  auto* serving = app.add_subcommand("serve", "wait for the other host");
  serving->add_option("address", options.address, "ADDRESS:PORT")->required();
  auto* connecting = app.add_subcommand("connect", "measure against the other host");
  connecting->add_option("address", options.address, "ADDRESS:PORT")->required();
  app.fallthrough();
  CLI11_PARSE(app, argc, argv);
  if (serving->parsed()) {
    const SocketHandle listening = listen_on(endpoint_of(options.address));
    serve(accept_link(listening));
    return 0;
  }
  if (!connecting->parsed()) return measure_alone(options);
  measure(connect_link(endpoint_of(options.address)), options);
  return 0;
}

}  // namespace
}  // namespace drystone

int main(int argc, char** argv) { return drystone::main_of(argc, argv); }
