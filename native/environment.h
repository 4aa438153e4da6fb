// What belongs to one Node environment (the main thread or a worker) and must go with it, however it ends.
#pragma once

#include <node_api.h>
#include <uv.h>

#include <cstddef>

#include "memory.h"

namespace ipcm {

class Poller;

/// Made when the addon is loaded into an environment, deleted when that environment has been torn down. A worker that is
/// terminated runs no more JavaScript, so what JavaScript left open is closed here: first the pollers, whose handles
/// libuv must have let go of before it lets its loop be closed, then the descriptors.
class Environment : public Allocated {
 public:
  /// Null, with a JavaScript exception pending, if the environment cannot be told to wait for us.
  static Environment* attach(napi_env env);
  static Environment* of(napi_env env);

  uv_loop_t* loop() const { return loop_; }

  /// Takes over a descriptor that this addon made and JavaScript has not been told of yet.
  void own(int fd);
  /// Ends the ownership; false if the descriptor is not ours, or not any more.
  bool disown(int fd);

  void add(Poller* poller);
  /// Called once libuv is done with the poller's handle.
  void remove(Poller* poller);

 private:
  explicit Environment(uv_loop_t* loop) : loop_(loop) {}
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  static void onTeardown(napi_async_cleanup_hook_handle handle, void* data);
  void finishIfIdle();

  uv_loop_t* loop_;
  napi_async_cleanup_hook_handle hook_ = nullptr;
  bool tearingDown_ = false;
  /// Whether we own a descriptor, indexed by it: small numbers, and looking one up costs nothing.
  bool* owned_ = nullptr;
  size_t ownedSize_ = 0;
  Poller* first_ = nullptr;
};

}  // namespace ipcm
