#include <unmask/optics/camera.hpp>
#include <unmask/optics/learn_spectra.hpp>
#include <unmask/optics/spectral_tv.hpp>
#include <unmask/unmask.hpp>

static_assert(!UNMASK_HAS_SIMD);
static_assert(unmask::simd::pack<float>::lanes == 1);

float scalar_spectral_tv(unmask::optics::spectral_tv& solver, unmask::array_view<float, 3> x,
                         unmask::array_view<const float, 2> y);

/// What is only made where it is called.
float scalar_spectral_tv(unmask::optics::spectral_tv& solver, unmask::array_view<float, 3> x,
                         unmask::array_view<const float, 2> y) {
  return solver.run(unmask::cpu{}, x, y);
}
