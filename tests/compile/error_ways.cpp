/// One program of two objects, one compiled with exceptions and one without, as products are that link a firmware
/// library of theirs: each does with an error what it was compiled for, whichever object the linker sees first.
/// Compiled three times: with UNIT_THROWS, with UNIT_PANICS (and -fno-exceptions), and as the main program.

#if defined(UNIT_PANICS)
[[noreturn]] void panicked(const char* text);
#define UNMASK_PANIC(text) panicked(text)
#endif

#include <unmask/unmask.hpp>

#include <cstdlib>
#include <cstring>

#if defined(UNIT_THROWS)

static_assert(UNMASK_HAS_EXCEPTIONS == 1);

/// Whether the error came as an exception.
bool asks_and_catches() {
  try {
    return unmask::result<int>(unmask::error(unmask::errc::wrong_shape, "thrown")).value() == 0;
  } catch (const unmask::failure& f) {
    return f.code == unmask::errc::wrong_shape && std::strcmp(f.what(), "thrown") == 0;
  }
}

#elif defined(UNIT_PANICS)

static_assert(UNMASK_HAS_EXCEPTIONS == 0);

int asks_and_panics() { return unmask::result<int>(unmask::error(unmask::errc::wrong_shape, "not thrown")).value(); }

#else

bool asks_and_catches();
int asks_and_panics();

/// Where no exception can be, the error ends the program: here that is what passes.
[[noreturn]] void panicked(const char* text) { std::_Exit(std::strcmp(text, "not thrown") == 0 ? 0 : 3); }

int main() {
  if (!asks_and_catches()) return 1;
  asks_and_panics();
  return 2;
}

#endif
