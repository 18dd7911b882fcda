#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <vector>

#include "unmask/models/s2_config.hpp"
#include "unmask/train/checkpoint.hpp"

using namespace unmask;
using unmask::index_t;
namespace ut = unmask::train;
namespace fs = std::filesystem;

namespace {

struct folder {
  fs::path path;
  folder() {
    std::string name = (fs::temp_directory_path() / "unmask_checkpoint_XXXXXX").string();
    path = mkdtemp(name.data());
  }
  ~folder() { fs::remove_all(path); }
  std::string operator/(const char* name) const { return (path / name).string(); }
};

struct training {
  std::vector<float> p, m, v, a;
  ut::training_state<float, s2_config> state;
  explicit training(float value, std::size_t n = 50) : p(n, value), m(n, value + 1), v(n, value + 2), a(n, value + 3) {
    state.architecture = "S2-Transformer";
    state.config = small_config(4);
    state.batch = 2, state.height = 8, state.width = 8, state.seed = ~std::uint64_t{0};
    state.parameters = p, state.first = m, state.second = v, state.average = a;
    state.step = static_cast<index_t>(value), state.updates = state.step,
    state.losses.assign(static_cast<std::size_t>(state.step), value);
    state.best_psnr = value, state.best_step = std::min<index_t>(1, state.step);
  }
};

std::vector<char> bytes_of(const std::string& path) {
  std::ifstream f(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(f), {}};
}
void write_bytes(const std::string& path, const std::vector<char>& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}
bool one_line(const std::string& text) { return text.find('\n') == std::string::npos; }

}  // namespace

TEST_CASE("checkpoint: everything comes back") {
  const folder dir;
  const std::string path = dir / "last.ckpt";
  training saved(7), loaded(0);
  REQUIRE(bool(ut::save_checkpoint(path, saved.state)));
  REQUIRE(bool(ut::load_checkpoint(path, loaded.state)));
  CHECK(loaded.p == saved.p);
  CHECK(loaded.m == saved.m);
  CHECK(loaded.v == saved.v);
  CHECK(loaded.a == saved.a);
  CHECK(loaded.state.step == 7);
  CHECK(loaded.state.updates == 7);
  CHECK(loaded.state.best_psnr == 7);
  CHECK(loaded.state.best_step == 1);
  CHECK(loaded.state.losses == saved.state.losses);
  CHECK_FALSE(fs::exists(ut::previous_checkpoint(path)));
  CHECK(std::distance(fs::directory_iterator(dir.path), {}) == 1);  // no temporary file stays
}

TEST_CASE("checkpoint: truncated at any byte, or any byte changed, is refused and changes nothing") {
  const folder dir;
  const std::string path = dir / "last.ckpt", broken = dir / "broken.ckpt";
  const training saved(7, 3);
  REQUIRE(bool(ut::save_checkpoint(path, saved.state)));
  const auto good = bytes_of(path);
  training loaded(0, 3);
  const training before(0, 3);
  for (std::size_t n = 0; n < good.size(); ++n) {
    for (int kind : {0, 1}) {
      auto bad = good;
      if (kind == 0)
        bad.resize(n);
      else
        bad[n] = static_cast<char>(bad[n] ^ 0x10);
      write_bytes(broken, bad);
      const auto done = ut::load_checkpoint(broken, loaded.state);
      REQUIRE_FALSE(bool(done));
      CHECK(done.error().code() == errc::unreadable);
      CHECK(done.error().message().find(broken) == 0);
      CHECK(one_line(done.error().message()));
    }
  }
  auto longer = good;
  longer.push_back(0);
  write_bytes(broken, longer);
  CHECK_FALSE(bool(ut::load_checkpoint(broken, loaded.state)));
  CHECK(loaded.p == before.p);
  CHECK(loaded.state.step == 0);
  CHECK(loaded.state.losses == before.state.losses);
}

TEST_CASE("checkpoint: other version, other training, no file") {
  const folder dir;
  const std::string path = dir / "last.ckpt";
  const training saved(7);
  REQUIRE(bool(ut::save_checkpoint(path, saved.state)));
  const auto message = [&](auto change) {
    training other(0);
    change(other);
    const auto done = ut::load_checkpoint(path, other.state);
    REQUIRE_FALSE(bool(done));
    CHECK(done.error().code() == errc::wrong_shape);
    // The last one is whole but another training's: resuming must not silently take the previous one.
    CHECK_FALSE(bool(ut::resume_checkpoint(path, other.state)));
    return done.error().message().substr(path.size());
  };
  CHECK(message([](training& t) { t.state.architecture = "other"; }) ==
        ": network is 'S2-Transformer', expected 'other'");
  CHECK(message([](training& t) { t.state.config.channels = 60; }) == ": channels is 30, expected 60");
  CHECK(message([](training& t) { t.state.config.depths[1] = 4; }) == ": depths[1] is 2, expected 4");
  CHECK(message([](training& t) { t.state.seed = 1; }) == ": seed is -1, expected 1");
  CHECK(message([](training& t) { t.state.average = {}; }) == ": averaged parameters is 50, expected 0");
  auto bytes = bytes_of(path);
  bytes[8] = 9;
  write_bytes(path, bytes);
  training other(0);
  CHECK(ut::load_checkpoint(path, other.state).error().message() == path + ": checkpoint version is 9, expected 2");
  const auto none = ut::resume_checkpoint(dir / "none.ckpt", other.state);
  REQUIRE_FALSE(bool(none));
  CHECK(none.error().code() == errc::not_found);
  CHECK_FALSE(bool(ut::load_checkpoint(dir.path.string(), other.state)));  // a folder
  write_bytes(path, std::vector<char>(100, 'x'));
  CHECK(ut::load_checkpoint(path, other.state).error().message() == path + ": not a checkpoint of unmask");
}

TEST_CASE("checkpoint: the previous one still loads") {
  const folder dir;
  const std::string path = dir / "last.ckpt";
  for (float step : {1.f, 2.f, 3.f}) REQUIRE(bool(ut::save_checkpoint(path, training(step).state)));
  training t(0);
  CHECK(ut::resume_checkpoint(path, t.state).value().warning.empty());
  CHECK(t.state.step == 3);
  auto bytes = bytes_of(path);
  bytes.resize(bytes.size() / 2);
  write_bytes(path, bytes);
  auto resumed = ut::resume_checkpoint(path, t.state);
  REQUIRE(bool(resumed));
  CHECK(resumed->path == ut::previous_checkpoint(path));
  CHECK(resumed->warning.find("went on from") != std::string::npos);
  CHECK(one_line(resumed->warning));
  CHECK(t.state.step == 2);
  CHECK(t.p == training(2).p);
  // The damaged file must not take the place of the previous one.
  REQUIRE(bool(ut::save_checkpoint(path, training(4).state)));
  REQUIRE(bool(ut::load_checkpoint(ut::previous_checkpoint(path), t.state)));
  CHECK(t.state.step == 2);
  fs::remove(path);  // killed between two renames where hard links do not exist
  CHECK(bool(ut::resume_checkpoint(path, t.state)));
  CHECK(t.state.step == 2);
  // Both damaged: one line that names both.
  write_bytes(path, bytes);
  write_bytes(ut::previous_checkpoint(path), bytes);
  const auto both = ut::resume_checkpoint(path, t.state);
  REQUIRE_FALSE(bool(both));
  CHECK(both.error().message().find(ut::previous_checkpoint(path)) != std::string::npos);
  CHECK(one_line(both.error().message()));
}

TEST_CASE("checkpoint: killed at any moment of saving, a whole one is left") {
  const folder dir;
  const std::string path = dir / "last.ckpt";
  REQUIRE(bool(ut::save_checkpoint(path, training(1, 20000).state)));
  index_t step = 1;
  for (int kill_number = 0; kill_number < 20; ++kill_number) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0)
      for (float next = static_cast<float>(step + 1);; ++next)
        if (!ut::save_checkpoint(path, training(next, 20000).state)) _exit(1);
    usleep(static_cast<useconds_t>(3000 + 1700 * kill_number));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));
    training t(0, 20000);
    const auto resumed = ut::resume_checkpoint(path, t.state);
    REQUIRE(bool(resumed));
    CHECK(resumed->warning.empty());
    CHECK(t.state.step >= step);
    CHECK(t.p == training(static_cast<float>(t.state.step), 20000).p);
    step = t.state.step;
    training before(0, 20000);
    if (step > 1) CHECK(bool(ut::load_checkpoint(ut::previous_checkpoint(path), before.state)));
  }
  MESSAGE(step << " checkpoints were written under 20 kills");
}

TEST_CASE("checkpoint: no folder and a full disk leave the old ones in place") {
  const folder dir;
  const std::string path = dir / "last.ckpt";
  CHECK(ut::save_checkpoint(dir / "no/last.ckpt", training(1).state).error().code() == errc::not_writable);
  REQUIRE(bool(ut::save_checkpoint(path, training(1).state)));
  REQUIRE(bool(ut::save_checkpoint(path, training(2).state)));
  // A limit on the file size stands in for a full disk: write fails in the middle.
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{200, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const auto done = ut::save_checkpoint(path, training(3).state);
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  REQUIRE_FALSE(bool(done));
  CHECK(done.error().code() == errc::not_writable);
  CHECK(std::distance(fs::directory_iterator(dir.path), {}) == 2);
  training t(0);
  REQUIRE(bool(ut::load_checkpoint(path, t.state)));
  CHECK(t.state.step == 2);
  REQUIRE(bool(ut::load_checkpoint(ut::previous_checkpoint(path), t.state)));
  CHECK(t.state.step == 1);
}
