/// The commands, end to end, on a scene small enough to train on in seconds.

#include <cmath>
#include <nlohmann/json.hpp>
#include <unmask/io/weights.hpp>

#include "instances.hpp"
#include "program.hpp"
#include "tile_network.hpp"

namespace {
const char* tiny_config =
    R"({"network": {"channels": 8, "depths": [1], "heads": [2], "spectral_head_width": 4, "hidden": 16, "window": 4, "pad_multiple": 4},
  "bands": "native", "stages": "me:3,ma:5", "batch": 1, "crop": 16, "checkpoint_every": 4, "validate_every": 4})";
}

TEST_CASE("simulate, reconstruct, evaluate, info and view work together") {
  const scratch_folder folder;
  const sample_files files(folder);
  auto r = run_program(folder, "simulate --cube " + folder / "scene.h5" + " --mask " + folder / "mask.h5" + " --out " +
                                   folder / "shot.h5");
  CHECK_MESSAGE(r.code == 0, r.err);
  const auto y = unmask::io::read_measurement({folder / "shot.h5", "measurement"});
  REQUIRE(y);
  CHECK(y->extents() == std::array<unmask::index_t, 2>{32, 32 + 2 * 3});

  r = run_program(folder, "--json reconstruct --measurement " + folder / "shot.h5" + " --mask " + folder / "mask.h5" +
                              " --method gap-tv --out " + folder / "cube.h5" + " --truth " + folder / "scene.h5" +
                              " --report " + folder / "report.html");
  CHECK_MESSAGE(r.code == 0, r.err);
  const auto summary = nlohmann::json::parse(r.out, nullptr, false);
  REQUIRE(summary.is_object());
  CHECK(summary["reprojection_error"].get<double>() <= .2);
  CHECK(fs::file_size(folder / "report.html") > 10000);

  r = run_program(folder, "evaluate --json --truth " + folder / "scene.h5" + " --estimate " + folder / "cube.h5" +
                              " --mask " + folder / "mask.h5");
  CHECK_MESSAGE(r.code == 0, r.err);
  const auto quality = nlohmann::json::parse(r.out, nullptr, false);
  REQUIRE(quality.is_object());
  for (const char* key : {"psnr", "ssim", "sam", "ergas"}) {
    CHECK(quality[key].is_number());
    CHECK(quality["hidden"][key].is_number());
    CHECK(quality["open"][key].is_number());
  }
  CHECK(quality["definition"] == "official-8bit");
  CHECK(quality["mask_trace"]["estimate"] == summary["mask_trace"]);

  CHECK(run_program(folder, "evaluate --truth " + folder / "scene.h5" + " --estimate " + folder / "scene.h5" +
                                " --definition global-mse")
            .code == 0);
  CHECK(run_program(folder, "evaluate --truth " + folder / "scene.h5" + " --estimate " + folder / "scene.h5" +
                                " --definition best")
            .code == 2);
  r = run_program(folder, "--json info " + folder / "shot.h5");
  CHECK(r.code == 0);
  CHECK(nlohmann::json::parse(r.out, nullptr, false)["variables"].size() == 4);
  CHECK(run_program(folder, "view " + folder / "cube.h5" + " --out " + folder / "view.html").code == 0);
  CHECK(fs::exists(folder / "view.html"));
  const std::string pair = "view " + folder / "scene.h5" + " --with ";
  CHECK(run_program(folder, pair + folder / "cube.h5" + " --out " + folder / "pair.html").code == 0);
  CHECK(fs::file_size(folder / "pair.html") > fs::file_size(folder / "view.html"));
  REQUIRE(unmask::io::write_cube(folder / "plain.h5", files.cube.view(), {}));
  r = run_program(folder, pair + folder / "plain.h5" + " --out " + folder / "none.html");
  CHECK(r.code == 2);
  CHECK_MESSAGE(r.lines() == 1, r.err);
  CHECK(r.err.find("wavelengths are unknown") != std::string::npos);
  r = run_program(folder, pair + folder / "cube.h5" + " --force --out " + folder / "cube.h5");  // never over an input
  CHECK(r.code == 2);
  CHECK_FALSE(fs::exists(folder / "none.html"));
}

TEST_CASE("train writes weights that reconstruct uses, and an interrupted run resumes to the same bits") {
  const scratch_folder folder;
  const sample_files files(folder);
  fs::create_directories(folder / "data");
  fs::copy(folder / "scene.h5", folder / "data/a.h5");
  fs::copy(folder / "scene.h5", folder / "data/b.h5");
  write_text(folder / "config.json", tiny_config);
  const std::string train = "train --data " + folder / "data" + " --mask " + folder / "mask.h5" + " --validation b";
  auto r = run_program(folder, train + " --config " + folder / "config.json" + " --out " + folder / "run");
  CHECK_MESSAGE(r.code == 0, r.err);
  for (const char* name : {"config.json", "log.jsonl", "last.ckpt", "weights.safetensors", "report.html"})
    CHECK(fs::exists(folder / (std::string("run/") + name)));
  CHECK(run_program(folder, train + " --config " + folder / "config.json" + " --out " + folder / "run").code ==
        2);  // not overwritten

  // the checkpoint of step 4 is the previous one; from it the same weights come out
  fs::create_directories(folder / "again");
  fs::copy(folder / "run/config.json", folder / "again/config.json");
  fs::copy(folder / "run/last.ckpt.previous", folder / "again/last.ckpt");
  r = run_program(folder, train + " --out " + folder / "again" + " --resume");
  CHECK_MESSAGE(r.code == 0, r.err);
  CHECK(read_text(folder / "run/weights.safetensors") == read_text(folder / "again/weights.safetensors"));

  REQUIRE(run_program(folder, "simulate --cube " + folder / "scene.h5" + " --mask " + folder / "mask.h5" + " --out " +
                                  folder / "shot.h5")
              .code == 0);
  const std::string weights = folder / "run/weights.safetensors";
  r = run_program(folder, "reconstruct --measurement " + folder / "shot.h5" + " --mask " + folder / "mask.h5" +
                              " --weights " + weights + " --out " + folder / "cube.h5");
  CHECK_MESSAGE(r.code == 0, r.err);
  const auto cube = unmask::io::read_cube({folder / "cube.h5", ""});
  REQUIRE(cube);
  CHECK(cube->cube.extents() == files.cube.extents());
  CHECK(run_program(folder, "info " + weights).code == 0);

  const std::string bytes = read_text(weights);
  write_text(folder / "short.safetensors", bytes.substr(0, bytes.size() / 2));
  std::string huge = bytes;
  huge.replace(0, 8, std::string("\0\0\0\0\0\0\0\x10", 8));  // 2^60
  write_text(folder / "huge.safetensors", huge);
  std::string flipped = bytes;
  flipped[bytes.size() / 2] = static_cast<char>(flipped[bytes.size() / 2] ^ 1);
  write_text(folder / "flipped.safetensors", flipped);
  for (const char* name : {"short", "huge", "flipped", "missing"}) {
    r = run_program(folder, "reconstruct --measurement " + folder / "shot.h5" + " --mask " + folder / "mask.h5" +
                                " --weights " + folder / (std::string(name) + ".safetensors") + " --out " +
                                folder / "none.h5");
    CHECK_MESSAGE(r.code == 2, name, ": ", r.err);
    CHECK_MESSAGE(r.lines() == 1, name, ": ", r.err);
    CHECK_FALSE(fs::exists(folder / "none.h5"));
  }
  // weights for 4 bands, a snapshot of 7
  const sample_files wider(folder, 32, 7);
  REQUIRE(run_program(folder, "simulate --cube " + folder / "scene.h5" + " --mask " + folder / "mask.h5" + " --out " +
                                  folder / "wide.h5")
              .code == 0);
  r = run_program(folder, "reconstruct --measurement " + folder / "wide.h5" + " --mask " + folder / "mask.h5" +
                              " --weights " + weights + " --out " + folder / "none.h5");
  CHECK(r.code == 2);
  CHECK(r.lines() == 1);
  CHECK_FALSE(fs::exists(folder / "none.h5"));
}

TEST_CASE("reconstruct by tiles: memory known before, the untiled cube where the halo reaches, refusals in one line") {
  const scratch_folder folder;
  const sample_files files(folder, 64);
  write_tile_network(folder / "w.safetensors");
  REQUIRE(run_program(folder, "simulate --cube " + folder / "scene.h5" + " --mask " + folder / "mask.h5" + " --out " +
                                  folder / "shot.h5")
              .code == 0);
  const std::string given = "--json reconstruct --measurement " + folder / "shot.h5" + " --mask " + folder / "mask.h5",
                    rebuild = given + " --weights " + folder / "w.safetensors" + " --exposure camera";
  auto r = run_program(folder, rebuild + " --out " + folder / "whole.h5");
  CHECK_MESSAGE(r.code == 0, r.err);
  CHECK(r.err.find("MB planned") != std::string::npos);
  const auto whole = nlohmann::json::parse(r.out, nullptr, false);
  r = run_program(folder, rebuild + " --tile 16 --halo 12 --out " + folder / "tiles.h5");
  CHECK_MESSAGE(r.code == 0, r.err);
  const auto tiled = nlohmann::json::parse(r.out, nullptr, false);
  REQUIRE(whole.is_object());
  REQUIRE(tiled.is_object());
  CHECK(tiled["tiles"]["rows"] == 4);
  CHECK(tiled["tiles"]["exact"] == true);
  CHECK(tiled["memory"]["planned_bytes"].get<double>() > 0);
  // sums of the same numbers in another order
  CHECK(std::abs(tiled["reprojection_error"].get<double>() - whole["reprojection_error"].get<double>()) <= 1e-6);
  const auto a = unmask::io::read_cube({folder / "whole.h5", ""}), b = unmask::io::read_cube({folder / "tiles.h5", ""});
  REQUIRE(a);
  REQUIRE(b);
  CHECK(a->cube.extents() == b->cube.extents());
  CHECK(std::equal(a->cube.begin(), a->cube.end(), b->cube.begin()));
  CHECK(a->wavelengths == b->wavelengths);

  const auto refused = [&](const std::string& arguments, const std::string& word) {
    r = run_program(folder, arguments + " --out " + folder / "none.h5");
    CHECK_MESSAGE(r.code == 2, r.err);
    CHECK_MESSAGE(r.lines() == 1, r.err);
    CHECK_MESSAGE(r.err.find(word) != std::string::npos, r.err);
    for (const auto& entry : fs::directory_iterator(folder.path))
      CHECK(entry.path().filename().string().find("none.h5") == std::string::npos);
  };
  refused(rebuild + " --memory-limit 1", "--memory-limit");
  refused(rebuild + " --tile 16 --report " + folder / "r.html", "--report");
  refused(given + " --tile 16", "GAP-TV");
  CHECK(run_program(folder, rebuild + " --tile 0 --out " + folder / "none.h5").code == 2);
  CHECK(run_program(folder, rebuild + " --tile 16 --out " + folder / "no/such/folder.h5").code == 1);
}

TEST_CASE("help has an example for each command and bad arguments are exit code 2") {
  const scratch_folder folder;
  for (const char* command : {"demo", "simulate", "train", "calibrate", "reconstruct", "evaluate", "info", "view"}) {
    const auto r = run_program(folder, std::string(command) + " --help");
    CHECK(r.code == 0);
    CHECK(r.out.find("Example:") != std::string::npos);
    CHECK(r.out.find("unmask " + std::string(command)) != std::string::npos);
  }
  CHECK(run_program(folder, "--version").code == 0);
  CHECK(run_program(folder, "").code == 2);
  CHECK(run_program(folder, "repaint").code == 2);
  CHECK(run_program(folder, "simulate --cube x.h5").code == 2);
}
