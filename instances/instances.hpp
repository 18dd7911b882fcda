#pragma once

/// What our own programs and tests have compiled once for all of their files, optimised as the program is. A file that
/// includes this gets the code of unmask_instances when it links; without it each file would compile all of it again,
/// and the linker would take the first one it meets, however that was optimised.

#include <unmask/nn/cpu/all.hpp>
#include <unmask/reconstruct/reconstructor.hpp>
#include <unmask/train/trainer.hpp>

namespace unmask_instances {
using network = unmask::s2_network<float, unmask::cpu>;
using cube = unmask::array_view<float, 3>;
using image = unmask::array_view<const float, 2>;
}  // namespace unmask_instances

#define UNMASK_SOLVER_INSTANCES(extern_or_not)                                                                       \
  extern_or_not template float unmask::optics::gap_tv::run(const unmask::cpu&, unmask_instances::cube,               \
                                                           unmask_instances::image, unmask::optics::iteration_call); \
  extern_or_not template float unmask::optics::adaptive_spectral_tv::run(                                            \
      const unmask::cpu&, unmask_instances::cube, unmask_instances::image, unmask::optics::iteration_call);          \
  extern_or_not template float unmask::optics::spectral_tv::run(                                                     \
      const unmask::cpu&, unmask_instances::cube, unmask_instances::image, unmask::optics::iteration_call);          \
  extern_or_not template bool unmask::optics::spectral_tv::correct(const unmask::cpu&, unmask_instances::cube,       \
                                                                   unmask_instances::image);                         \
  extern_or_not template bool unmask::optics::spectral_tv::refine(                                                   \
      const unmask::cpu&, unmask::optics::similar_patches&, unmask_instances::cube, unmask_instances::image)

UNMASK_SOLVER_INSTANCES(extern);
extern template class unmask::s2_network<float, unmask::cpu>;
extern template class unmask::session<unmask_instances::network>;
extern template class unmask::reconstructor<unmask::cpu>;
extern template class unmask::train::trainer<unmask_instances::network>;
