#pragma once

/// What this process has in memory, as Linux counts it; 0 elsewhere.

#include <cstdio>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace program {

/// Glibc keeps small blocks that were freed below ones that are in use: 6 MB after the full network's weights are read.
inline void give_back_freed_memory() {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}

struct memory_use {
  double now = 0, peak = 0;  ///< bytes resident
};

inline memory_use memory_in_use() {
  memory_use use;
  std::FILE* status = std::fopen("/proc/self/status", "r");
  if (!status) return use;
  char line[256];
  double kilobytes = 0;
  while (std::fgets(line, sizeof line, status)) {
    if (std::sscanf(line, "VmHWM: %lf", &kilobytes) == 1) use.peak = kilobytes * 1024;
    if (std::sscanf(line, "VmRSS: %lf", &kilobytes) == 1) use.now = kilobytes * 1024;
  }
  std::fclose(status);
  return use;
}

}  // namespace program
