/// Cameras that no network fits: spectral TV with known spectra, where the wavelengths are known; else GAP-TV.

#include <unmask/io/cube_checks.hpp>
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
  std::string text = "nm: \n";
  write_text(c.folder / "words.txt", text);
  check_refused(c.reconstruct(" --wavelengths " + c.folder / "words.txt"), "the word 'nm:'");
  text.clear();
  std::vector<double> list;
  for (int b = 0; b < 12; ++b)
    list.push_back(460 + 180. / 11 * b), text += unmask::io::detail::exact_text(list.back()) + (b % 2 ? "\n" : ", ");
  write_text(c.folder / "nm.txt", text);
  REQUIRE(unmask::io::hdf5_writer(c.folder / "nm.h5").put("wavelengths", list).save());
  const auto bits = [&] { return read_text(c.folder / "cube.npy"); };
  const auto to_npy = [&](const std::string& file) {
    const auto done = run_program(c.folder, "reconstruct --force --step 1 --measurement " + c.shot + " --mask " +
                                                c.mask + " --out " + c.folder / "cube.npy --wavelengths " + file);
    CHECK_MESSAGE(done.code == 0, done.err);
    return bits();
  };
  const std::string by_text = to_npy(c.folder / "nm.txt");
  CHECK(to_npy(c.folder / "nm.h5") == by_text);
  CHECK(to_npy(c.folder / "nm.h5 --untrusted") == by_text);
  CHECK(to_npy("460:640") == by_text);
  write_text(c.folder / "nm.txt", "460 500 540");
  check_refused(c.reconstruct(" --wavelengths " + c.folder / "nm.txt"), "3 numbers for 12 bands");
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

namespace {

/// A scene 48 x 64 whose bands land any way, and what the way to the right has for it.
struct turned_camera {
  scratch_folder folder;
  std::string direction;

  explicit turned_camera(std::string d) : direction(std::move(d)) {
    for (const std::string& way : {std::string("right"), direction}) {
      const auto cube = seen(unmask::scenes::generate(48, 64, wavelengths(), 5), way);
      unmask::tensor<float, 3> mask({48, 64, 1});
      const auto grey = unmask::scenes::grey_mask(48, 64, 5);
      std::copy(grey.begin(), grey.end(), mask.begin());
      mask = seen(mask, way);
      REQUIRE(unmask::io::write_cube(folder / way + ".h5", cube.view(), wavelengths()));
      unmask::tensor<float, 2> plane({mask.extent(0), mask.extent(1)});
      std::copy(mask.begin(), mask.end(), plane.begin());
      REQUIRE(unmask::io::write_plane(folder / way + "_mask.h5", "mask", plane.view()));
      const auto r = run_program(folder, "simulate --dispersion " + way + " --cube " + folder / way + ".h5 --mask " +
                                             folder / way + "_mask.h5 --out " + folder / way + "_shot.h5");
      REQUIRE_MESSAGE(r.code == 0, r.err);
    }
  }
  static std::vector<double> wavelengths() { return unmask::optics::benchmark_wavelength_list(); }

  /// The scene that lets light to the right, as a camera of that way sees it: written down by hand, not by the library.
  static unmask::tensor<float, 3> seen(const unmask::tensor<float, 3>& x, const std::string& way) {
    const unmask::index_t H = x.extent(0), W = x.extent(1);
    if (way == "right") return x;
    auto y =
        way == "left" ? unmask::tensor<float, 3>({H, W, x.extent(2)}) : unmask::tensor<float, 3>({W, H, x.extent(2)});
    for (unmask::index_t h = 0; h < H; ++h)
      for (unmask::index_t w = 0; w < W; ++w)
        for (unmask::index_t c = 0; c < x.extent(2); ++c)
          (way == "left" ? y(h, W - 1 - w, c) : way == "down" ? y(w, h, c) : y(W - 1 - w, h, c)) = x(h, w, c);
    return y;
  }
  outcome reconstruct(const std::string& way, const std::string& more) const {
    return run_program(folder, "--json reconstruct --force --measurement " + folder / way + "_shot.h5 --mask " +
                                   folder / way + "_mask.h5 --out " + folder / way + "_cube.h5" + more);
  }
  unmask::tensor<float, 3> cube(const std::string& way) const {
    auto read = unmask::io::read_cube(unmask::io::parse_source(folder / way + "_cube.h5"));
    REQUIRE(read);
    return std::move(read->cube);
  }
};

}  // namespace

TEST_CASE("bands that land to the left, below or above: the mirrored camera's cube, to the bit") {
  for (const char* way : {"left", "down", "up"}) {
    CAPTURE(way);
    const turned_camera c(way);
    const std::string told = " --dispersion " + std::string(way);
    for (const char* method : {" --method gap-tv", ""}) {
      CAPTURE(method);
      auto r = c.reconstruct("right", *method ? method : " --method spectral-tv");
      REQUIRE_MESSAGE(r.code == 0, r.err);
      r = c.reconstruct(way, method + told);
      REQUIRE_MESSAGE(r.code == 0, r.err);
      // a network for the right is none for the left: what it starts from is taken, with a line that says so
      CHECK((r.err.find("comes with the program (unmask train makes one): spectral TV") != std::string::npos) ==
            (*method == 0));
      const auto expected = turned_camera::seen(c.cube("right"), way), found = c.cube(way);
      REQUIRE(found.extents() == expected.extents());
      CHECK(std::equal(found.begin(), found.end(), expected.begin()));
    }
    check_refused(c.reconstruct(way, ""), way == std::string("left") ? "says that it was taken with dispersion 'left'"
                                                                     : "(--dispersion down or up)");
    check_refused(c.reconstruct("right", told), way == std::string("left")
                                                    ? "says that it was taken with dispersion 'right'"
                                                    : "(--dispersion right or left)");
    check_refused(c.reconstruct(way, told + " --method s2"), "--weights");
  }
  const turned_camera c("left");
  const auto r = c.reconstruct("left", " --dispersion sideways");
  CHECK(r.code == 2);
  CHECK(r.err.find("--dispersion: sideways not in {right,left,down,up}") != std::string::npos);
}

TEST_CASE("a network trained for a direction is one for it alone") {
  const turned_camera c("up");
  fs::create_directories(c.folder / "scenes");
  fs::copy_file(c.folder / "up.h5", c.folder / "scenes/up.h5");
  auto network = tiny_network();
  network["bands"] = 28;
  write_text(c.folder / "config.json", json{{"network", network},
                                            {"stages", "ma:2"},
                                            {"crop", 16},
                                            {"batch", 1},
                                            {"warm_up", 0},
                                            {"dispersion", "up"},
                                            {"data", c.folder / "scenes"},
                                            {"mask", c.folder / "up_mask.h5"}}
                                           .dump());
  auto r = run_program(c.folder, "train --config " + c.folder / "config.json" + " --out " + c.folder / "run");
  REQUIRE_MESSAGE(r.code == 0, r.err);
  const std::string weights = " --weights " + c.folder / "run/weights.safetensors";
  r = c.reconstruct("up", " --dispersion up" + weights);
  REQUIRE_MESSAGE(r.code == 0, r.err);
  CHECK(json::parse(r.out)["method"] == "S2-Transformer");
  check_refused(c.reconstruct("right", weights), "dispersion direction");
  r = run_program(c.folder, "train --set dispersion=sideways --config " + c.folder / "config.json" + " --out " +
                                c.folder / "other");
  check_refused(r, "'sideways' is not one of right, left, down, up");
}

TEST_CASE("calibration of a camera whose bands land to the left is that of its mirror image") {
  const turned_camera c("left");
  const auto calibrate = [&](const std::string& way) {
    const auto r = run_program(c.folder, "calibrate --trials 3 --rows 16 --dispersion " + way + " --measurement " +
                                             c.folder / way + "_shot.h5 --mask " + c.folder / way + "_mask.h5 --out " +
                                             c.folder / way + "_camera.h5");
    REQUIRE_MESSAGE(r.code == 0, r.err);
    auto mask = unmask::io::read_mask(unmask::io::parse_source(c.folder / way + "_camera.h5"));
    REQUIRE(mask);
    unmask::tensor<float, 3> plane({mask->extent(0), mask->extent(1), 1});
    std::copy(mask->begin(), mask->end(), plane.begin());
    return plane;
  };
  const auto right = turned_camera::seen(calibrate("right"), "left"), left = calibrate("left");
  CHECK(std::equal(left.begin(), left.end(), right.begin()));
  const std::string shot = "reconstruct --force --measurement " + c.folder / "left_shot.h5 --mask " +
                           c.folder / "left_camera.h5 --out " + c.folder / "cube.h5 --method spectral-tv";
  check_refused(run_program(c.folder, shot), "'left'");
  const auto r = run_program(c.folder, shot + " --dispersion left");
  CHECK_MESSAGE(r.code == 0, r.err);
}
