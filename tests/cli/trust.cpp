/// Wrong data is noticed, nothing is lost: each of these was once exit code 0 with wrong numbers, or a file gone.

#include <csignal>
#include <random>
#include <thread>

#include "program.hpp"

namespace {

using unmask::io::hdf5_writer;
using unmask::io::write_cube;
using unmask::io::write_plane;

/// Expects exit code 2 and one line with all pieces.
void refused_saying(const scratch_folder& folder, const std::string& arguments,
                    const std::vector<std::string>& pieces) {
  const auto r = run_program(folder, arguments);
  INFO(arguments);
  INFO(r.err);
  CHECK(r.code == 2);
  CHECK(r.lines() == 1);
  for (const std::string& piece : pieces) {
    CAPTURE(piece);
    CHECK(r.err.find(piece) != std::string::npos);
  }
}

/// 32 x 32 x 4 scene, mask and snapshot.
struct snapshot_sample : sample_files {
  std::string scene, mask_file, shot;
  explicit snapshot_sample(const scratch_folder& folder) : sample_files(folder) {
    scene = folder / "scene.h5";
    mask_file = folder / "mask.h5";
    shot = folder / "shot.h5";
    REQUIRE(run_program(folder, "simulate --cube " + scene + " --mask " + mask_file + " --out " + shot).code == 0);
  }
};

template <std::size_t Rank>
unmask::tensor<float, Rank> times(unmask::tensor<float, Rank> x, float factor) {
  for (float& v : x) v *= factor;
  return x;
}

}  // namespace

TEST_CASE("values beyond their range are refused by every command, with the option that settles it") {
  const scratch_folder folder;
  const snapshot_sample files(folder);
  const std::string counts = folder / "counts.h5", out = " --out " + folder / "out.h5";
  std::vector<double> nm{450, 500, 550, 600};
  REQUIRE(write_cube(counts, times(files.cube, 4095.f).view(), nm));
  for (const std::string& arguments : {"evaluate --truth " + counts + " --estimate " + counts,
                                       "evaluate --truth " + files.scene + " --estimate " + counts,
                                       "simulate --cube " + counts + " --mask " + files.mask_file + out,
                                       "view " + counts + " --out " + folder / "out.html"})
    refused_saying(folder, arguments, {"counts.h5", "'cube'", "0..1", "--full-scale"});
  const auto same = run_program(folder, "evaluate --truth " + counts + " --estimate " + counts + " --full-scale 4095");
  CHECK(same.code == 0);
  CHECK(run_program(folder,
                    "evaluate --truth " + files.scene + " --estimate " + counts + " --estimate-full-scale 4095 --json")
            .out.find("\"psnr\": 100") != std::string::npos);
  fs::create_directories(folder / "cubes");
  fs::copy_file(counts, folder / "cubes/a.h5");
  refused_saying(folder,
                 "train --data " + folder / "cubes" + " --mask " + files.mask_file + " --out " + folder / "run" +
                     " --set bands=native",
                 {"a.h5", "0..1"});

  for (const auto& [name, mask] : {std::pair{"m255.h5", times(files.mask, 255.f)},
                                   {"dark.h5", times(files.mask, 0.f)},
                                   {"flat.h5", unmask::tensor<float, 2>({32, 32}, 1.f)},
                                   {"minus.h5", times(files.mask, -1.f)}}) {
    REQUIRE(write_plane(folder / name, "mask", mask.view()));
    const std::string with = " --mask " + folder / name;
    for (const std::string& arguments :
         {"reconstruct --method gap-tv --measurement " + files.shot + with + out,
          "calibrate --measurement " + files.shot + with + out, "simulate --cube " + files.scene + with + out,
          "evaluate --truth " + files.scene + " --estimate " + files.scene + with})
      refused_saying(folder, arguments, {name, "mask"});
  }
  const auto bright = times(unmask::io::read_measurement({files.shot, ""}).value(), 1000.f);
  REQUIRE(
      write_plane(folder / "bright.h5", "measurement", bright.view(), {{"unit", std::string("sum of mask * cube")}}));
  refused_saying(
      folder, "reconstruct --method gap-tv --mask " + files.mask_file + " --measurement " + folder / "bright.h5" + out,
      {"bright.h5", "--exposure"});
  CHECK_FALSE(fs::exists(folder / "out.h5"));
}

TEST_CASE("untrusted files are read by a child process, with the same result") {
  const scratch_folder folder;
  const sample_files files(folder);
  const std::string arguments = " --cube " + folder / "scene.h5" + " --mask " + folder / "mask.h5" + " --out ";
  REQUIRE(run_program(folder, "simulate" + arguments + folder / "a.h5").code == 0);
  REQUIRE(run_program(folder, "simulate --untrusted" + arguments + folder / "b.h5").code == 0);
  CHECK(read_text(folder / "a.h5") == read_text(folder / "b.h5"));
  write_text(folder / "bad.h5", read_text(folder / "a.h5").substr(0, 3000));
  refused_saying(folder, "view --untrusted " + folder / "bad.h5" + " --out " + folder / "page.html", {"bad.h5"});
}

TEST_CASE("a snapshot that was cropped or lies on its side is no snapshot of another number of bands") {
  const scratch_folder folder;
  const snapshot_sample files(folder);
  const auto y = unmask::io::read_measurement({files.shot, ""}).value();
  unmask::tensor<float, 2> cropped({32, 32}), turned({38, 32});
  for (unmask::index_t h = 0; h < 32; ++h)
    for (unmask::index_t w = 0; w < 38; ++w) {
      if (w < 32) cropped(h, w) = y(h, w);
      turned(w, h) = y(h, w);
    }
  const std::string rebuild =
      "reconstruct --method gap-tv --mask " + files.mask_file + " --out " + folder / "out.h5" + " --measurement ";
  REQUIRE(write_plane(folder / "cropped.h5", "measurement", cropped.view()));
  refused_saying(folder, rebuild + folder / "cropped.h5", {"cropped.h5", "--band-count 1"});
  CHECK(run_program(folder, rebuild + folder / "cropped.h5 --band-count 1").code == 0);
  REQUIRE(write_plane(folder / "turned.h5", "measurement", turned.view()));
  refused_saying(folder, rebuild + folder / "turned.h5", {"turned.h5", "--dispersion down or up"});
  const std::vector<double> five{450, 500, 550, 600, 650};
  REQUIRE(hdf5_writer(folder / "five.h5").put("measurement", y.view()).put("wavelengths", five).save());
  refused_saying(folder, rebuild + folder / "five.h5", {"five.h5", "5 numbers", "4 bands"});
  for (const auto& [step, piece] :
       {std::pair{"-2", "--dispersion left"}, {"1.5", "calibrate"}, {"65", "64"}, {"two", "found two"}})
    CHECK(run_program(folder, "simulate --cube " + files.scene + " --mask " + files.mask_file + " --out " +
                                  folder / "out.h5" + " --step " + step)
              .err.find(piece) != std::string::npos);
}

TEST_CASE("no command writes over its input, over its other output or over what is not its own") {
  const scratch_folder folder;
  const snapshot_sample files(folder);
  const auto kept = [&](const std::string& file, const std::string& arguments, const std::string& piece) {
    const std::string before = read_text(file);
    refused_saying(folder, arguments, {piece});
    CHECK(read_text(file) == before);
  };
  const std::string rebuild = "reconstruct --method gap-tv --mask " + files.mask_file + " --measurement " + files.shot;
  kept(files.shot, rebuild + " --out " + files.shot, "same file as the input");
  kept(files.mask_file, rebuild + " --out " + files.mask_file, "same file as the input");
  fs::create_symlink(files.shot, folder / "link.h5");
  kept(files.shot, rebuild + " --out " + folder / "link.h5", "same file as the input");
  kept(files.scene, "simulate --cube " + files.scene + ":cube --mask " + files.mask_file + " --out " + files.scene,
       "same file");
  kept(files.scene, "view " + files.scene + " --force --out " + files.scene, "same file");
  kept(files.shot, "calibrate --measurement " + files.shot + " --mask " + files.mask_file + " --out " + files.shot,
       "same file");
  refused_saying(folder, rebuild + " --out " + folder / "x.h5" + " --report " + folder / "x.h5", {"--report", "--out"});
  write_text(folder / "thesis.h5", "three years of work");
  kept(folder / "thesis.h5", rebuild + " --out " + folder / "thesis.h5", "--force");
  CHECK(run_program(folder, rebuild + " --force --out " + folder / "thesis.h5").code == 0);
  CHECK(run_program(folder, rebuild + " --out " + folder / "thesis.h5").code == 0);  // ours now
  fs::create_directories(folder / "notes");
  write_text(folder / "notes/log.jsonl", "mine");
  fs::create_directories(folder / "project");
  write_text(folder / "project/config.json", "{\"name\": \"mine\"}");
  fs::create_directories(folder / "cubes");
  fs::copy_file(files.scene, folder / "cubes/scene.h5");
  kept(folder / "project/config.json",
       "train --data " + folder / "cubes" + " --mask " + files.mask_file + " --out " + folder / "project", "--force");
  kept(folder / "notes/log.jsonl",
       "train --data " + folder / "cubes" + " --mask " + files.mask_file + " --set bands=native --set crop=16 --out " +
           folder / "notes",
       "--force");
}

TEST_CASE("an output that cannot be written is said before the work") {
  const scratch_folder folder;
  const snapshot_sample files(folder);
  for (const std::string& command :
       {std::string("reconstruct --method gap-tv"), std::string("calibrate --trials 10000")}) {
    const auto r = run_program(folder, command + " --mask " + files.mask_file + " --measurement " +
                                           folder / "nowhere.h5" + " --out " + folder / "none/x.h5");
    CHECK(r.code == 1);
    CHECK(r.err.find("none/x.h5: cannot be written") != std::string::npos);
  }
}

TEST_CASE("JSON comes out whatever bytes went in, and a full stdout is a failure") {
  const scratch_folder folder;
  const sample_files files(folder);
  const std::string path = folder / "caf\xe9.h5";
  for (const std::string& text :
       {std::string("W/m\xb2/sr"), std::string(199, 'x') + "\xe6\xa0\xa1", std::string(300, '\xff')}) {
    REQUIRE(write_cube(path, files.cube.view(), {}, {{"unit", text}}));
    const auto r = run_program(folder, "--json info '" + path + "'");
    CHECK(r.code == 0);
    CHECK(nlohmann::json::parse(r.out, nullptr, false).is_object());
  }
  for (const std::string& arguments :
       {"info " + folder / "scene.h5", std::string("--help"), std::string("--version")}) {
    const int status =
        std::system(("'" UNMASK_PROGRAM "' " + arguments + " >/dev/full 2>'" + folder / "stderr'").c_str());
    CAPTURE(arguments);
    CHECK(WEXITSTATUS(status) == 1);
    CHECK(read_text(folder / "stderr").find("stdout: cannot be written") != std::string::npos);
  }
}

TEST_CASE("closed streams do not end up in the output") {
  const scratch_folder folder;
  const snapshot_sample files(folder);
  const std::string out = folder / "out.h5";
  const int status = std::system(("'" UNMASK_PROGRAM "' simulate --cube " + files.scene + " --mask " + files.mask_file +
                                  " --out " + out + " <&- >&- 2>&-")
                                     .c_str());
  CHECK(WEXITSTATUS(status) == 1);
  CHECK(read_text(out) == read_text(files.shot));
}

TEST_CASE("settings that contradict themselves are refused and nothing aborts") {
  const scratch_folder folder;
  const sample_files files(folder);
  fs::create_directories(folder / "cubes");
  fs::copy_file(folder / "scene.h5", folder / "cubes/scene.h5");
  const std::string train =
      "train --data " + folder / "cubes" + " --mask " + folder / "mask.h5" + " --out " + folder / "run";
  refused_saying(folder, train + " --set network=3 --set network.bands=4", {"--set", "network.bands=4"});
  refused_saying(folder, train + " --set batch=18446744073709551615", {"'batch'", "wrong type"});
  refused_saying(folder, train + " --set 'loss=\xff\xfe'", {"loss"});
  refused_saying(folder, train + " --set 'crop=\"\xff\"'", {"crop", "UTF-8"});
  write_text(folder / "twice.json", R"({"batch": 2, "crop": 16, "batch": 4})");
  refused_saying(folder, train + " --config " + folder / "twice.json", {"twice.json", "'batch' twice"});
  write_text(folder / "deep.json", R"({"batch":)" + std::string(90000, '[') + std::string(90000, ']') + "}");
  refused_saying(folder, train + " --config " + folder / "deep.json", {"deep.json", "not a JSON object"});
  REQUIRE(std::system(("mkfifo '" + folder / "pipe'").c_str()) == 0);
  refused_saying(folder, train + " --config " + folder / "pipe", {"pipe"});
  refused_saying(folder, "info " + folder / "pipe", {"pipe"});
}

TEST_CASE("SIGTERM and SIGINT leave no temporary file, whenever they come") {
  const scratch_folder folder;
  const sample_files files(folder, 64, 8);
  REQUIRE(run_program(folder, "simulate --cube " + folder / "scene.h5" + " --mask " + folder / "mask.h5" + " --out " +
                                  folder / "shot.h5")
              .code == 0);
  std::mt19937 random(5);
  for (int i = 0; i < 24; ++i) {
    const std::string arguments = i % 2 ? "simulate --cube " + folder / "scene.h5" + " --mask " + folder / "mask.h5" +
                                              " --out " + folder / "again.h5"
                                        : "view " + folder / "scene.h5" + " --out " + folder / "page.html";
    const pid_t child = start_program(folder, arguments);
    std::this_thread::sleep_for(std::chrono::milliseconds(5 + random() % 60));
    ::kill(child, i % 4 < 2 ? SIGTERM : SIGINT);
    int status = 0;
    ::waitpid(child, &status, 0);
    for (const auto& entry : fs::directory_iterator(folder.path))
      CHECK(entry.path().filename().string().find(".part") == std::string::npos);
  }
}
