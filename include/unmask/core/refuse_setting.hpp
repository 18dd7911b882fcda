#pragma once

/// The one sentence for a setting that cannot work.

#include <cstdio>

#include "result.hpp"

namespace unmask::inline UNMASK_ABI::detail {

/// `bad_argument`: "noise: bit depth is 0, expected a number in (0, 1e9]".
[[gnu::cold]] inline error refuse_setting(const char* of, const char* name, double found, const char* expected) {
  char text[160];
  std::snprintf(text, sizeof text, "%s: %s is %g, expected %s", of, name, found, expected);
  return error(errc::bad_argument, text);
}

}  // namespace unmask::inline UNMASK_ABI::detail
