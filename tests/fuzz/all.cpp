/// All fuzz targets in one program, since most of what each of them compiles are readers that others need too: in one
/// unit these are parsed and instrumented once. The variable FUZZ_TARGET says which one runs. `configuration` is a unit
/// of its own: what the program includes declares the network as compiled elsewhere.

#include <cstring>

#include "checkpoint.cpp"
#include "embedded.cpp"
#include "envi.cpp"
#include "geotiff.cpp"
#include "hdf5.cpp"
#include "matlab5.cpp"
#include "npy.cpp"
#include "npz.cpp"
#include "png.cpp"
#include "safetensors.cpp"
#include "weights.cpp"

namespace fuzz_configuration {
int run(const std::uint8_t* data, std::size_t size);
}

namespace {

struct target {
  const char* name;
  int (*run)(const std::uint8_t*, std::size_t);
};

#define UNMASK_TARGET(name) \
  { #name, fuzz_##name::run }
constexpr target targets[] = {UNMASK_TARGET(npy),           UNMASK_TARGET(npz),         UNMASK_TARGET(png),
                              UNMASK_TARGET(envi),          UNMASK_TARGET(geotiff),     UNMASK_TARGET(weights),
                              UNMASK_TARGET(embedded),      UNMASK_TARGET(safetensors), UNMASK_TARGET(matlab5),
                              UNMASK_TARGET(configuration), UNMASK_TARGET(checkpoint),  UNMASK_TARGET(hdf5)};
#undef UNMASK_TARGET

target chosen = {};

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* const name = std::getenv("FUZZ_TARGET");
  for (const target& t : targets)
    if (name && std::strcmp(t.name, name) == 0) chosen = t;
  if (!chosen.run) {
    std::fprintf(stderr, "FUZZ_TARGET names no target: %s\n", name ? name : "not set");
    std::exit(2);
  }
  return H5dont_atexit() < 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { return chosen.run(data, size); }
