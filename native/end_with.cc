// A thread that ends the process when the other end of a pipe has gone and the process itself does not notice.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>

#include "calls.h"
#include "js.h"

namespace ipcm {

namespace {

/// Only ever set before the thread begins; one thread for a process, which lasts as long as it.
int watched = -1;
int grace = 0;

void watch(void*) {
  // Signals are for the threads that run JavaScript.
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, nullptr);
  pollfd polled{watched, POLLRDHUP, 0};
  // POLLHUP and POLLERR are told unasked.
  while (poll(&polled, 1, -1) <= 0) {
  }
  timespec left{grace / 1000, (grace % 1000) * 1'000'000L};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
  kill(getpid(), SIGKILL);
}

}  // namespace

napi_value endWith(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const int fd = args.descriptor(0);
  const int milliseconds = args.integer(1, "milliseconds", 0, INT32_MAX);
  if (args.failed()) return nullptr;
  if (watched != -1) {
    throwSystemError(env, EBUSY, "endWith");
    return nullptr;
  }
  // A duplicate: whoever opened the descriptor may close it.
  watched = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (watched == -1) {
    throwSystemError(env, errno, "endWith");
    return nullptr;
  }
  grace = milliseconds;
  uv_thread_t thread;
  const int failed = uv_thread_create(&thread, watch, nullptr);
  if (failed != 0) {
    close(watched);
    watched = -1;
    throwSystemError(env, -failed, "endWith");
  }
  return nullptr;
}

}  // namespace ipcm
