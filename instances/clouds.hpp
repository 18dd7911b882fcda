#pragma once

/// The declouder for the processor, compiled once as instances.hpp says.

#include <unmask/clouds/declouder.hpp>

extern template class unmask::clouds::declouder<unmask::cpu>;
