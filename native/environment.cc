#include "environment.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "poller.h"

namespace ipcm {

Environment* Environment::attach(napi_env env) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) {
    napi_throw_error(env, nullptr, "this environment has no event loop");
    return nullptr;
  }
  auto* environment = new Environment(loop);
  // An asynchronous hook, since a libuv handle is gone only after another turn of the loop.
  if (napi_set_instance_data(env, environment, nullptr, nullptr) != napi_ok ||
      napi_add_async_cleanup_hook(env, onTeardown, environment, &environment->hook_) != napi_ok) {
    delete environment;
    napi_throw_error(env, nullptr, "this environment takes no cleanup hook");
    return nullptr;
  }
  return environment;
}

Environment* Environment::of(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return static_cast<Environment*>(data);
}

Environment::~Environment() { free(owned_); }

void Environment::own(int fd) {
  const auto index = static_cast<size_t>(fd);
  if (index >= ownedSize_) {
    const size_t size = index + 64;
    owned_ = static_cast<bool*>(orAbort(realloc(owned_, size)));
    memset(owned_ + ownedSize_, 0, size - ownedSize_);
    ownedSize_ = size;
  }
  owned_[index] = true;
}

bool Environment::disown(int fd) {
  const auto index = static_cast<size_t>(fd);
  if (index >= ownedSize_ || !owned_[index]) return false;
  owned_[index] = false;
  return true;
}

void Environment::add(Poller* poller) {
  poller->next_ = first_;
  if (first_ != nullptr) first_->previous_ = poller;
  first_ = poller;
}

void Environment::remove(Poller* poller) {
  (poller->previous_ == nullptr ? first_ : poller->previous_->next_) = poller->next_;
  if (poller->next_ != nullptr) poller->next_->previous_ = poller->previous_;
  finishIfIdle();
}

void Environment::onTeardown(napi_async_cleanup_hook_handle, void* data) {
  auto* environment = static_cast<Environment*>(data);
  environment->tearingDown_ = true;
  for (Poller* poller = environment->first_; poller != nullptr; poller = poller->next_) poller->close();
  for (size_t fd = 0; fd < environment->ownedSize_; ++fd) {
    if (environment->owned_[fd]) close(static_cast<int>(fd));
  }
  environment->finishIfIdle();
}

void Environment::finishIfIdle() {
  if (!tearingDown_ || first_ != nullptr) return;
  napi_remove_async_cleanup_hook(hook_);
  delete this;
}

}  // namespace ipcm
