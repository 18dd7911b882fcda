#include "instances.hpp"

template class unmask::reconstructor<unmask::cpu>;
