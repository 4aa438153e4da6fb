#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "calls.h"
#include "environment.h"
#include "js.h"

namespace ipcm {

namespace {

/// A new socket, closed when it goes out of scope unless it was handed to JavaScript. `syscall` names the step that
/// failed, if one did; errno tells why.
class Socket {
 public:
  explicit Socket(int type) : fd_(socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    if (fd_ < 0) syscall_ = "socket";
  }
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void bindTo(const Path& path, mode_t mode) {
    if (syscall_ != nullptr || !setAddress(path, "bind")) return;
    // Linux makes the socket's file with the mode that the socket itself has, less the umask: so it is private from its
    // first moment, without a umask of the whole process or a chmod that comes too late.
    if (fchmod(fd_, mode) != 0) {
      syscall_ = "fchmod";
    } else if (::bind(fd_, reinterpret_cast<sockaddr*>(&address_), sizeof address_) != 0) {
      syscall_ = "bind";
    }
  }

  void connectTo(const Path& path) {
    if (syscall_ != nullptr || !setAddress(path, "connect")) return;
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address_), sizeof address_) != 0) syscall_ = "connect";
  }

  void listenFor(int backlog) {
    if (syscall_ == nullptr && ::listen(fd_, backlog) != 0) syscall_ = "listen";
  }

  /// Gives the descriptor to JavaScript, or throws.
  napi_value hand(napi_env env, const Path& path) {
    const int error = errno;
    if (syscall_ != nullptr) {
      throwSystemError(env, error, syscall_, path.text);
      return nullptr;
    }
    const int fd = fd_;
    fd_ = -1;
    Environment::of(env)->own(fd);
    return number(env, fd);
  }

 private:
  bool setAddress(const Path& path, const char* syscall) {
    address_.sun_family = AF_UNIX;
    if (path.length >= sizeof address_.sun_path) {
      errno = ENAMETOOLONG;
      syscall_ = syscall;
      return false;
    }
    memcpy(address_.sun_path, path.text, path.length);
    return true;
  }

  int fd_;
  const char* syscall_ = nullptr;
  sockaddr_un address_ = {};
};

}  // namespace

napi_value bindDatagram(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const Path path = args.path(0);
  const int mode = args.integer(1, "mode", 0, 0777);
  if (args.failed()) return nullptr;
  Socket made(SOCK_DGRAM);
  made.bindTo(path, mode);
  return made.hand(env, path);
}

namespace {

napi_value connected(napi_env env, napi_callback_info info, int type) {
  Arguments args(env, info);
  const Path path = args.path(0);
  if (args.failed()) return nullptr;
  Socket made(type);
  made.connectTo(path);
  return made.hand(env, path);
}

}  // namespace

napi_value connectDatagram(napi_env env, napi_callback_info info) { return connected(env, info, SOCK_DGRAM); }

// A unix socket is connected at once or not at all: EAGAIN where too many wait to be accepted.
napi_value connectStream(napi_env env, napi_callback_info info) { return connected(env, info, SOCK_STREAM); }

napi_value listenStream(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const Path path = args.path(0);
  const int mode = args.integer(1, "mode", 0, 0777);
  const int backlog = args.integer(2, "backlog", 0, INT32_MAX);
  if (args.failed()) return nullptr;
  Socket made(SOCK_STREAM);
  made.bindTo(path, mode);
  made.listenFor(backlog);
  return made.hand(env, path);
}

napi_value acceptStream(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const int fd = args.descriptor(0);
  if (args.failed()) return nullptr;
  const int accepted = retry([&] { return accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); });
  const int error = errno;
  if (accepted >= 0) Environment::of(env)->own(accepted);
  return resultOrErrno(env, accepted, error);
}

namespace {

napi_value shut(napi_env env, napi_callback_info info, int how) {
  Arguments args(env, info);
  const int fd = args.descriptor(0);
  if (args.failed()) return nullptr;
  const int failed = shutdown(fd, how);
  return resultOrErrno(env, failed, errno);
}

}  // namespace

napi_value shutReceiving(napi_env env, napi_callback_info info) { return shut(env, info, SHUT_RD); }

napi_value shutSending(napi_env env, napi_callback_info info) { return shut(env, info, SHUT_WR); }

napi_value peerCredentials(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const int fd = args.descriptor(0);
  if (args.failed()) return nullptr;
  ucred credentials = {};
  socklen_t length = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) {
    throwSystemError(env, errno, "getsockopt");
    return nullptr;
  }
  napi_value result = nullptr;
  napi_create_object(env, &result);
  napi_set_named_property(env, result, "pid", number(env, credentials.pid));
  napi_set_named_property(env, result, "uid", number(env, credentials.uid));
  napi_set_named_property(env, result, "gid", number(env, credentials.gid));
  return result;
}

namespace {

napi_value readSendBuffer(napi_env env, int fd) {
  int bytes = 0;
  socklen_t length = sizeof bytes;
  const int failed = getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, &length);
  return resultOrErrno(env, failed != 0 ? failed : bytes, errno);
}

}  // namespace

napi_value sendBufferSize(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const int fd = args.descriptor(0);
  return args.failed() ? nullptr : readSendBuffer(env, fd);
}

napi_value setSendBufferSize(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const int fd = args.descriptor(0);
  const int bytes = args.integer(1, "bytes", 1, INT32_MAX);
  if (args.failed()) return nullptr;
  // Linux stores the double of it, for its own overhead, and reports that. Halved here: one number, in and out.
  const int half = (bytes + 1) / 2;
  const int failed = setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &half, sizeof half);
  return failed != 0 ? resultOrErrno(env, failed, errno) : readSendBuffer(env, fd);
}

}  // namespace ipcm
