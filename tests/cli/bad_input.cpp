/// Bad input: one line that names the file, exit code 2, and no output.

#include <limits>

#include "program.hpp"

namespace {

/// Runs `arguments --out none.h5` and expects a refusal that mentions `word`.
void refused(const scratch_folder& folder, const std::string& arguments, const std::string& word) {
  const auto r = run_program(folder, arguments + " --out " + folder / "none.h5");
  INFO(arguments);
  INFO(r.err);
  CHECK(r.code == 2);
  CHECK(r.lines() == 1);
  CHECK(r.err.find(word) != std::string::npos);
  CHECK_FALSE(fs::exists(folder / "none.h5"));
  for (const auto& entry : fs::directory_iterator(folder.path))
    CHECK(entry.path().filename().string().find("none.h5") == std::string::npos);
}

}  // namespace

TEST_CASE("simulate and reconstruct refuse bad files by name") {
  const scratch_folder folder;
  const sample_files files(folder);
  const std::string scene = folder / "scene.h5", mask = folder / "mask.h5", shot = folder / "shot.h5";
  REQUIRE(run_program(folder, "simulate --cube " + scene + " --mask " + mask + " --out " + shot).code == 0);
  const std::string rebuild = "reconstruct --method gap-tv --mask " + mask + " --measurement ";

  refused(folder, "simulate --cube " + folder / "nowhere.h5" + " --mask " + mask, "nowhere.h5");
  refused(folder, rebuild + folder / "nowhere.mat", "nowhere.mat");
  refused(folder, rebuild + "'" + folder / "of two\nlines.h5" + "'", "of two?lines.h5");
  refused(folder, "simulate --cube " + scene + ":reflectance --mask " + mask, "reflectance");
  refused(folder, "simulate --cube " + mask + " --mask " + mask, "mask.h5");           // 2-D where 3-D is due
  refused(folder, "simulate --cube " + scene + " --mask " + scene + ":cube", "cube");  // 3-D where 2-D is due
  refused(folder, rebuild + scene + ":cube", "cube");

  const std::string bytes = read_text(shot);
  for (const double part : {.1, .5, .9}) {
    write_text(folder / "cut.h5", bytes.substr(0, static_cast<std::size_t>(static_cast<double>(bytes.size()) * part)));
    refused(folder, rebuild + folder / "cut.h5", "cut.h5");
  }
  write_text(folder / "text.mat", "this is no array");
  refused(folder, rebuild + folder / "text.mat", "text.mat");
  write_text(folder / "empty.h5", "");
  refused(folder, rebuild + folder / "empty.h5", "empty.h5");

  unmask::tensor<float, 2> small({16, 16}, .5f), odd({32, 33}, .5f);
  REQUIRE(unmask::io::write_plane(folder / "small.h5", "mask", small.view()));
  refused(folder, "simulate --cube " + scene + " --mask " + folder / "small.h5",
          "small.h5");  // mask smaller than the scene
  REQUIRE(unmask::io::write_plane(folder / "odd.h5", "measurement", odd.view()));
  refused(folder, rebuild + folder / "odd.h5", "33");  // no band count fits
  refused(folder, rebuild + shot + " --band-count 9", "expected");
  refused(folder, "reconstruct --method s2 --mask " + mask + " --measurement " + shot, "--weights");
}

TEST_CASE("values that are not numbers and empty images are refused") {
  const scratch_folder folder;
  const sample_files files(folder);
  const auto write = [&](const std::string& name, std::vector<hsize_t> dims, const std::vector<float>& values) {
    const hid_t file = H5Fcreate((folder / name).c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t space = H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr);
    const hid_t data = H5Dcreate2(file, "measurement", H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (!values.empty()) H5Dwrite(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
    H5Dclose(data);
    H5Sclose(space);
    H5Fclose(file);
  };
  const std::string rebuild = "reconstruct --method gap-tv --mask " + folder / "mask.h5" + " --measurement ";
  std::vector<float> y(32 * 38, .5f);
  y[100] = std::numeric_limits<float>::quiet_NaN();
  write("nan.h5", {32, 38}, y);
  refused(folder, rebuild + folder / "nan.h5", "nan.h5");
  y[100] = std::numeric_limits<float>::infinity();
  write("inf.h5", {32, 38}, y);
  refused(folder, rebuild + folder / "inf.h5", "inf.h5");
  write("flat.h5", {0, 38}, {});  // H = 0
  refused(folder, rebuild + folder / "flat.h5", "flat.h5");
  write("dark.h5", {32, 38}, std::vector<float>(32 * 38, 0.f));
  refused(folder, rebuild + folder / "dark.h5", "dark.h5");
}

TEST_CASE("an output that cannot be written leaves what was there and is exit code 1") {
  const scratch_folder folder;
  const sample_files files(folder);
  const std::string simulate = "simulate --cube " + folder / "scene.h5" + " --mask " + folder / "mask.h5" + " --out ";
  const auto r = run_program(folder, simulate + folder / "no/such/folder/shot.h5");
  CHECK(r.code == 1);
  CHECK(r.lines() == 1);
}

TEST_CASE("a device that is not there is one line and exit code 1") {
  const scratch_folder folder;
  const sample_files files(folder);
  const std::string mask = " --mask " + folder / "mask.h5", cuda = " --device cuda --out " + folder / "none";
  for (const std::string& command :
       {"reconstruct --measurement " + folder / "scene.h5", "train --data " + folder / "."}) {
    const auto r = run_program(folder, command + mask + cuda, 2, "CUDA_VISIBLE_DEVICES= ");
    INFO(r.err);
    CHECK(r.code == 1);
    CHECK(r.lines() == 1);
    CHECK(r.err.find("--device cuda") != std::string::npos);
    CHECK_FALSE(fs::exists(folder / "none"));
  }
}

TEST_CASE("training refuses bad configurations by key") {
  const scratch_folder folder;
  const sample_files files(folder);
  fs::create_directories(folder / "data");
  fs::copy(folder / "scene.h5", folder / "data/a.h5");
  const std::string train =
      "train --data " + folder / "data" + " --mask " + folder / "mask.h5" + " --out " + folder / "run";
  const auto with = [&](const std::string& json) {
    write_text(folder / "config.json", json);
    return run_program(folder, train + " --config " + folder / "config.json");
  };
  for (const auto& bad :
       std::vector<std::pair<std::string, std::string>>{{R"({"stepz": 3})", "stepz"},
                                                        {R"({"batch": "two"})", "batch"},
                                                        {R"({"network": {"window": 0}})", "window"},
                                                        {R"({"network": {"depth": 3}})", "depth"},
                                                        {R"([1, 2])", "config.json"},
                                                        {R"({"stages": "now:5", "bands": "native"})", "now"},
                                                        {R"({"crop": 4096, "bands": "native"})", "crop"},
                                                        {R"({"validation": ["b"], "bands": "native"})", "'b'"}}) {
    const std::string &json = bad.first, &word = bad.second;
    const auto r = with(json);
    INFO(json);
    INFO(r.err);
    CHECK(r.code == 2);
    CHECK(r.lines() == 1);
    CHECK(r.err.find(word) != std::string::npos);
    CHECK_FALSE(fs::exists(folder / "run"));
  }
  CHECK(run_program(folder,
                    "train --data " + folder / "nothing" + " --mask " + folder / "mask.h5" + " --out " + folder / "run")
            .code == 2);
}
