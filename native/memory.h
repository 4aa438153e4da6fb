// Memory without the C++ runtime library: see js.h.
#pragma once

#include <cstdlib>

namespace ipcm {

/// The few bytes that this addon asks for are there, or the process is past saving; Node itself handles it so.
inline void* orAbort(void* memory) {
  if (memory == nullptr) abort();
  return memory;
}

/// Base of what is made with `new`.
class Allocated {
 public:
  static void* operator new(size_t size) { return orAbort(malloc(size)); }
  static void operator delete(void* memory) { free(memory); }
};

}  // namespace ipcm
