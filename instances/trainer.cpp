#include "instances.hpp"

template class unmask::train::trainer<unmask_instances::network>;
