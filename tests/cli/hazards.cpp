/// Wrong numbers with exit code 0, of kinds that nobody had listed; and numbers that stop being finite.

#include "training_files.hpp"

namespace {

using unmask::index_t;
using unmask::io::hdf5_writer;
using unmask::io::write_cube;
using unmask::io::write_plane;

void has_all(const std::string& text, const std::vector<std::string>& pieces) {
  for (const std::string& piece : pieces) {
    CAPTURE(piece);
    CHECK_MESSAGE(text.find(piece) != std::string::npos, text);
  }
}

struct snapshot_of_scene : sample_files {
  const scratch_folder& folder;
  std::string scene, mask_file, shot;
  unmask::tensor<float, 2> y;
  explicit snapshot_of_scene(const scratch_folder& f) : sample_files(f), folder(f) {
    scene = folder / "scene.h5", mask_file = folder / "mask.h5", shot = folder / "shot.h5";
    REQUIRE(run_program(folder, "simulate --cube " + scene + " --mask " + mask_file + " --out " + shot).code == 0);
    y = unmask::io::read_measurement({shot, ""}).value();
  }
  /// Writes values as a measurement, with a unit.
  std::string measurement(const unmask::tensor<float, 2>& values,
                          const std::string& unit = "sum of mask * cube") const {
    const std::string path = folder / "other.h5";
    REQUIRE(write_plane(path, "measurement", values.view(), {{"unit", unit}}));
    return path;
  }
  outcome rebuild(const std::string& measured, const std::string& more = "") const {
    return run_program(folder, "reconstruct --method gap-tv --mask " + mask_file + " --measurement " + measured +
                                   " --out " + folder / "out.h5" + " " + more);
  }
};

template <class Change>
unmask::tensor<float, 2> changed(unmask::tensor<float, 2> y, Change&& change) {
  for (float& v : y) v = change(v);
  return y;
}

}  // namespace

TEST_CASE("a measurement that no camera took is refused, one that is saturated is said") {
  const scratch_folder folder;
  const snapshot_of_scene s(folder);
  const auto refused = [&](const std::string& path, const std::vector<std::string>& pieces) {
    const auto r = s.rebuild(path);
    CHECK(r.code == 2);
    CHECK(r.lines() == 1);
    has_all(r.err, pieces);
  };
  refused(s.measurement(changed(s.y, [](float) { return .5f; })), {"other.h5", "all values are 0.5", "pattern"});
  refused(s.measurement(changed(s.y, [](float v) { return v - .6f; })), {"other.h5", "below 0", "--exposure"});
  CHECK(s.rebuild(s.measurement(changed(s.y, [](float v) { return v - .6f; })), "--exposure camera").code == 0);
  const float top = *std::max_element(s.y.begin(), s.y.end());
  const auto bright = s.rebuild(s.measurement(changed(s.y, [&](float v) { return std::min(v, .5f * top); })), "--json");
  CHECK(bright.code == 0);
  has_all(bright.err, {"unmask: warning: ", "saturated"});
  CHECK(json::parse(bright.out)["warnings"].size() >= 1);
  const auto fine = s.rebuild(s.shot, "--json");
  CHECK(fine.code == 0);
  CHECK(fine.err.find("warning") == std::string::npos);
  CHECK_FALSE(json::parse(fine.out).contains("warnings"));
}

TEST_CASE("a snapshot that says its dispersion step is not taken for one of another") {
  const scratch_folder folder;
  const snapshot_of_scene s(folder);
  REQUIRE(hdf5_writer(folder / "step.h5").put("measurement", s.y.view(), {{"step", 2.}}).save());
  const auto r = s.rebuild(folder / "step.h5", "--step 1");
  CHECK(r.code == 2);
  has_all(r.err, {"step.h5", "step of 2", "--step"});
  CHECK(s.rebuild(folder / "step.h5").code == 0);
}

TEST_CASE("a result that does not explain its measurement says so, on stderr and as JSON") {
  const scratch_folder folder;
  const snapshot_of_scene s(folder);
  unmask::tensor<float, 2> other(s.mask.extents());
  for (unmask::index_t i = 0; i < other.size(); ++i) other.data()[i] = 1 - s.mask.data()[i];
  REQUIRE(write_plane(folder / "wrong.h5", "mask", other.view()));
  const auto r = run_program(folder, "reconstruct --json --method gap-tv --mask " + folder / "wrong.h5" +
                                         " --measurement " + s.shot + " --out " + folder / "out.h5");
  CHECK(r.code == 0);
  has_all(r.err, {"unmask: warning: ", "out.h5", "mask that took the snapshot"});
  const json j = json::parse(r.out);
  REQUIRE(j.contains("warnings"));
  CHECK(j["warnings"][0].get<std::string>().find("out.h5") != std::string::npos);
}

TEST_CASE("NaN and infinity are named with stage and iteration, and nothing is written") {
  const scratch_folder folder;
  const snapshot_of_scene s(folder);
  const auto huge = s.measurement(changed(s.y, [](float v) { return v * 3e37f; }), "light");
  const auto r = s.rebuild(huge, "--exposure none");
  CHECK(r.code == 1);
  has_all(r.err, {"other.h5: GAP-TV, iteration ", " of 100: a value is NaN or infinite; nothing was written"});
  CHECK_FALSE(fs::exists(folder / "out.h5"));
  // A network is not indifferent to the scale of what it gets.
  const training_files t;
  REQUIRE(t.run("run").code == 0);
  const std::string shot = t.folder / "shot.h5";
  REQUIRE(run_program(t.folder,
                      "simulate --cube " + t.folder / "scene.h5" + " --mask " + t.folder / "mask.h5" + " --out " + shot)
              .code == 0);
  auto y = unmask::io::read_measurement({shot, ""}).value();
  const float top = *std::max_element(y.begin(), y.end());
  for (float& v : y) v *= 3e38f / top;
  REQUIRE(write_plane(t.folder / "huge.h5", "measurement", y.view()));
  const std::string rebuild = "reconstruct --exposure none --weights " + t.folder / "run/weights.safetensors" +
                              " --mask " + t.folder / "mask.h5" + " --measurement " + t.folder / "huge.h5" + " --out " +
                              t.folder / "out.h5";
  for (const auto& [more, stage] :
       {std::pair{"", "huge.h5: network: "}, {" --tile 8 --halo 4", "network, tile 1 of "}}) {
    const auto broken = run_program(t.folder, rebuild + more);
    CHECK(broken.code == 1);
    has_all(broken.err, {stage, "NaN or infinite"});
    CHECK_FALSE(fs::exists(t.folder / "out.h5"));
  }
}

TEST_CASE("a training that diverges names step and place, and leaves no weights") {
  const training_files t;
  const auto r = t.run("run", "--stages plain:60 --set learning_rate=1e30 --set warm_up=0 --set final_learning_rate=0");
  CHECK(r.code == 1);
  has_all(r.err, {"unmask: training step ", " is NaN or infinite"});
  CHECK_FALSE(fs::exists(t.folder / "run/weights.safetensors"));
}

TEST_CASE("scenes of a training with other bands are refused by name; the same scene twice is said") {
  training_files t;
  const auto with = [&](const std::vector<double>& nm, unmask::index_t bands) {
    unmask::tensor<float, 3> cube({32, 32, bands}, .5f);
    cube(1, 2, 0) = .25f;
    REQUIRE(write_cube(t.folder / "data/c.h5", cube.view(), nm));
    return t.run("run", "--force");
  };
  auto r = with({550, 600, 650, 700}, 4);
  CHECK(r.code == 2);
  has_all(r.err, {"scene 'c'", "550 nm", "450", "'a'"});
  r = with({450, 500, 550}, 3);
  CHECK(r.code == 2);
  has_all(r.err, {"scene 'c' has 3 bands", "expected 4"});
  fs::remove(t.folder / "data/c.h5");
  r = t.run("run", "--force");
  CHECK(r.code == 0);
  has_all(r.out, {"scene 'b' is the same as 'a'"});
}

TEST_CASE("scores of cubes that are on other scales, black or one file say so") {
  const scratch_folder folder;
  const sample_files files(folder);
  const std::string scene = folder / "scene.h5", dim = folder / "dim.h5";
  auto cube = files.cube;
  for (float& v : cube) v *= 1e-3f;
  REQUIRE(write_cube(dim, cube.view(), {}));
  const auto score = [&](const std::string& a, const std::string& b) {
    return run_program(folder, "evaluate --truth " + a + " --estimate " + b + " --json");
  };
  auto r = score(scene, dim);
  CHECK(r.code == 0);
  has_all(r.err, {"another scale"});
  CHECK(json::parse(r.out)["sam"].is_null());  // all black after rounding to 8 bits: no angle, and no perfect one
  for (const std::string& arguments :
       {"evaluate --truth " + dim + " --estimate " + scene,
        "simulate --cube " + dim + " --mask " + folder / "mask.h5" + " --out " + folder / "y.h5"}) {
    r = run_program(folder, arguments);  // two black cubes would be equal
    CHECK(r.code == 2);
    CHECK(r.lines() == 1);
    has_all(r.err, {"dim.h5", "black in 8 bits", "--full-scale"});
  }
  r = score(scene, scene);
  has_all(r.err, {"same variable of the same file"});
}

TEST_CASE("an estimate whose bands run the other way is compared band by band of the same wavelength") {
  const scratch_folder folder;
  const sample_files files(folder);
  const index_t C = files.cube.extent(2);
  std::vector<double> nm, turned;
  for (index_t c = 0; c < C; ++c) nm.push_back(450 + 10. * static_cast<double>(c));
  turned.assign(nm.rbegin(), nm.rend());
  auto other = files.cube;
  for (index_t i = 0; i < other.size(); i += C) std::reverse(other.data() + i, other.data() + i + C);
  REQUIRE(write_cube(folder / "up.h5", files.cube.view(), nm));
  REQUIRE(write_cube(folder / "down.h5", other.view(), turned));
  REQUIRE(write_cube(folder / "unknown.h5", other.view(), {}));
  const std::string truth = "evaluate --json --truth " + folder / "up.h5" + " --estimate ";
  const auto r = run_program(folder, truth + folder / "down.h5");
  CHECK(r.code == 0);
  has_all(r.err, {"turned round"});
  CHECK(json::parse(r.out)["psnr"] == 100);
  CHECK(json::parse(run_program(folder, truth + folder / "unknown.h5").out)["psnr"] < 40);
}

TEST_CASE("a truth whose bands are at other wavelengths than the result's says so") {
  const scratch_folder folder;
  const snapshot_of_scene s(folder);
  const std::vector<double> here = unmask::io::read_cube({s.scene, ""}).value().wavelengths;
  REQUIRE_FALSE(here.empty());
  auto there = here;
  for (double& nm : there) nm += 40;
  const auto truth_at = [&](const std::vector<double>& nm) {
    REQUIRE(write_cube(folder / "truth.h5", s.cube.view(), nm));
    return s.rebuild(s.shot, "--truth " + folder / "truth.h5" + " --force");
  };
  const auto other = truth_at(there);
  CHECK(other.code == 0);
  has_all(other.out, {"truth", "result", "differ by up to 40 nm"});
  const auto same = truth_at(here);
  CHECK(same.code == 0);
  CHECK(same.out.find("differ") == std::string::npos);
}

TEST_CASE("the part of a mask that is used needs a pattern too") {
  const scratch_folder folder;
  const sample_files files(folder);
  const index_t H = files.cube.extent(0), W = files.cube.extent(1);
  unmask::tensor<float, 2> large({H + 8, W + 8});
  for (index_t w = 0; w < W + 8; ++w) large(H + 4, w) = w % 2 == 0;
  REQUIRE(write_plane(folder / "large.h5", "mask", large.view()));
  const auto r = run_program(folder, "simulate --cube " + folder / "scene.h5" + " --mask " + folder / "large.h5" +
                                         " --out " + folder / "y.h5");
  CHECK(r.code == 2);
  has_all(r.err, {"large.h5", "top left part", "largest value is 1"});
}

TEST_CASE("a cube far brighter than any scene says so") {
  const scratch_folder folder;
  const snapshot_of_scene s(folder);
  auto dark = s.mask;
  for (float& v : dark) v *= .05f;
  REQUIRE(write_plane(folder / "dark.h5", "mask", dark.view()));
  const auto r = run_program(folder, "reconstruct --json --method gap-tv --mask " + folder / "dark.h5" +
                                         " --measurement " + s.shot + " --out " + folder / "out.h5");
  CHECK(r.code == 0);
  has_all(r.err, {"unmask: warning: ", "out.h5", "median of its values", "largest value 1"});
  CHECK(s.rebuild(s.shot).err.find("median of its values") == std::string::npos);
}

TEST_CASE("names of outputs: capital letters, one file twice, a variable where a file is meant") {
  const scratch_folder folder;
  const snapshot_of_scene s(folder);
  const std::string rebuild =
      "reconstruct --method gap-tv --mask " + s.mask_file + " --measurement " + s.shot + " --out ";
  CHECK(run_program(folder, rebuild + folder / "CUBE.NPY").code == 0);
  CHECK(read_text(folder / "CUBE.NPY").substr(1, 5) == "NUMPY");
  const auto refused = [&](const std::string& arguments, const std::vector<std::string>& pieces) {
    const auto r = run_program(folder, arguments);
    CHECK(r.code == 2);
    CHECK(r.lines() == 1);
    has_all(r.err, pieces);
  };
  CHECK(run_program(folder, rebuild + folder / "CUBE.MAT").code == 0);
  CHECK(read_text(folder / "CUBE.MAT").starts_with("MATLAB 5.0"));
  refused(rebuild + folder / "CUBE.PNG", {"CUBE.PNG", ".npy", ".mat"});
  refused(rebuild + folder / "x.h5" + " --report " + folder / "./x.h5", {"--report is the same file as --out"});
  CHECK_FALSE(fs::exists(folder / "x.h5"));
  refused(rebuild + folder / "x.h5:cube", {"x.h5:cube", "--out", "only inputs have"});
  refused("simulate --cube " + s.scene + " --mask " + s.mask_file + " --out " + folder / "x.h5:cube", {"x.h5:cube"});
}

TEST_CASE("of two cubes in one file the one that was read is named") {
  const scratch_folder folder;
  const sample_files files(folder);
  REQUIRE(hdf5_writer(folder / "two.h5").put("img", files.cube.view()).put("hyper", files.cube.view()).save());
  const auto r = run_program(folder, "evaluate --truth " + folder / "scene.h5" + " --estimate " + folder / "two.h5");
  CHECK(r.code == 0);
  has_all(r.out, {"read 'img'", "'hyper'"});
  CHECK(run_program(folder, "evaluate --truth " + folder / "scene.h5" + " --estimate " + folder / "two.h5:hyper")
            .out.find("read 'img'") == std::string::npos);
}

TEST_CASE("a pipe takes an output as it is written") {
  const scratch_folder folder;
  const sample_files files(folder);
  const int status = std::system(("'" UNMASK_PROGRAM "' --json view " + folder / "scene.h5" +
                                  " --out /dev/stdout 2>/dev/null | cat >'" + folder / "page'")
                                     .c_str());
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(read_text(folder / "page").find("<footer>Made by unmask") != std::string::npos);
}

TEST_CASE("reconstruct, calibrate, train and info read untrusted files in child processes, with the same result") {
  const training_files t;
  const scratch_folder& folder = t.folder;
  const std::string scene = folder / "scene.h5", mask = folder / "mask.h5", shot = folder / "shot.h5";
  REQUIRE(run_program(folder, "simulate --cube " + scene + " --mask " + mask + " --out " + shot).code == 0);
  REQUIRE(t.run("run").code == 0);
  REQUIRE(t.run("careful", "--untrusted").code == 0);
  same_training(t, "run", "careful");
  const std::string rebuild = "reconstruct --measurement " + shot + " --mask " + mask + " --truth " + scene + " --out ";
  for (const std::string& how : {std::string(" --method gap-tv"), " --weights " + folder / "run/weights.safetensors",
                                 " --tile 8 --halo 4 --weights " + folder / "run/weights.safetensors"}) {
    REQUIRE(run_program(folder, rebuild + folder / "a.h5" + how).code == 0);
    const auto r = run_program(folder, rebuild + folder / "b.h5" + how + " --untrusted");
    CHECK_MESSAGE(r.code == 0, r.err);
    CHECK(read_text(folder / "a.h5") == read_text(folder / "b.h5"));
  }
  const auto plain = run_program(folder, "info --json " + shot),
             careful = run_program(folder, "info --json --untrusted " + shot);
  CHECK(plain.out == careful.out);
  write_text(folder / "bad.h5", read_text(shot).substr(0, 3000));
  for (const std::string& arguments :
       {"info --untrusted " + folder / "bad.h5",
        "reconstruct --untrusted --method gap-tv --measurement " + folder / "bad.h5" + " --mask " + mask + " --out " +
            folder / "c.h5",
        "calibrate --untrusted --measurement " + folder / "bad.h5" + " --mask " + mask + " --out " + folder / "c.h5"}) {
    const auto r = run_program(folder, arguments);
    CHECK(r.code == 2);
    CHECK(r.lines() == 1);
    has_all(r.err, {"bad.h5"});
  }
}
