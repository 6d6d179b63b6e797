#include "bench/serve/child_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>
#include <vector>

#include "bench/serve/load_client.h"

namespace drystone {
namespace asio = boost::asio;

namespace {

constexpr double kReadySecondsMax = 300, kStopSecondsMax = 10;
constexpr std::chrono::milliseconds kPoll{20};

std::uint16_t free_port() {
  asio::io_context loop;
  asio::ip::tcp::acceptor acceptor(loop, {asio::ip::make_address("127.0.0.1"), 0});
  return acceptor.local_endpoint().port();
}

std::string with_port(std::string command, std::uint16_t port) {
  constexpr std::string_view kPort = "{port}";
  for (std::size_t at; (at = command.find(kPort)) != std::string::npos;)
    command.replace(at, kPort.size(), std::to_string(port));
  return command;
}

pid_t spawn(const std::string& command, const std::string& log_path) {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  setsid();
  const int log = open(log_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  const int nothing = open("/dev/null", O_RDONLY);
  if (log >= 0) dup2(log, STDOUT_FILENO), dup2(log, STDERR_FILENO);
  if (nothing >= 0) dup2(nothing, STDIN_FILENO);
  execl("/bin/sh", "sh", "-c", ("exec " + command).c_str(), nullptr);
  _exit(127);
}

std::string last_of(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  constexpr std::size_t kBytes = 2000;
  const std::string all = text.str();
  return all.substr(all.size() - std::min(all.size(), kBytes));
}

// Calls `visit` with the fields behind the name of /proc/PID/stat for each process of a session.
void for_each_process(pid_t session, const std::function<void(const std::vector<long>&)>& visit) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    std::ifstream file(entry.path() / "stat");
    std::string line;
    if (!std::getline(file, line)) continue;
    const std::size_t name_end = line.rfind(") ");
    if (name_end == std::string::npos) continue;
    std::istringstream rest(line.substr(name_end + 4));  // behind the state letter
    std::vector<long> fields;
    for (long value; rest >> value;) fields.push_back(value);
    constexpr std::size_t kSession = 2;
    if (fields.size() > 20 && fields[kSession] == session) visit(fields);
  }
}

}  // namespace

Result<std::unique_ptr<ChildServer>> ChildServer::start(std::string command, std::string log_path,
                                                        const Clock& clock) {
  const std::uint16_t port = free_port();
  command = with_port(std::move(command), port);
  const pid_t pid = spawn(command, log_path);
  if (pid < 0) return Error(Errc::io, fmt::format("cannot start '{}'", command));
  const std::string url = fmt::format("http://127.0.0.1:{}", port);
  std::unique_ptr<ChildServer> server(new ChildServer(pid, url, clock));
  const LoadTarget target{.endpoint = *parse_url(url)};
  const double start_s = seconds(clock.monotonic());
  while (ask(target, "/health").status != 200) {
    const bool gone = !server->running();
    if (gone || seconds(clock.monotonic()) - start_s > kReadySecondsMax)
      return Error(Errc::unavailable,
                   fmt::format("'{}' {}; its output ends with:\n{}", command,
                               gone ? "ended before it was ready" : "is not ready in time",
                               last_of(log_path)));
    std::this_thread::sleep_for(kPoll);
  }
  return server;
}

ChildServer::~ChildServer() { stop(); }

bool ChildServer::running() const {
  if (!ended_ && waitpid(pid_, &status_, WNOHANG) == pid_) ended_ = true;
  return !ended_;
}

int ChildServer::stop() {
  const double start_s = seconds(clock_.monotonic());
  if (running()) kill(-pid_, SIGTERM);
  while (running()) {
    if (seconds(clock_.monotonic()) - start_s > kStopSecondsMax) kill(-pid_, SIGKILL);
    std::this_thread::sleep_for(kPoll);
  }
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
}

double ChildServer::cpu_s() const {
  long ticks = 0;
  for_each_process(pid_,
                   [&](const std::vector<long>& fields) { ticks += fields[10] + fields[11]; });
  return static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

std::uint64_t ChildServer::rss_bytes() const {
  long pages = 0;
  for_each_process(pid_, [&](const std::vector<long>& fields) { pages += fields[20]; });
  return static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace drystone
