#include <algorithm>
#include <cstdio>
#include <numeric>

#include "helpers.hpp"
#include "unmask/io/cube.hpp"

using namespace unmask;
using namespace io_test;

namespace {

/// The folder of real scenes, or nothing and a line that says so.
const char* data_folder(const char* test) {
  const char* folder = std::getenv("UNMASK_DATA");
  if (!folder) std::printf("skipped: %s (UNMASK_DATA is not set)\n", test);
  return folder;
}

template <class Tensor>
double mean(const Tensor& x) {
  return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}

}  // namespace

TEST_CASE("io: real masks and snapshots") {
  const char* folder = data_folder("real masks and snapshots");
  if (!folder) return;
  const std::string cassi = std::string(folder) + "/cassi/";

  const auto mask = io::read_mask({cassi + "tsa_simu_mask256.mat", ""});
  REQUIRE_MESSAGE(mask, mask.error().message());
  CHECK(mask->extents() == std::array<index_t, 2>{256, 256});
  CHECK(*std::min_element(mask->begin(), mask->end()) >= 0.f);
  CHECK(*std::max_element(mask->begin(), mask->end()) <= 1.f);

  // Means and one value as scipy 1.x reads them; sums of float32 in double agree to 1e-9.
  const auto real = io::read_mask(io::parse_source(cassi + "tsa_real_mask.mat:mask"));
  REQUIRE(real);
  CHECK(real->extents() == std::array<index_t, 2>{660, 660});
  CHECK(std::abs(mean(*real) - 0.5010173526644079) <= 1e-9);
  CHECK(std::abs((*real)(1, 2) - 0.19804446f) <= 1e-8f);

  const auto snapshot = io::read_measurement({cassi + "tsa_real_scene1.mat", ""});
  REQUIRE(snapshot);
  CHECK(snapshot->extents() == std::array<index_t, 2>{660, 714});
  CHECK(std::abs(mean(*snapshot) - 0.03442929627566121) <= 1e-9);
  CHECK(std::abs((*snapshot)(1, 2) - 0.0102665955f) <= 1e-9f);

  const auto binary = io::read_mask({cassi + "pnp_mask256.mat", ""});
  REQUIRE(binary);
  CHECK(std::all_of(binary->begin(), binary->end(), [](float x) { return x == 0.f || x == 1.f; }));

  check_error(io::read_mask({cassi + "tsa_real_scene1.mat", "mask"}), errc::not_found,
              {"tsa_real_scene1.mat: variable 'mask' not found (has: meas_real [660 x 714])"});
}

TEST_CASE("io: a real cube") {
  const char* folder = data_folder("a real cube");
  if (!folder) return;
  const auto cloth = io::read_cube({std::string(folder) + "/cave256/cloth.h5", ""});
  REQUIRE_MESSAGE(cloth, cloth.error().message());
  CHECK(cloth->variable == "cube");
  CHECK(cloth->cube.extents() == std::array<index_t, 3>{256, 256, 31});
  REQUIRE(cloth->wavelengths.size() == 31);
  for (std::size_t i = 0; i < 31; ++i) CHECK(cloth->wavelengths[i] == 400.0 + 10.0 * static_cast<double>(i));
  CHECK(*std::min_element(cloth->cube.begin(), cloth->cube.end()) >= 0.f);
  CHECK(*std::max_element(cloth->cube.begin(), cloth->cube.end()) <= 1.f);
  CHECK(std::abs(mean(cloth->cube) - 0.13601903366860113) <= 1e-7);  // rounding of k / 65535 to float
}

TEST_CASE("io: a cube whose wavelengths are stored as NaN has none") {
  const char* folder = data_folder("a cube whose wavelengths are stored as NaN has none");
  if (!folder) return;
  const auto urban = io::read_cube({std::string(folder) + "/remote_hsi/abu-urban-1.h5", ""});
  REQUIRE_MESSAGE(urban, urban.error().message());
  CHECK(urban->cube.extents() == std::array<index_t, 3>{100, 100, 204});
  CHECK(urban->wavelengths.empty());
}
