/// Compiled twice with different values of UNIT: where this translation unit sees an inline function of the library.

#include <unmask/unmask.hpp>

#include "unit.hpp"

location UNIT() { return reinterpret_cast<location>(&unmask::chunk_count); }
