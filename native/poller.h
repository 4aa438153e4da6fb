// Readiness of a descriptor on Node's event loop.
#pragma once

#include <node_api.h>
#include <uv.h>

#include "memory.h"

namespace ipcm {

class Environment;

/// The native side of a JavaScript `Poller`.
///
/// It polls a duplicate of the descriptor, which it owns. So it cannot matter in which order the caller closes things,
/// libuv never polls a number that has become another file, and a descriptor that libuv already watches for somebody
/// else (a net.Socket, another poller) can be polled too.
///
/// Life: between `start` and `stop` the JavaScript object and the callback are held, so that an active poller that nobody
/// refers to goes on, as a socket would. Otherwise nothing is held, and collecting the object closes the poller. The
/// memory is freed when libuv has let go of the handle *and* the JavaScript object is gone, in either order.
class Poller : public Allocated {
 public:
  /// Defines the class; null with an exception pending if that fails.
  static napi_value define(napi_env env);

  /// Does what `close` in JavaScript does; may be called at any time and more than once.
  void close();

 private:
  friend class Environment;

  Poller(napi_env env, Environment* environment, int fd) : env_(env), environment_(environment), fd_(fd) {}
  ~Poller() = default;
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  static napi_value construct(napi_env env, napi_callback_info info);
  static napi_value jsStart(napi_env env, napi_callback_info info);
  static napi_value jsStop(napi_env env, napi_callback_info info);
  static napi_value jsClose(napi_env env, napi_callback_info info);
  static napi_value jsRef(napi_env env, napi_callback_info info);
  static napi_value jsUnref(napi_env env, napi_callback_info info);
  static void onCollected(napi_env env, void* data, void* hint);
  static void onEvents(uv_poll_t* handle, int status, int events);
  static void onClosed(uv_handle_t* handle);

  uv_handle_t* handle() { return reinterpret_cast<uv_handle_t*>(&poll_); }
  void hold(napi_value self, napi_value callback);
  void letGo();
  void deleteIfDone();

  napi_env env_;
  Environment* environment_;
  int fd_;
  uv_poll_t poll_ = {};
  napi_ref self_ = nullptr;
  napi_ref callback_ = nullptr;
  bool closing_ = false;
  bool closed_ = false;
  bool collected_ = false;
  Poller* previous_ = nullptr;
  Poller* next_ = nullptr;
};

}  // namespace ipcm
