#include "instances.hpp"

template class unmask::session<unmask_instances::network>;
