/// A training as people use it: what lies in its folder, where it may start, and that nothing is ever lost.

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <random>
#include <unmask/io/safetensors.hpp>

#include "training_files.hpp"

namespace {

int wait_for(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

}  // namespace

TEST_CASE("the folder of a run holds configuration, log, weights and curves") {
  const training_files t;
  const auto r = t.run("run",
                       "--json --set lambda=2 --set network.embedding=tile_safe --set loss=charbonnier --set "
                       "aware_weight=relative --set delta=0.1");
  CHECK_MESSAGE(r.code == 0, r.err);
  const auto summary = json::parse(r.out, nullptr, false);
  REQUIRE(summary.is_object());
  CHECK(summary["steps"] == 20);
  for (const char* key : {"psnr", "hidden", "open", "best_step", "seconds"}) CHECK(summary[key].is_number());

  const auto config = json::parse(t.text("run/config.json"), nullptr, false);
  REQUIRE(config.is_object());
  CHECK(config["lambda"] == 2);
  CHECK(config["loss"] == "charbonnier");
  CHECK(config["network"]["embedding"] == "tile_safe");
  CHECK(config["network"]["bands"] == 4);  // resolved: from the scenes
  CHECK(config["data"] == t.folder / "data");
  CHECK(config["epsilon"] == .05);  // a default
  CHECK(config["aware_weight"] == "relative");
  CHECK(config["delta"] == .1);

  unmask::index_t steps = 0, validations = 0;
  double best = 0;
  for (const auto& line : log_of(t, "run"))
    if (line.contains("step")) {
      CHECK(line["step"] == steps++);
      CHECK(line["stage"] == (steps <= 6 ? "me" : "ma"));
      CHECK(line["loss"].get<double>() > 0);
      CHECK((line["encoding"].get<double>() > 0) == (steps <= 6));
    } else {
      CHECK(line["validation"] == 5 * ++validations);
      for (const char* key : {"psnr", "hidden", "open"}) CHECK(line[key].is_number());
      best = std::max(best, line["psnr"].get<double>());
    }
  CHECK(steps == 20);
  CHECK(validations == 4);
  CHECK(summary["psnr"] == best);
  CHECK(t.text("run/weights.safetensors") == t.text("run/best.safetensors"));
  for (const char* name : {"run/loss.svg", "run/psnr.svg", "run/psnr_time.svg"}) {
    const auto svg = t.text(name);
    CHECK(svg.rfind("<svg xmlns=\"http://www.w3.org/2000/svg\"", 0) == 0);
    CHECK(svg.find("</svg>") == svg.size() - 6);
  }
  CHECK(fs::exists(t.folder / "run/report.html"));
  // The recipe in the weights names no folder of this machine.
  CHECK(t.text("run/weights.safetensors").find(t.folder.path.string()) == std::string::npos);
  // The stored configuration is a whole configuration.
  CHECK(run_program(t.folder, "train --config " + t.folder / "run/config.json" + " --out " + t.folder / "again").code ==
        0);
  same_training(t, "run", "again");
}

TEST_CASE("the same seed gives the same bits on one and two threads, another seed does not") {
  const training_files t;
  CHECK(t.run("one", "", 1).code == 0);
  CHECK(t.run("two", "", 2).code == 0);
  same_training(t, "one", "two");
  CHECK(t.run("three", "--seed 2").code == 0);
  CHECK(json::parse(t.text("three/config.json"))["seed"] == 2);
  CHECK(t.text("one/weights.safetensors") != t.text("three/weights.safetensors"));
  // The noise of validations is an option, and drawn once: the training itself does not change.
  CHECK(t.run("noisy", "--set noisy_validation=true").code == 0);
  CHECK(t.text("one/last.ckpt") != t.text("noisy/last.ckpt"));  // the best PSNR is in it
  CHECK(t.text("one/loss.svg") == t.text("noisy/loss.svg"));
}

TEST_CASE("without scenes to validate on the last weights are those that ship") {
  const training_files t;
  const auto r = t.run("run", "--json --set validation=[]");
  CHECK_MESSAGE(r.code == 0, r.err);
  CHECK(json::parse(r.out, nullptr, false)["psnr"].is_null());
  CHECK(fs::exists(t.folder / "run/weights.safetensors"));
  CHECK(fs::exists(t.folder / "run/loss.svg"));
  CHECK_FALSE(fs::exists(t.folder / "run/best.safetensors"));
  CHECK_FALSE(fs::exists(t.folder / "run/psnr.svg"));
}

TEST_CASE("fine-tuning starts from weights with a fresh optimiser") {
  const training_files t;
  REQUIRE(t.run("run").code == 0);
  const std::string weights = t.folder / "run/weights.safetensors";
  // One step at a rate of 1e-12 moves nothing; averaging the unmoved weights rounds a few times, each by 6e-8 of a
  // weight.
  auto r = t.run("tuned", "--from " + weights + " --set learning_rate=1e-12 --set weight_decay=0 --stages ma:1");
  CHECK_MESSAGE(r.code == 0, r.err);
  const auto before = unmask::io::read_safetensors(weights),
             after = unmask::io::read_safetensors(t.folder / "tuned/weights.safetensors");
  REQUIRE(before);
  REQUIRE(after);
  double worst = 0;
  for (const auto& tensor : before->tensors) {
    const auto a = unmask::io::to_floats(tensor), b = unmask::io::to_floats(*after->find(tensor.name));
    for (std::size_t i = 0; i < a->size(); ++i)
      worst = std::max(worst, std::abs(static_cast<double>((*a)[i]) - static_cast<double>((*b)[i])) /
                                  std::max(1.0, std::abs(static_cast<double>((*a)[i]))));
  }
  CHECK(worst <= 2.5e-7);
  r = t.run("other", "--from " + weights + " --set network.channels=12 --set network.heads=[3]");
  CHECK(r.code == 2);
  CHECK(r.lines() == 1);
  CHECK(r.err.find("weights.safetensors") != std::string::npos);
  r = t.run("other", "--from " + weights + " --set step=1");
  CHECK(r.code == 2);
  CHECK(r.lines() == 1);
  CHECK_MESSAGE(r.err.find("weights.safetensors: trained for dispersion step 2, found 1") != std::string::npos, r.err);
  CHECK_FALSE(fs::exists(t.folder / "other"));
  r = t.run("none", "--from " + t.folder / "nowhere.safetensors");
  CHECK(r.code == 2);
  CHECK(r.lines() == 1);
  CHECK_FALSE(fs::exists(t.folder / "none"));
  CHECK(t.run("wrong", "--set lamda=2").err.find("lamda") != std::string::npos);
  CHECK(t.run("wrong", "--set lambda").code == 2);
  for (const char* loss : {"aware_weight=dark", "aware_weight=relative --set delta=0", "lambda=-1",
                           "aware_weight=visibility --set detached=false"}) {
    r = t.run("wrong", "--set " + std::string(loss));
    CHECK(r.code == 2);
    CHECK(r.lines() == 1);
    CHECK_MESSAGE(r.err.find("aware") != std::string::npos, r.err);
  }
  r = t.run("run", "--resume --set lambda=7");
  CHECK(r.code == 2);
  CHECK(r.lines() == 1);
  CHECK(r.err.find("'lambda' is 1") != std::string::npos);
  r = t.run("run", "--resume --set aware_weight=visibility");
  CHECK(r.code == 2);
  CHECK(r.err.find("'aware_weight' is \"signal\" and not \"visibility\"") != std::string::npos);
  CHECK_FALSE(fs::exists(t.folder / "wrong"));
}

TEST_CASE("patience ends a training early, and resuming it changes nothing") {
  // A rate of 1e-12 never finds better weights than the first validation's.
  const training_files t({{"patience", 10}, {"learning_rate", 1e-12}, {"stages", "plain:100"}, {"average", 0}});
  auto r = t.run("run", "--json");
  CHECK_MESSAGE(r.code == 0, r.err);
  CHECK(json::parse(r.out, nullptr, false)["steps"] == 15);
  const auto before = t.text("run/last.ckpt");
  r = t.resume("run");
  CHECK_MESSAGE(r.code == 0, r.err);
  CHECK(t.text("run/last.ckpt") == before);
}

TEST_CASE("SIGINT and SIGTERM store a checkpoint and end with 0; the rest gives the same bits") {
  const training_files t({{"stages", "plain:400"}, {"validate_every", 200}, {"checkpoint_every", 400}});
  REQUIRE(t.run("whole").code == 0);
  for (const int signal : {SIGINT, SIGTERM}) {
    fs::remove_all(t.folder / "run");
    const pid_t child = start_program(t.folder, t.train + " --out " + t.folder / "run");
    for (int i = 0; i < 2000 && t.text("run/log.jsonl").empty(); ++i) ::usleep(5000);
    ::kill(child, signal);
    const int status = wait_for(child);
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
    const auto steps = log_of(t, "run").size();
    CHECK(steps > 0);
    CHECK(steps < 400);
    CHECK(t.text("stdout").find("stopped at step " + std::to_string(steps)) != std::string::npos);
    const auto r = t.resume("run");
    CHECK_MESSAGE(r.code == 0, r.err);
    CHECK(r.out.find("resumed at step " + std::to_string(steps)) != std::string::npos);
    same_training(t, "whole", "run");
  }
}

TEST_CASE("kill -9 at 20 random moments: every resumed training ends with the bits of an uninterrupted one") {
  const training_files t({{"stages", "me:300,ma:500"}, {"checkpoint_every", 20}, {"validate_every", 50}});
  REQUIRE(t.run("whole").code == 0);
  const std::string log = t.folder / "run/log.jsonl";
  const auto logged = [&] {
    std::error_code none;
    const auto size = fs::file_size(log, none);
    return none ? std::uintmax_t{0} : size;
  };
  std::mt19937 draw(20);
  const char* fewer = std::getenv("UNMASK_KILLS");  // under a sanitizer each takes its time
  const int kills = fewer ? std::atoi(fewer) : 20;
  int killed = 0;
  while (killed < kills) {
    const bool begun = fs::exists(t.folder / "run/config.json");
    const std::string out = " --out " + t.folder / "run";
    const pid_t child = start_program(t.folder, begun ? "train --resume" + out : t.train + out);
    if (killed % 4 == 0) {
      ::usleep(static_cast<useconds_t>(draw() % 100000));  // while it starts
    } else {
      const auto target = logged() + draw() % 9000;  // up to sixty steps later
      while (logged() < target && ::kill(child, 0) == 0 && ::waitpid(child, nullptr, WNOHANG) == 0) ::usleep(500);
    }
    ::kill(child, SIGKILL);
    wait_for(child);
    ++killed;
  }
  const auto r = fs::exists(t.folder / "run/config.json") ? t.resume("run") : t.run("run");
  CHECK_MESSAGE(r.code == 0, r.err);
  MESSAGE(killed << " kills; " << r.out.substr(0, r.out.find('\n')));
  CHECK(log_of(t, "run").size() == 800 + 16);
  same_training(t, "whole", "run");
  for (const auto& entry : fs::directory_iterator(t.folder / "run"))  // a part that was being written may stay
    CHECK_MESSAGE((entry.path().filename().string().find(".part") == std::string::npos ||
                   fs::file_size(entry.path()) < (1 << 20)),
                  entry.path());
}

TEST_CASE("a damaged last checkpoint: the previous one is taken; both damaged: one line") {
  const training_files t;
  REQUIRE(t.run("whole").code == 0);
  fs::copy(t.folder / "whole", t.folder / "run");
  const auto bytes = t.text("run/last.ckpt");
  auto flipped = bytes;
  flipped[bytes.size() / 2] = static_cast<char>(flipped[bytes.size() / 2] ^ 1);
  for (const auto& bad : {bytes.substr(0, bytes.size() / 2), flipped, std::string()}) {
    write_text(t.folder / "run/last.ckpt", bad);
    fs::copy_file(t.folder / "whole/last.ckpt.previous", t.folder / "run/last.ckpt.previous",
                  fs::copy_options::overwrite_existing);
    const auto r = t.resume("run");
    CHECK_MESSAGE(r.code == 0, r.err);
    CHECK(r.err.find("last.ckpt.previous") != std::string::npos);
    CHECK(r.out.find("resumed at step 15") != std::string::npos);
    same_training(t, "whole", "run");
  }
  write_text(t.folder / "run/last.ckpt", flipped);
  write_text(t.folder / "run/last.ckpt.previous", flipped);
  auto r = t.resume("run");
  CHECK(r.code == 2);
  CHECK(r.lines() == 1);
  CHECK(r.err.find("last.ckpt") != std::string::npos);
  fs::remove(t.folder / "run/last.ckpt");
  fs::remove(t.folder / "run/last.ckpt.previous");
  r = t.resume("run");  // lost, not "not begun yet": the log says so
  CHECK(r.code == 2);
  CHECK(r.lines() == 1);
  CHECK(t.resume("nowhere").code == 2);
}

TEST_CASE("a full disk or a folder that cannot be written: one line, and what was there still loads") {
  const training_files t;
  REQUIRE(t.run("whole").code == 0);
  const auto checkpoint = t.text("whole/last.ckpt.previous");
  // A limit on file sizes, in blocks of 512 or 1024 bytes, stands in for a full disk: the checkpoint has 50 KB.
  REQUIRE(checkpoint.size() > (20 << 10));
  fs::create_directories(t.folder / "run");
  for (const char* name : {"config.json", "log.jsonl", "best.safetensors"})
    fs::copy_file(t.folder / (std::string("whole/") + name), t.folder / (std::string("run/") + name));
  fs::copy_file(t.folder / "whole/last.ckpt.previous", t.folder / "run/last.ckpt");
  auto r = t.resume("run", 2, "ulimit -f 16; ");
  CHECK(r.code == 1);
  CHECK(r.err.find("cannot be written") != std::string::npos);
  CHECK_MESSAGE(r.err.find("unmask:") == r.err.rfind("unmask:"), r.err);  // progress has lines of its own
  CHECK(t.text("run/last.ckpt") == checkpoint);
  r = t.resume("run");
  CHECK_MESSAGE(r.code == 0, r.err);
  same_training(t, "whole", "run");

  r = run_program(t.folder, t.train + " --out " + t.folder / "full", 2, "ulimit -f 16; ");
  CHECK(r.code == 1);  // found before the first step
  CHECK(r.lines() == 1);
  CHECK_FALSE(fs::exists(t.folder / "full/log.jsonl"));

  for (const std::string& folder : {t.folder / "config.json" + "/run", std::string("/proc")}) {
    r = run_program(t.folder, t.train + " --out " + folder);
    CHECK(r.code == 1);
    CHECK_MESSAGE(r.lines() == 1, r.err);
    CHECK(r.err.find(folder) != std::string::npos);
  }
}
