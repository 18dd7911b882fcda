/// `train --task clouds` and `declouds --method network` as a user runs them.

#include "stack_program.hpp"

using namespace unmask_test;

namespace {

/// Clear dates of a generated place, as a manifest.
std::string clear_dates(const generated_stack& s) {
  nlohmann::json m = s.manifest;
  for (auto& image : m["images"]) image.erase("visibility"), image.erase("hidden");
  m["images"].erase(m["images"].begin() + 2);  // the clouded one
  m.erase("target");
  write_text(s.f / "s/clear.json", m.dump());
  return s.f / "s/clear.json";
}

const std::string tiny =
    " --set network.channels=8 --set network.depths=[1] --set network.heads=[2]"
    " --set network.spectral_head_width=4 --set network.hidden=16 --set batch=2 --set fields=3 --set validate_every=3"
    " --set checkpoint_every=2 --set crop=32";

}  // namespace

TEST_CASE("a network for clouds is trained, with the same bits again, and is used where it helps") {
  const generated_stack s("--size 112 --dates 4");
  const std::string clear = clear_dates(s);
  const auto train = [&](const std::string& more) {
    return run_program(s.f, "train --task clouds --data '" + clear + "'" + more, 2);
  };
  const auto whole = train(tiny + " --stages me:3,ma:3 --out '" + (s.f / "a") + "' --json");
  CAPTURE(whole.err);
  REQUIRE(whole.code == 0);
  const auto told = nlohmann::json::parse(whole.out);
  CHECK(told["steps"] == 6);
  CHECK(told["gain"]["cases"].size() > 5);
  REQUIRE(train(tiny + " --stages me:3,ma:3 --out '" + (s.f / "b") + "'").code == 0);
  CHECK(read_text(s.f / "a/weights.safetensors") == read_text(s.f / "b/weights.safetensors"));

  const auto used = s.run("--method network --weights '" + (s.f / "a/weights.safetensors") + "' --json");
  CAPTURE(used.err);
  REQUIRE(used.code == 0);
  const auto date = nlohmann::json::parse(used.out)[0];
  CHECK(date["network"]["gain"].is_number());
  CHECK(date["network"]["pixels"].is_number());
  const raster truth = s.read("truth.npy"), hidden = s.read("date2_hidden.npy"),
               result = s.result("date2_declouded.npy");
  CHECK(hidden_error(truth, result, hidden) < 400);
}

TEST_CASE("other networks, tasks and data are refused by name") {
  const generated_stack s("--size 112 --dates 3");
  const std::string models = UNMASK_TEST_MODELS;
  check_refused(s.run("--method network --weights '" + models + "/general.safetensors'"), "general.safetensors",
                "expected one for clouds");
  check_refused(s.run("--weights '" + models + "/general.safetensors'"), "--weights", "--method network");
  check_refused(run_program(s.f, "train --task clouds --out '" + (s.f / "r") + "'"), "train", "--data");
  check_refused(
      run_program(s.f, "train --task clouds --data '" + (s.f / "none.json") + "' --out '" + (s.f / "r") + "'"),
      "none.json", "");
  nlohmann::json m = s.manifest;
  m.erase("wavelengths");
  write_text(s.f / "s/plain.json", m.dump());
  check_refused(
      run_program(s.f, "train --task clouds --data '" + (s.f / "s/plain.json") + "' --out '" + (s.f / "r") + "'"),
      "plain.json", "wavelengths");
  check_refused(run_program(s.f, "train --task clouds --data '" + s.written() + "' --mask '" + s.file("date0.npy") +
                                     "' --out '" + (s.f / "r") + "'"),
                "date0.npy", "expected");
}
