// The entry point: called once for every environment (main thread, worker) that loads the addon.
#include <node_api.h>

#include "calls.h"
#include "environment.h"
#include "js.h"
#include "poller.h"

namespace {

/// Raised with every change of the surface: src/native/native.ts refuses a binary that was built for another one.
constexpr int kSurface = 5;

struct Function {
  const char* name;
  napi_callback call;
};

constexpr Function kFunctions[] = {
    {"read", ipcm::readSome},
    {"write", ipcm::writeSome},
    {"mkfifo", ipcm::makeFifo},
    {"pipeSize", ipcm::pipeSize},
    {"setPipeSize", ipcm::setPipeSize},
    {"pipeTakesPages", ipcm::pipeTakesPages},
    {"spin", ipcm::spin},
    {"loopDescriptor", ipcm::loopDescriptor},
    {"endWith", ipcm::endWith},
    {"close", ipcm::closeOwned},
    {"release", ipcm::release},
    {"bindDatagram", ipcm::bindDatagram},
    {"connectDatagram", ipcm::connectDatagram},
    {"shutReceiving", ipcm::shutReceiving},
    {"shutSending", ipcm::shutSending},
    {"listenStream", ipcm::listenStream},
    {"connectStream", ipcm::connectStream},
    {"accept", ipcm::acceptStream},
    {"peerCredentials", ipcm::peerCredentials},
    {"sendBufferSize", ipcm::sendBufferSize},
    {"setSendBufferSize", ipcm::setSendBufferSize},
    {"sendBatch", ipcm::sendBatch},
    {"receiveBatch", ipcm::receiveBatch},
};

}  // namespace

NAPI_MODULE_INIT() {
  if (ipcm::Environment::attach(env) == nullptr) return nullptr;
  for (const Function& function : kFunctions) {
    napi_value value = nullptr;
    if (napi_create_function(env, function.name, NAPI_AUTO_LENGTH, function.call, nullptr, &value) != napi_ok ||
        napi_set_named_property(env, exports, function.name, value) != napi_ok) {
      return nullptr;
    }
  }
  const napi_value poller = ipcm::Poller::define(env);
  if (poller == nullptr) return nullptr;
  napi_set_named_property(env, exports, "Poller", poller);
  napi_set_named_property(env, exports, "surface", ipcm::number(env, kSurface));
  return exports;
}
