#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

/// libomp never frees the team of a thread that has ended; HDF5 leaks what it had read of a damaged file.
extern "C" const char* __lsan_default_suppressions() { return "leak:libomp.so\nleak:libhdf5"; }
