#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>

#include "calls.h"
#include "environment.h"
#include "js.h"

namespace ipcm {

constexpr int kPipeBuf = 4096;

napi_value readSome(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const int fd = args.descriptor(0);
  const Bytes bytes = args.range(1);
  if (args.failed()) return nullptr;
  const ssize_t count = retry([&] { return read(fd, bytes.data, bytes.length); });
  return resultOrErrno(env, count, errno);
}

napi_value writeSome(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const int fd = args.descriptor(0);
  const Bytes bytes = args.range(1);
  if (args.failed()) return nullptr;
  // Node ignores SIGPIPE in every process of its own, so that a reader that has gone is EPIPE.
  const ssize_t count = retry([&] { return write(fd, bytes.data, bytes.length); });
  return resultOrErrno(env, count, errno);
}

// Whether a pipe without room for all of a write takes whole pages of it, as Linux does: pages of another writer may then come
// between them, but never bytes. POSIX promises nothing of the kind above PIPE_BUF, so it is tried out.
static bool takesWholePages() {
  int fds[2];
  if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0) return false;
  static const char zeros[3 * kPipeBuf] = {};
  const int size = fcntl(fds[1], F_SETPIPE_SZ, 2 * kPipeBuf);
  bool whole = size >= 0;
  // Into the empty pipe, then into one that has room for less than what is left of it.
  for (int space = size; whole && space > 0;) {
    const ssize_t count = retry([&] { return write(fds[1], zeros, sizeof zeros); });
    if (count < 0) {
      whole = errno == EAGAIN;
      break;
    }
    whole = count > 0 && count % kPipeBuf == 0;
    space -= static_cast<int>(count);
  }
  close(fds[0]);
  close(fds[1]);
  return whole;
}

napi_value pipeTakesPages(napi_env env, napi_callback_info) {
  static const bool whole = takesWholePages();
  napi_value result = nullptr;
  napi_get_boolean(env, whole, &result);
  return result;
}

napi_value makeFifo(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const Path path = args.path(0);
  const int mode = args.integer(1, "mode", 0, 07777);
  if (args.failed()) return nullptr;
  if (mkfifo(path.text, mode) != 0) throwSystemError(env, errno, "mkfifo", path.text);
  return nullptr;
}

napi_value pipeSize(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const int fd = args.descriptor(0);
  if (args.failed()) return nullptr;
  const int size = fcntl(fd, F_GETPIPE_SZ);
  return resultOrErrno(env, size, errno);
}

napi_value setPipeSize(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const int fd = args.descriptor(0);
  const int bytes = args.integer(1, "bytes", 1, INT32_MAX);
  if (args.failed()) return nullptr;
  const int size = fcntl(fd, F_SETPIPE_SZ, bytes);
  return resultOrErrno(env, size, errno);
}

napi_value spin(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const int fd = args.descriptor(0);
  // The bound keeps a wrong unit from stopping the event loop for long.
  const int microseconds = args.integer(1, "microseconds", 0, 100'000);
  if (args.failed()) return nullptr;
  const uint64_t deadline = uv_hrtime() + static_cast<uint64_t>(microseconds) * 1000;
  pollfd polled{fd, POLLIN, 0};
  bool ready = false;
  for (;;) {
    // Errors and hang-ups count as ready, whoever reads next learns of them.
    ready = retry([&] { return poll(&polled, 1, 0); }) > 0;
    if (ready || uv_hrtime() >= deadline) break;
    // Where both peers share a processor, the one that spins would otherwise keep the other from answering.
    sched_yield();
  }
  napi_value result = nullptr;
  napi_get_boolean(env, ready, &result);
  return result;
}

napi_value loopDescriptor(napi_env env, napi_callback_info) {
  return number(env, uv_backend_fd(Environment::of(env)->loop()));
}

napi_value closeOwned(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const int fd = args.descriptor(0);
  if (args.failed()) return nullptr;
  if (Environment::of(env)->disown(fd)) {
    // Never repeated: on Linux the descriptor is gone even after EINTR, and its number may be another file by then.
    close(fd);
  } else {
    throwSystemError(env, EBADF, "close");
  }
  return nullptr;
}

napi_value release(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const int fd = args.descriptor(0);
  if (args.failed()) return nullptr;
  if (!Environment::of(env)->disown(fd)) throwSystemError(env, EBADF, "release");
  return nullptr;
}

}  // namespace ipcm
