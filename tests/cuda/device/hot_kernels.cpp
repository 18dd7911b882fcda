/// Every kernel of inference and training in float, and nothing else: what .ci/spills looks at.

#include <unmask/cuda.cuh>
#include <unmask/train/all.hpp>

template class unmask::session<unmask::s2_network<float, unmask::cuda>>;
template class unmask::train::trainer<unmask::s2_network<float, unmask::cuda>>;
