#include <unmask/unmask.hpp>

#include <Eigen/Core>
#include <cstdio>
#include <cstring>
#include <xsimd/xsimd.hpp>

#ifdef WITH_weights
#include <nlohmann/json.hpp>
#endif
#ifdef WITH_io
#include <hdf5.h>
#include <zlib.h>
#endif
#ifdef WITH_render
#include <png.h>
#endif

/// One call into every library a component promises, so that a missing include path or library shows.
int main() {
  unmask::tensor<float, 3> cube({2, 3, 28}, 1.f);
  float sum = 0.f;
  for (float x : cube) sum += x;
  if (sum != 168.f) return 1;
#ifdef WITH_openmp
  static_assert(UNMASK_HAS_OPENMP == 1);
#endif
#ifdef WITH_weights
  if (nlohmann::json::parse("[1]").size() != 1) return 1;
#endif
#ifdef WITH_io
  unsigned major = 0, minor = 0, release = 0;
  if (H5get_libversion(&major, &minor, &release) < 0) return 1;
  if (zlibVersion()[0] != ZLIB_VERSION[0]) return 1;
#endif
#ifdef WITH_render
  if (std::strcmp(png_get_libpng_ver(nullptr), PNG_LIBPNG_VER_STRING) != 0) return 1;
#endif
  std::printf("unmask %s\n", UNMASK_VERSION_STRING);
}
