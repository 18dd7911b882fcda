/// Cameras that no network fits: spectral TV with known spectra, where the wavelengths are known; else GAP-TV.

#include <unmask/io/wavelengths.hpp>

#include "program.hpp"

namespace {

using nlohmann::json;

/// 12 bands through a camera of step 1.
struct other_camera {
  scratch_folder folder;
  std::string shot = folder / "shot.h5", mask = folder / "mask.h5";

  explicit other_camera(double first, double last, bool says_wavelengths = true) {
    std::vector<double> nm;
    for (int c = 0; c < 12; ++c) nm.push_back(first + (last - first) / 11 * c);
    const auto cube = unmask::scenes::generate(64, 64, nm, 3);
    REQUIRE(unmask::io::write_cube(folder / "scene.h5", cube.view(), says_wavelengths ? nm : std::vector<double>()));
    REQUIRE(unmask::io::write_plane(mask, "mask", unmask::scenes::grey_mask(64, 64, 3).view()));
    const auto r =
        run_program(folder, "simulate --step 1 --cube " + folder / "scene.h5" + " --mask " + mask + " --out " + shot);
    REQUIRE_MESSAGE(r.code == 0, r.err);
  }
  outcome reconstruct(const std::string& more = "") const {
    return run_program(folder, "--json reconstruct --force --step 1 --measurement " + shot + " --mask " + mask +
                                   " --out " + folder / "cube.h5" + more);
  }
  double psnr() const {
    const auto r = run_program(folder, "--json evaluate --truth " + shot + ":cube --estimate " + folder / "cube.h5");
    REQUIRE_MESSAGE(r.code == 0, r.err);
    return json::parse(r.out)["psnr"].get<double>();
  }
};

/// A line that is refused with exit code 2.
void check_refused(const outcome& r, const std::string& text) {
  CHECK(r.code == 2);
  CHECK(r.lines() == 1);
  CHECK_MESSAGE(r.err.find(text) != std::string::npos, r.err);
}

}  // namespace

TEST_CASE("another step and other wavelengths: spectral TV, better than GAP-TV, with the data's wavelengths") {
  const other_camera c(460, 640);
  auto r = c.reconstruct(" --method gap-tv");
  REQUIRE_MESSAGE(r.code == 0, r.err);
  const double gap_tv = c.psnr();
  r = c.reconstruct();
  REQUIRE_MESSAGE(r.code == 0, r.err);
  CHECK(json::parse(r.out)["method"] == "spectral TV");
  CHECK(r.err.find("no network for 12 bands and step 1 at 460 to 640 nm") != std::string::npos);
  CHECK(c.psnr() > gap_tv + 1);
  const auto nm = unmask::io::read_wavelengths(c.folder / "cube.h5", "cube", 12);
  REQUIRE(nm);
  REQUIRE(nm->nm.size() == 12);
  CHECK(nm->nm.front() == doctest::Approx(460));
  CHECK(nm->nm.back() == doctest::Approx(640));
  check_refused(c.reconstruct(" --method s2"), "--weights");
  check_refused(c.reconstruct(" --wavelengths 500:600"), "--wavelengths 500:600");
}

TEST_CASE("unknown wavelengths: GAP-TV and the option that settles it") {
  const other_camera c(460, 640, false);
  auto r = c.reconstruct();
  REQUIRE_MESSAGE(r.code == 0, r.err);
  CHECK(json::parse(r.out)["method"] == "GAP-TV");
  CHECK(r.err.find("--wavelengths FIRST:LAST") != std::string::npos);
  r = c.reconstruct(" --wavelengths 460:640");
  REQUIRE_MESSAGE(r.code == 0, r.err);
  CHECK(json::parse(r.out)["method"] == "spectral TV");
  for (const char* wrong : {"640:460", "blue:red", "460:640:10", "0.46:0.64", "-1:5", "460"})
    check_refused(c.reconstruct(" --wavelengths " + std::string(wrong)), "FIRST:LAST");
}

TEST_CASE("wavelengths beyond the known spectra: GAP-TV, and why") {
  const other_camera c(700, 900);
  const auto r = c.reconstruct();
  REQUIRE_MESSAGE(r.code == 0, r.err);
  CHECK(json::parse(r.out)["method"] == "GAP-TV");
  CHECK(r.err.find("outside") != std::string::npos);
}
