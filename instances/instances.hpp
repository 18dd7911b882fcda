#pragma once

/// What our own programs and tests have compiled once for all of their files, optimised as the program is. A file that
/// includes this gets the code of unmask_instances when it links; without it each file would compile all of it again.

#include <unmask/nn/cpu/all.hpp>
#include <unmask/reconstruct/reconstructor.hpp>
#include <unmask/train/trainer.hpp>

namespace unmask_instances {
using network = unmask::s2_network<float, unmask::cpu>;
}

extern template class unmask::s2_network<float, unmask::cpu>;
extern template class unmask::session<unmask_instances::network>;
extern template class unmask::reconstructor<unmask::cpu>;
extern template class unmask::train::trainer<unmask_instances::network>;
