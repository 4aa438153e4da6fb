#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "calls.h"
#include "js.h"

namespace ipcm {

namespace {

/// Datagrams in one system call. The arrays below lie on the stack, and past some dozens a larger batch buys nothing.
constexpr uint32_t kBatch = 64;

/// Reads the views of `count` messages from the array; false if one is no Uint8Array.
bool collect(napi_env env, napi_value array, uint32_t first, uint32_t count, iovec* views) {
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return false;
  bool good = true;
  for (uint32_t i = 0; good && i < count; ++i) {
    napi_value element = nullptr;
    Bytes bytes;
    good = napi_get_element(env, array, first + i, &element) == napi_ok && readBytes(env, element, bytes);
    views[i] = {bytes.data, bytes.length};
  }
  napi_close_handle_scope(env, scope);
  return good;
}

void pointAt(mmsghdr* messages, iovec* views, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    messages[i] = {};
    messages[i].msg_hdr.msg_iov = &views[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
}

}  // namespace

napi_value sendBatch(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const int fd = args.descriptor(0);
  const napi_value array = args.at(1);
  uint32_t length = 0;
  if (!args.failed() && napi_get_array_length(env, array, &length) != napi_ok) {
    args.fail("messages", "must be an array of Uint8Arrays");
  }
  const uint32_t first = args.integer(2, "first", 0, INT32_MAX);
  if (args.failed()) return nullptr;

  uint32_t at = first;
  while (at < length) {
    const uint32_t count = std::min(kBatch, length - at);
    iovec views[kBatch];
    mmsghdr messages[kBatch];
    if (!collect(env, array, at, count, views)) {
      args.fail("messages", "must be an array of Uint8Arrays");
      return nullptr;
    }
    int sent = 0;
    if (count == 1) {
      // sendmmsg gives the processor away after each message, to the one who was woken by it among others.
      const ssize_t length = retry([&] { return send(fd, views[0].iov_base, views[0].iov_len, MSG_DONTWAIT | MSG_NOSIGNAL); });
      sent = length < 0 ? -1 : 1;
    } else {
      pointAt(messages, views, count);
      sent = retry([&] { return sendmmsg(fd, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL); });
    }
    // What went out counts; the reason why the next one did not is told when the caller tries it again.
    if (sent < 0 && at == first) return resultOrErrno(env, sent, errno);
    if (sent < 0) break;
    at += static_cast<uint32_t>(sent);
    if (static_cast<uint32_t>(sent) < count) break;
  }
  return number(env, at > first ? at - first : 0);
}

napi_value receiveBatch(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const int fd = args.descriptor(0);
  const Bytes arena = args.bytes(1, "arena");
  const int slot = args.integer(2, "slot", 1, INT32_MAX);
  napi_typedarray_type type = napi_uint8_array;
  size_t room = 0;
  void* lengths = nullptr;
  if (!args.failed() && (napi_get_typedarray_info(env, args.at(3), &type, &room, &lengths, nullptr, nullptr) != napi_ok ||
                         type != napi_int32_array)) {
    args.fail("lengths", "must be an Int32Array");
  }
  if (args.failed()) return nullptr;
  const auto count = static_cast<uint32_t>(std::min(std::min(arena.length / slot, room), size_t{kBatch}));
  if (count == 0) {
    args.fail("arena and lengths", "must have room for one slot at least", true);
    return nullptr;
  }

  iovec views[kBatch];
  mmsghdr messages[kBatch];
  for (uint32_t i = 0; i < count; ++i) views[i] = {arena.data + static_cast<size_t>(i) * slot, static_cast<size_t>(slot)};
  pointAt(messages, views, count);
  // With MSG_TRUNC the length is the datagram's own, also where the slot was too small for it.
  const int received = retry([&] { return recvmmsg(fd, messages, count, MSG_DONTWAIT | MSG_TRUNC, nullptr); });
  const int error = errno;
  for (int i = 0; i < received; ++i) static_cast<int32_t*>(lengths)[i] = static_cast<int32_t>(messages[i].msg_len);
  return resultOrErrno(env, received, error);
}

}  // namespace ipcm
