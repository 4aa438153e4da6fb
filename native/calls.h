// The plain functions of the addon; what each does for JavaScript stands in src/native/native.ts.
#pragma once

#include <node_api.h>

namespace ipcm {

// descriptors.cc
napi_value readSome(napi_env env, napi_callback_info info);
napi_value writeSome(napi_env env, napi_callback_info info);
napi_value makeFifo(napi_env env, napi_callback_info info);
napi_value pipeSize(napi_env env, napi_callback_info info);
napi_value setPipeSize(napi_env env, napi_callback_info info);
napi_value pipeTakesPages(napi_env env, napi_callback_info info);
napi_value spin(napi_env env, napi_callback_info info);
napi_value loopDescriptor(napi_env env, napi_callback_info info);
napi_value closeOwned(napi_env env, napi_callback_info info);
napi_value release(napi_env env, napi_callback_info info);

// end_with.cc
napi_value endWith(napi_env env, napi_callback_info info);

// sockets.cc
napi_value bindDatagram(napi_env env, napi_callback_info info);
napi_value connectDatagram(napi_env env, napi_callback_info info);
napi_value listenStream(napi_env env, napi_callback_info info);
napi_value connectStream(napi_env env, napi_callback_info info);
napi_value acceptStream(napi_env env, napi_callback_info info);
napi_value shutReceiving(napi_env env, napi_callback_info info);
napi_value shutSending(napi_env env, napi_callback_info info);
napi_value peerCredentials(napi_env env, napi_callback_info info);
napi_value sendBufferSize(napi_env env, napi_callback_info info);
napi_value setSendBufferSize(napi_env env, napi_callback_info info);

// datagrams.cc
napi_value sendBatch(napi_env env, napi_callback_info info);
napi_value receiveBatch(napi_env env, napi_callback_info info);

}  // namespace ipcm
