#include "app/interrupt.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>

#include "base/check.h"

namespace drystone {
namespace {

// A signal handler can reach nothing but globals.
std::atomic<int> handler_pipe = -1;

void write_byte(int descriptor, char byte) {
  const int saved = errno;
  [[maybe_unused]] const ssize_t ignored = ::write(descriptor, &byte, 1);
  errno = saved;
}

void on_interrupt(int) { write_byte(handler_pipe, 'c'); }

void install(void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
}

}  // namespace

InterruptScope::InterruptScope() {
  CHECK(handler_pipe < 0);
  CHECK(pipe(pipe_) == 0, errno);
  fcntl(pipe_[1], F_SETFL, O_NONBLOCK);  // a full pipe has been noticed already
  watcher_ = std::thread([this, read_end = pipe_[0]] {
    char byte = 0;
    while (::read(read_end, &byte, 1) == 1 && byte == 'c') source_.request_stop();
  });
  handler_pipe = pipe_[1];
  install(on_interrupt);
}

InterruptScope::~InterruptScope() {
  install(SIG_DFL);
  write_byte(pipe_[1], 'q');
  watcher_.join();
  handler_pipe = -1;
  close(pipe_[0]);
  close(pipe_[1]);
}

}  // namespace drystone
