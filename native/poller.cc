#include "poller.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "environment.h"
#include "js.h"

namespace ipcm {

namespace {

/// The poller behind `this`. N-API has checked that the object came from our class, yet its constructor may have thrown.
Poller* unwrap(napi_env env, Arguments& args) {
  void* data = nullptr;
  if (args.failed()) return nullptr;
  if (napi_unwrap(env, args.self(), &data) != napi_ok) args.fail("Poller", "was never opened");
  return static_cast<Poller*>(data);
}

}  // namespace

napi_value Poller::define(napi_env env) {
  const auto method = [](const char* name, napi_callback call) {
    return napi_property_descriptor{name, nullptr, call, nullptr, nullptr, nullptr, napi_default_method, nullptr};
  };
  const napi_property_descriptor methods[] = {
      method("start", jsStart), method("stop", jsStop),   method("close", jsClose),
      method("ref", jsRef),     method("unref", jsUnref),
  };
  napi_value result = nullptr;
  const size_t count = sizeof methods / sizeof *methods;
  napi_define_class(env, "Poller", NAPI_AUTO_LENGTH, construct, nullptr, count, methods, &result);
  return result;
}

napi_value Poller::construct(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  napi_value target = nullptr;
  napi_get_new_target(env, info, &target);
  if (target == nullptr) args.fail("Poller", "is a class: call it with new");
  const int given = args.descriptor(0);
  if (args.failed()) return nullptr;

  const int fd = fcntl(given, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) {
    throwSystemError(env, errno, "dup");
    return nullptr;
  }
  Environment* environment = Environment::of(env);
  auto* poller = new Poller(env, environment, fd);
  // Sets O_NONBLOCK as well. Fails with EPERM on a file that cannot be polled.
  const int status = uv_poll_init(environment->loop(), &poller->poll_, fd);
  if (status != 0) {
    ::close(fd);
    delete poller;
    throwSystemError(env, -status, "epoll_ctl");
    return nullptr;
  }
  poller->poll_.data = poller;
  environment->add(poller);
  if (napi_wrap(env, args.self(), poller, onCollected, nullptr, nullptr) != napi_ok) {
    poller->collected_ = true;
    poller->close();
    args.fail("Poller", "cannot be attached to this object");
    return nullptr;
  }
  return args.self();
}

napi_value Poller::jsStart(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  Poller* poller = unwrap(env, args);
  const int events = args.integer(0, "events", UV_READABLE, UV_READABLE | UV_WRITABLE);
  args.function(1, "callback");
  if (args.failed()) return nullptr;
  const int status = poller->closing_ ? UV_EBADF : uv_poll_start(&poller->poll_, events, onEvents);
  if (status != 0) {
    throwSystemError(env, -status, "poll");
    return nullptr;
  }
  poller->hold(args.self(), args.at(1));
  return nullptr;
}

napi_value Poller::jsStop(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  Poller* poller = unwrap(env, args);
  if (args.failed() || poller->closing_) return nullptr;
  uv_poll_stop(&poller->poll_);
  poller->letGo();
  return nullptr;
}

napi_value Poller::jsClose(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  Poller* poller = unwrap(env, args);
  if (!args.failed()) poller->close();
  return nullptr;
}

napi_value Poller::jsRef(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  Poller* poller = unwrap(env, args);
  if (!args.failed() && !poller->closing_) uv_ref(poller->handle());
  return args.failed() ? nullptr : args.self();
}

napi_value Poller::jsUnref(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  Poller* poller = unwrap(env, args);
  if (!args.failed() && !poller->closing_) uv_unref(poller->handle());
  return args.failed() ? nullptr : args.self();
}

void Poller::hold(napi_value self, napi_value callback) {
  letGo();
  napi_create_reference(env_, self, 1, &self_);
  napi_create_reference(env_, callback, 1, &callback_);
}

void Poller::letGo() {
  if (self_ != nullptr) napi_delete_reference(env_, self_);
  if (callback_ != nullptr) napi_delete_reference(env_, callback_);
  self_ = callback_ = nullptr;
}

void Poller::close() {
  if (closing_) return;
  closing_ = true;
  letGo();
  uv_close(handle(), onClosed);
  // libuv has taken the descriptor out of its epoll set by now, so that it need not stay open until onClosed.
  ::close(fd_);
}

void Poller::onEvents(uv_poll_t* handle, int status, int events) {
  auto* poller = static_cast<Poller*>(handle->data);
  napi_env env = poller->env_;
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;

  napi_value self = nullptr;
  napi_value callback = nullptr;
  napi_get_reference_value(env, poller->self_, &self);
  napi_get_reference_value(env, poller->callback_, &callback);
  // libuv has stopped the handle on an error; let go first, so that the callback may start it again.
  if (status < 0) poller->letGo();
  napi_value argument = number(env, status < 0 ? status : events);
  // No async context: what the callback wakes has its own. Runs nextTick and promise jobs before it returns.
  if (napi_make_callback(env, nullptr, self, callback, 1, &argument, nullptr) == napi_pending_exception) {
    napi_value error = nullptr;
    // Not if the worker is being terminated: that is no error of anybody's.
    if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
  }
  napi_close_handle_scope(env, scope);
}

void Poller::onClosed(uv_handle_t* handle) {
  auto* poller = static_cast<Poller*>(handle->data);
  poller->closed_ = true;
  poller->environment_->remove(poller);
  poller->deleteIfDone();
}

void Poller::onCollected(napi_env, void* data, void*) {
  auto* poller = static_cast<Poller*>(data);
  poller->collected_ = true;
  poller->close();
  poller->deleteIfDone();
}

void Poller::deleteIfDone() {
  if (closed_ && collected_) delete this;
}

}  // namespace ipcm
