#include "instances.hpp"

template class unmask::s2_network<float, unmask::cpu>;
