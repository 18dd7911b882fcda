/// Formats of cubes, end to end: what is written by an ending is read again with its wavelengths, and outputs that
/// cannot be kept are refused before anything is computed.

#include "../io/picture_maker.hpp"
#include "program.hpp"

namespace {

struct shot {
  const scratch_folder folder;
  const sample_files files{folder};
  std::string reconstruct;

  shot() {
    REQUIRE(run_program(folder, "simulate --cube " + folder / "scene.h5" + " --mask " + folder / "mask.h5" + " --out " +
                                    folder / "shot.h5")
                .code == 0);
    reconstruct = "reconstruct --method gap-tv --measurement " + folder / "shot.h5" + " --mask " + folder / "mask.h5";
  }
};

}  // namespace

TEST_CASE("a reconstruction in every format is the same to the bit, with its wavelengths") {
  const shot s;
  REQUIRE(run_program(s.folder, s.reconstruct + " --out " + s.folder / "x.h5").code == 0);
  const auto expected = unmask::io::read_cube({s.folder / "x.h5", ""});
  REQUIRE(expected);
  REQUIRE(expected->wavelengths.size() == 4);
  for (const std::string ending : {"npy", "npz", "hdr", "dat", "mat", "v73.mat", "HDF5"}) {
    CAPTURE(ending);
    const std::string out = s.folder / ("of_" + ending.substr(0, 3) + "." + ending);
    const auto r = run_program(s.folder, s.reconstruct + " --out " + out);
    REQUIRE_MESSAGE(r.code == 0, r.err);
    CHECK((r.out.find("no place for wavelengths") != std::string::npos) == (ending == "npy"));
    const auto found = unmask::io::read_cube({out, ""});
    REQUIRE_MESSAGE(found, found.error().message());
    CHECK(found->cube.extents() == expected->cube.extents());
    CHECK(std::equal(expected->cube.begin(), expected->cube.end(), found->cube.begin()));
    CHECK(found->wavelengths == (ending == "npy" ? std::vector<double>() : expected->wavelengths));
    CHECK(run_program(s.folder, s.reconstruct + " --out " + out).code == 0);  // over our own
  }
}

TEST_CASE("outputs that cannot be kept are refused before anything is computed") {
  const shot s;
  const auto out = [&](const std::string& name) {
    return run_program(s.folder, s.reconstruct + " --out " + s.folder / name);
  };
  check_refused(out("x.png"), ".npz");
  check_refused(run_program(s.folder, s.reconstruct + " --tile 16 --out " + s.folder / "x.npz"), "tiles");
  check_refused(run_program(s.folder, "simulate --cube " + s.folder / "scene.h5" + " --mask " + s.folder / "mask.h5" +
                                          " --out " + s.folder / "x.mat"),
                "HDF5");
  for (const std::string name : {"x.npz", "x.mat", "x.hdr", "x.img"}) {
    write_text(s.folder / name, "somebody's");
    check_refused(out(name), "--force");
    CHECK(read_text(s.folder / name) == "somebody's");
    fs::remove(s.folder / name);
  }
  write_text(s.folder / "x.raw", "somebody's");
  check_refused(out("x.hdr"), "x.raw");
  CHECK(!fs::exists(s.folder / "x.hdr"));
  CHECK(!fs::exists(s.folder / "x.img"));
}

TEST_CASE("a folder of pictures is a cube for every command, and what it is divided by is said") {
  const scratch_folder folder;
  const sample_files files(folder);
  fs::create_directories(folder / "scene_ms");
  unmask::tensor<float, 3> rounded(files.cube.extents());
  for (int c = 0; c < 4; ++c) {
    std::vector<int> pixels;
    for (unmask::index_t i = 0; i < 32 * 32; ++i) {
      pixels.push_back(static_cast<int>(files.cube.data()[4 * i + c] * 65535.f + .5f));
      rounded.data()[4 * i + c] = static_cast<float>(pixels.back() / 65535.);
    }
    write_text(folder / ("scene_ms/scene_ms_0" + std::to_string(c + 1) + ".png"),
               io_test::png_picture({32, 32, 16}, pixels, 4096));
  }
  const std::string pictures = folder / "scene_ms";
  auto r = run_program(folder, "simulate --cube " + pictures + " --wavelengths 450:600 --mask " + folder / "mask.h5" +
                                   " --out " + folder / "shot.h5");
  REQUIRE_MESSAGE(r.code == 0, r.err);
  CHECK(r.out.find("scene_ms_01.png to scene_ms_04.png of uint16, divided by 65535") != std::string::npos);
  const auto back = unmask::io::read_cube({folder / "shot.h5", "cube"});
  REQUIRE(back);
  CHECK(std::equal(rounded.begin(), rounded.end(), back->cube.begin()));
  CHECK(back->wavelengths == std::vector<double>{450, 500, 550, 600});
  r = run_program(folder, "evaluate --truth " + pictures + " --estimate " + folder / "shot.h5:cube");
  CHECK_MESSAGE(r.code == 0, r.err);
  CHECK(r.out.find("100.000") != std::string::npos);
  CHECK(run_program(folder, "evaluate --untrusted --truth " + pictures + " --estimate " + pictures).code == 0);
  CHECK(run_program(folder, "view " + pictures + " --out " + folder / "view.html").code == 0);
  r = run_program(folder, "info --json " + pictures);
  CHECK(r.code == 0);
  CHECK(nlohmann::json::parse(r.out, nullptr, false)["variables"][0]["type"] == "uint16");
  r = run_program(folder, "reconstruct --method gap-tv --measurement " + folder / "shot.h5" + " --mask " +
                              folder / "mask.h5" + " --truth " + pictures + " --report " + folder / "r.html --out " +
                              folder / "x.h5");
  CHECK_MESSAGE(r.code == 0, r.err);
  CHECK(r.out.find("divided by 65535") != std::string::npos);
  fs::remove(folder / "scene_ms/scene_ms_02.png");
  check_refused(run_program(folder, "evaluate --truth " + pictures + " --estimate " + pictures), "scene_ms_03.png");
}
