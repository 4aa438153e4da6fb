// What every file here shares: reading arguments, answering, and errors. No C++ exceptions: the first argument that is
// wrong throws in JavaScript and marks the `Arguments` failed; the function then returns at once.
//
// Nothing here or elsewhere needs the C++ runtime library (no std::string, no containers): linked in, it would ask for a
// glibc newer than the one that Node itself asks for.
#pragma once

#include <limits.h>
#include <node_api.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace ipcm {

constexpr size_t kMaxArguments = 4;

/// A range inside a Uint8Array. Valid until JavaScript runs again.
struct Bytes {
  uint8_t* data = nullptr;
  size_t length = 0;
};

/// A path, as the kernel takes it.
struct Path {
  char text[PATH_MAX + 1] = {};
  size_t length = 0;
};

class Arguments {
 public:
  Arguments(napi_env env, napi_callback_info info);

  bool failed() const { return failed_; }
  napi_value self() const { return self_; }
  napi_value at(size_t index) const { return values_[index]; }

  /// A whole number from `low` to `high`; anything else is a TypeError or RangeError that names the argument.
  int integer(size_t index, const char* name, int low, int high);
  int descriptor(size_t index) { return integer(index, "fd", 0, INT32_MAX); }
  /// All of a Uint8Array.
  Bytes bytes(size_t index, const char* name);
  /// The part of a Uint8Array that an offset and a length, in the two arguments after it, name.
  Bytes range(size_t index);
  /// A string that names a file. One that is too long for any is cut, yet stays too long.
  Path path(size_t index);
  void function(size_t index, const char* name);

  /// Throws, unless an earlier argument has done so. `name` comes first in the message.
  void fail(const char* name, const char* message, bool isRange = false);

 private:
  napi_env env_;
  napi_value self_ = nullptr;
  napi_value values_[kMaxArguments] = {};
  bool failed_ = false;
};

/// The bytes of one Uint8Array; false if the value is something else.
bool readBytes(napi_env env, napi_value value, Bytes& bytes);

napi_value number(napi_env env, double value);

/// For calls whose failure is ordinary: the result if it is one, else the negative of errno.
template <typename T>
napi_value resultOrErrno(napi_env env, T result, int error) {
  return number(env, result < 0 ? -static_cast<double>(error) : static_cast<double>(result));
}

/// Throws an error with the fields of Node's own system errors: code, errno, syscall, and path where there is one.
void throwSystemError(napi_env env, int error, const char* syscall, const char* path = nullptr);

/// Repeats a system call that a signal interrupted.
template <typename Call>
auto retry(Call call) -> decltype(call()) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

}  // namespace ipcm
