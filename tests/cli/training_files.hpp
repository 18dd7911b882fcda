#pragma once

/// A small training as files, for tests of what lies in its folder.

#include "program.hpp"

using nlohmann::json;

/// A training of 2,000 parameters on two scenes of 32 x 32 x 4: a step takes about a millisecond.
struct training_files {
  scratch_folder folder;
  sample_files files{folder};
  std::string train;

  explicit training_files(json changes = json::object()) {
    fs::create_directories(folder / "data");
    fs::copy(folder / "scene.h5", folder / "data/a.h5");
    fs::copy(folder / "scene.h5", folder / "data/b.h5");
    json config = {{"network", tiny_network()},
                   {"bands", "native"},
                   {"stages", "me:6,ma:14"},
                   {"batch", 2},
                   {"crop", 16},
                   {"mosaics", .5},
                   {"halved", true},
                   {"random_masks", .5},
                   {"grey_masks", .5},
                   {"noise", "camera"},
                   {"read_sigma", .01},
                   {"average", .9},
                   {"drop_path", .1},
                   {"checkpoint_every", 5},
                   {"validate_every", 5},
                   {"validation", {"b"}}};
    config.update(changes);
    write_text(folder / "config.json", config.dump());
    train = "train --data " + folder / "data" + " --mask " + folder / "mask.h5" + " --config " + folder / "config.json";
  }
  outcome run(const std::string& name, const std::string& more = "", int threads = 2) const {
    return run_program(folder, train + " --out " + folder / name + " " + more, threads);
  }
  outcome resume(const std::string& name, int threads = 2, const std::string& before = "") const {
    return run_program(folder, "train --resume --out " + folder / name, threads, before);
  }
  std::string text(const std::string& name) const { return read_text(folder / name); }
};

/// The log without the time that passed.
inline std::vector<json> log_of(const training_files& t, const std::string& run) {
  std::vector<json> lines;
  std::istringstream text(t.text(run + "/log.jsonl"));
  for (std::string line; std::getline(text, line);) {
    lines.push_back(json::parse(line, nullptr, false));
    REQUIRE(lines.back().is_object());
    lines.back().erase("seconds");
  }
  return lines;
}

inline void same_training(const training_files& t, const std::string& a, const std::string& b) {
  for (const char* name : {"/weights.safetensors", "/best.safetensors", "/last.ckpt", "/loss.svg", "/psnr.svg"})
    CHECK_MESSAGE(t.text(a + name) == t.text(b + name), name);
  CHECK(log_of(t, a) == log_of(t, b));
}
