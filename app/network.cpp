/// The network, compiled once for all commands (context.hpp declares them extern).

#include <unmask/unmask.hpp>

template class unmask::s2_network<float, unmask::cpu>;
