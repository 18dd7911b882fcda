/// What a network starts from, and the network that comes with the program.

#include <cmath>
#include <unmask/io/weights.hpp>

#include "instances.hpp"
#include "program.hpp"

namespace {

using nlohmann::json;

/// A training from GAP-TV on scenes of 32 x 32, and a snapshot of one of them.
struct starting_files {
  scratch_folder folder;
  sample_files files;
  std::string shot;

  explicit starting_files(unmask::index_t bands) : files(folder, 32, bands) {
    fs::create_directories(folder / "data");
    fs::copy(folder / "scene.h5", folder / "data/a.h5");
    fs::copy(folder / "scene.h5", folder / "data/b.h5");
    const json config = {{"network", tiny_network()},
                         {"bands", "native"},
                         {"stages", "me:4,ma:8"},
                         {"batch", 2},
                         {"crop", 16},
                         {"initial", "gap-tv"},
                         {"last_zero", true},
                         {"fields", 2},
                         {"steps_per_field", 3},
                         {"average", 0},
                         {"random_masks", .5},
                         {"noise", "camera"},
                         {"noisy", .5},
                         {"validate_every", 6},
                         {"validation", {"b"}}};
    write_text(folder / "config.json", config.dump());
    shot = " --measurement " + folder / "shot.h5" + " --mask " + folder / "mask.h5";
    REQUIRE(run_program(folder, "simulate --cube " + folder / "scene.h5" + " --mask " + folder / "mask.h5" + " --out " +
                                    folder / "shot.h5")
                .code == 0);
  }
  outcome train(const std::string& name, const std::string& more = "", int threads = 2) const {
    return run_program(folder,
                       "train --data " + folder / "data" + " --mask " + folder / "mask.h5" + " --config " +
                           folder / "config.json" + " --out " + folder / name + " " + more,
                       threads);
  }
};

double largest_difference(const std::string& a, const std::string& b) {
  const auto x = unmask::io::read_cube({a, "cube"}), y = unmask::io::read_cube({b, "cube"});
  REQUIRE(x);
  REQUIRE(y);
  double worst = 0;
  for (unmask::index_t i = 0; i < x->cube.size(); ++i) {
    const double d = std::abs(static_cast<double>(x->cube.data()[i]) - static_cast<double>(y->cube.data()[i]));
    if (!(d <= worst)) worst = d;
  }
  return worst;
}

}  // namespace

TEST_CASE("a network that starts from GAP-TV: the same bits on any threads, and the weights know") {
  const starting_files t(4);
  for (const auto& [name, threads] : {std::pair{"one", 1}, std::pair{"two", 2}}) {
    const auto r = t.train(name, "", threads);
    CHECK_MESSAGE(r.code == 0, r.err);
  }
  CHECK(read_text(t.folder / "one/weights.safetensors") == read_text(t.folder / "two/weights.safetensors"));
  const auto weights = unmask::io::read_weights(t.folder / "one/weights.safetensors");
  REQUIRE(weights);
  CHECK(weights->initial.kind == unmask::initial_kind::gap_tv);
  CHECK(weights->initial.spectral_basis.size() == 0);
  const auto r = run_program(t.folder, "reconstruct" + t.shot + " --weights " + t.folder / "one/weights.safetensors" +
                                           " --tile 16 --out " + t.folder / "tiles.h5");
  CHECK(r.code == 2);
  CHECK(r.lines() == 1);
  CHECK(r.err.find("gap-tv") != std::string::npos);
  CHECK_FALSE(fs::exists(t.folder / "tiles.h5"));
}

TEST_CASE("with last_zero an untrained network returns what it starts from") {
  const starting_files t(4);
  for (const std::string initial : {"gap-tv", "spectral-tv"}) {
    // Adam's first step is as large as the rate, whatever the gradient.
    auto r =
        t.train(initial, "--set learning_rate=1e-12 --set validation=[] --stages plain:1 --set initial=" + initial);
    CHECK_MESSAGE(r.code == 0, r.err);
    const std::string with = "reconstruct" + t.shot + " --weights " + t.folder / (initial + "/weights.safetensors");
    r = run_program(t.folder, with + " --refinements 0 --out " + t.folder / "network.h5");
    CHECK_MESSAGE(r.code == 0, r.err);
    r = run_program(t.folder, with + " --refinements 2 --out " + t.folder / "refined.h5");
    CHECK_MESSAGE(r.code == 0, r.err);
    r = run_program(t.folder, with + " --method " + initial + " --out " + t.folder / "start.h5");
    CHECK_MESSAGE(r.code == 0, r.err);
    CHECK(largest_difference(t.folder / "network.h5", t.folder / "start.h5") <= 1e-6);
    // only spectral TV refines
    CHECK((largest_difference(t.folder / "network.h5", t.folder / "refined.h5") > 0) == (initial == "spectral-tv"));
    r = run_program(t.folder, with + " --effort fast --out " + t.folder / "fast.h5");
    CHECK_MESSAGE(r.code == 0, r.err);
    CHECK((r.out.find("changes nothing here") == std::string::npos) == (initial == "spectral-tv"));
    CHECK((largest_difference(t.folder / "fast.h5", t.folder / "start.h5") > 1e-4) == (initial == "spectral-tv"));
    r = run_program(t.folder, with + " --effort slow --out " + t.folder / "slow.h5");
    CHECK(r.code == 2);
    CHECK(r.err.find("--effort") != std::string::npos);
    CHECK_FALSE(fs::exists(t.folder / "slow.h5"));
  }
}

TEST_CASE("spectral TV's spectra are learnt once and stay with run and weights") {
  const starting_files t(4);
  const std::string spectral = "--set initial=spectral-tv --set spectral_rank=3 ";
  auto r = t.train("run", spectral);
  CHECK_MESSAGE(r.code == 0, r.err);
  const auto basis = [&](const std::string& name) {
    const auto m = unmask::io::read_weights(t.folder / (name + "/weights.safetensors")).value();
    CHECK(m.initial.spectral_basis.extents() == std::array<unmask::index_t, 2>{3, 4});
    return std::vector<float>(m.initial.spectral_basis.begin(), m.initial.spectral_basis.end());
  };
  std::vector<float> kept;
  const auto stored = json::parse(read_text(t.folder / "run/config.json"));
  for (const auto& row : stored["spectral_basis"])
    for (const auto& value : row) kept.push_back(value.get<float>());
  CHECK(kept == basis("run"));
  // other scenes do not change what the weights were trained on
  fs::remove(t.folder / "data/a.h5");
  const sample_files other(t.folder, 32, 4, 9);
  fs::copy(t.folder / "scene.h5", t.folder / "data/a.h5");
  const std::string config = t.folder / "config.json";
  auto keys = json::parse(read_text(config));
  for (const char* key : {"network", "initial"}) keys.erase(key);
  write_text(config, keys.dump());
  r = t.train("fine", "--stages plain:1 --from " + t.folder / "run/weights.safetensors");
  CHECK_MESSAGE(r.code == 0, r.err);
  CHECK(basis("fine") == basis("run"));
}

TEST_CASE("wrong words about the start are refused in one line") {
  const starting_files t(4);
  for (const auto& [setting, what] :
       {std::pair{"initial=gap", "'gap'"}, std::pair{"fields=0", "fields 0"}, std::pair{"initial=7", "'initial'"},
        std::pair{"scales=[1]", "scales: has 1 numbers, expected two"}, std::pair{"scales=[2,1]", "scales are 2"},
        std::pair{"exposures=2", "'exposures'"}, std::pair{"illuminants=9", "illuminants is 9"},
        std::pair{"cells=0", "cells is 0"}, std::pair{"'two\nlines=1'", "unknown key 'two?lines'"}}) {
    const auto r = t.train("bad", std::string("--set ") + setting);
    CHECK(r.code == 2);
    CHECK(r.lines() == 1);
    CHECK_MESSAGE(r.err.find(what) != std::string::npos, r.err);
    CHECK_FALSE(fs::exists(t.folder / "bad"));
  }
  const auto run = t.train("run", "--stages plain:1");
  CHECK_MESSAGE(run.code == 0, run.err);
  auto weights = unmask::io::read_weights(t.folder / "run/weights.safetensors").value();
  const auto refused = [&](const std::string& more, const char* what) {
    REQUIRE(unmask::io::write_weights(t.folder / "odd.safetensors", weights));
    const auto r = run_program(t.folder, "reconstruct" + t.shot + more + " --weights " + t.folder / "odd.safetensors" +
                                             " --out " + t.folder / "x.h5");
    CHECK(r.code == 2);
    CHECK(r.lines() == 1);
    CHECK_MESSAGE(r.err.find(what) != std::string::npos, r.err);
    CHECK_FALSE(fs::exists(t.folder / "x.h5"));
  };
  refused(" --method spectral-tv", "no weights that know these spectra");
  weights.dispersion_step = 1;
  refused("", "trained for dispersion step 1, found 2");
  weights.dispersion_step = 2;
  weights.direction = unmask::dispersion_direction::left;
  refused("", "direction left, found right");
}

TEST_CASE("reconstruct takes the network that comes with the program") {
  const starting_files t(28);
  auto r = t.train("run", "--stages plain:1");
  CHECK_MESSAGE(r.code == 0, r.err);
  fs::create_directories(t.folder / "models");
  fs::copy(t.folder / "run/weights.safetensors", t.folder / "models/general.safetensors");
  const std::string models = "UNMASK_MODELS='" + t.folder / "models" + "' ";
  r = run_program(t.folder, "reconstruct" + t.shot + " --out " + t.folder / "default.h5", 2, models);
  CHECK_MESSAGE(r.code == 0, r.err);
  CHECK(r.out.find("models/general.safetensors") != std::string::npos);
  CHECK(run_program(t.folder, "reconstruct" + t.shot + " --weights " + t.folder / "run/weights.safetensors" +
                                  " --out " + t.folder / "given.h5")
            .code == 0);
  CHECK(largest_difference(t.folder / "default.h5", t.folder / "given.h5") <= 0);
  r = run_program(t.folder, "reconstruct" + t.shot + " --method gap-tv --out " + t.folder / "gap.h5", 2, models);
  CHECK(r.code == 0);
  CHECK(r.out.find("general") == std::string::npos);
}

TEST_CASE("where no network comes with the program GAP-TV is taken, and it says so") {
  const starting_files four(4);
  auto r = run_program(four.folder, "reconstruct" + four.shot + " --out " + four.folder / "cube.h5");
  CHECK_MESSAGE(r.code == 0, r.err);
  CHECK(r.out.find("no network for 4 bands and step 2") != std::string::npos);
  r = run_program(four.folder, "reconstruct" + four.shot + " --method s2 --out " + four.folder / "s2.h5");
  CHECK(r.code == 2);
  CHECK(r.lines() == 1);
  CHECK(r.err.find("--weights") != std::string::npos);
}

TEST_CASE("a calibrated camera: found from a snapshot, taken with the mask, refused where it is damaged") {
  const starting_files t(28);
  auto r = t.train("run", "--stages plain:1 --set initial=spectral-tv");
  CHECK_MESSAGE(r.code == 0, r.err);
  const std::string weights = " --weights " + t.folder / "run/weights.safetensors", camera = t.folder / "camera.h5";
  r = run_program(t.folder, "--json calibrate --trials 3" + t.shot + weights + " --out " + camera);
  CHECK_MESSAGE(r.code == 0, r.err);
  const auto found = json::parse(r.out);
  CHECK(found["trials"] == 3);
  CHECK(found["error"].get<double>() <= found["error_before"].get<double>());
  const auto positions = unmask::io::read_tensor<double, 1>({camera, "positions"});
  REQUIRE(positions);
  CHECK(positions->size() == 28);
  CHECK(unmask::io::read_mask({camera, ""}).value().extents() == std::array<unmask::index_t, 2>{32, 32});
  const std::string rebuild = "reconstruct --method spectral-tv --measurement " + t.folder / "shot.h5" + weights +
                              " --out " + t.folder / "x.h5 --mask ";
  CHECK(run_program(t.folder, rebuild + camera).code == 0);
  fs::remove(t.folder / "x.h5");
  // a second snapshot of other width: other bands than the first
  const unmask::tensor<float, 2> wide({32, 90}, .5f);
  REQUIRE(unmask::io::write_plane(t.folder / "wide.h5", "measurement", wide.view()));
  const auto mixed = run_program(t.folder, "calibrate" + t.shot + " --measurement " + t.folder / "wide.h5" + weights +
                                               " --out " + t.folder / "no.h5");
  CHECK(mixed.code == 2);
  CHECK(mixed.lines() == 1);
  CHECK_MESSAGE(mixed.err.find("wide.h5") != std::string::npos, mixed.err);
  CHECK_FALSE(fs::exists(t.folder / "no.h5"));
  // the same mask with other words beside it
  const auto mask = unmask::io::read_mask({camera, ""}).value();
  std::vector<double> columns(28);
  const auto refused = [&](std::span<const double> list, std::span<const double> weight, const char* what) {
    REQUIRE(unmask::io::hdf5_writer(t.folder / "odd.h5")
                .put("mask", mask.view())
                .put("positions", list)
                .put("noise_weight", weight)
                .save());
    const auto odd = run_program(t.folder, rebuild + t.folder / "odd.h5");
    CHECK(odd.code == 2);
    CHECK(odd.lines() == 1);
    CHECK_MESSAGE(odd.err.find(what) != std::string::npos, odd.err);
    CHECK_FALSE(fs::exists(t.folder / "x.h5"));
  };
  const std::vector<double> good{.2}, none{0}, two{.2, .2};
  refused(std::span(columns).first(27), good, "'positions' has 27 numbers");
  refused(columns, none, "'noise_weight'");
  refused(columns, two, "'noise_weight'");
  columns[3] = 54.5;
  refused(columns, good, "54.5");
  for (const auto& [arguments, what] :
       {std::pair{std::string(" --measurement ") + t.folder / "none.h5" + " --mask " + t.folder / "mask.h5" + weights,
                  "none.h5"},
        std::pair{t.shot + " --step 1" + weights, "55 bands"}}) {
    const auto bad = run_program(t.folder, "calibrate" + arguments + " --out " + t.folder / "no.h5");
    CHECK(bad.code == 2);
    CHECK(bad.lines() == 1);
    CHECK_MESSAGE(bad.err.find(what) != std::string::npos, bad.err);
    CHECK_FALSE(fs::exists(t.folder / "no.h5"));
  }
}
