#include "js.h"

#include <uv.h>

#include <cstdio>
#include <cstring>

namespace ipcm {

Arguments::Arguments(napi_env env, napi_callback_info info) : env_(env) {
  size_t count = kMaxArguments;
  // Arguments that were not given come as undefined.
  failed_ = napi_get_cb_info(env, info, &count, values_, &self_, nullptr) != napi_ok;
}

void Arguments::fail(const char* name, const char* message, bool isRange) {
  if (failed_) return;
  failed_ = true;
  char text[160];
  snprintf(text, sizeof text, "%s %s", name, message);
  (isRange ? napi_throw_range_error : napi_throw_type_error)(env_, nullptr, text);
}

int Arguments::integer(size_t index, const char* name, int low, int high) {
  if (failed_) return 0;
  double value = 0;
  if (napi_get_value_double(env_, values_[index], &value) != napi_ok) {
    fail(name, "must be a number");
    return 0;
  }
  // Written so that NaN fails too; only then is the conversion defined.
  if (!(value >= low && value <= high) || value != static_cast<int>(value)) {
    char text[80];
    snprintf(text, sizeof text, "must be a whole number from %d to %d", low, high);
    fail(name, text, true);
    return 0;
  }
  return static_cast<int>(value);
}

bool readBytes(napi_env env, napi_value value, Bytes& bytes) {
  napi_typedarray_type type;
  void* data = nullptr;
  // Fails by itself on what is no typed array.
  if (napi_get_typedarray_info(env, value, &type, &bytes.length, &data, nullptr, nullptr) != napi_ok) return false;
  bytes.data = static_cast<uint8_t*>(data);
  return type == napi_uint8_array;
}

Bytes Arguments::bytes(size_t index, const char* name) {
  Bytes bytes;
  if (failed_) return bytes;
  if (!readBytes(env_, values_[index], bytes)) fail(name, "must be a Uint8Array");
  return bytes;
}

Bytes Arguments::range(size_t index) {
  const Bytes whole = bytes(index, "buffer");
  const size_t offset = integer(index + 1, "offset", 0, INT32_MAX);
  const size_t length = integer(index + 2, "length", 0, INT32_MAX);
  if (failed_) return {};
  if (offset > whole.length || length > whole.length - offset) {
    fail("offset and length", "reach beyond the buffer", true);
    return {};
  }
  return {whole.data + offset, length};
}

Path Arguments::path(size_t index) {
  Path path;
  if (failed_) return path;
  if (napi_get_value_string_utf8(env_, values_[index], path.text, sizeof path.text, &path.length) != napi_ok) {
    fail("path", "must be a string");
    return path;
  }
  // A NUL would end the path early for the kernel: another file than the one that was named.
  if (path.length == 0 || memchr(path.text, '\0', path.length) != nullptr) {
    fail("path", "must not be empty or hold a NUL");
  }
  return path;
}

void Arguments::function(size_t index, const char* name) {
  if (failed_) return;
  napi_valuetype type;
  if (napi_typeof(env_, values_[index], &type) != napi_ok || type != napi_function) fail(name, "must be a function");
}

napi_value number(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

namespace {

napi_value text(napi_env env, const char* value) {
  napi_value result = nullptr;
  napi_create_string_utf8(env, value, NAPI_AUTO_LENGTH, &result);
  return result;
}

}  // namespace

void throwSystemError(napi_env env, int error, const char* syscall, const char* path) {
  const int status = uv_translate_sys_error(error);
  char code[64];
  char meaning[128];
  uv_err_name_r(status, code, sizeof code);
  uv_strerror_r(status, meaning, sizeof meaning);
  char message[sizeof code + sizeof meaning + PATH_MAX + 64];
  const bool hasPath = path != nullptr;
  snprintf(message, sizeof message, hasPath ? "%s: %s, %s '%s'" : "%s: %s, %s", code, meaning, syscall, path);

  napi_value thrown = nullptr;
  if (napi_create_error(env, text(env, code), text(env, message), &thrown) != napi_ok) return;
  napi_set_named_property(env, thrown, "errno", number(env, status));
  napi_set_named_property(env, thrown, "syscall", text(env, syscall));
  if (hasPath) napi_set_named_property(env, thrown, "path", text(env, path));
  napi_throw(env, thrown);
}

}  // namespace ipcm
