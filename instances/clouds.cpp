#include "clouds.hpp"

template class unmask::clouds::declouder<unmask::cpu>;
