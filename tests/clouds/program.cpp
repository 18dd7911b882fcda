/// The commands as a user runs them: open digits keep their bits, and every pain of the field is a right result or one
/// clear line.

#include "stack_program.hpp"

using namespace unmask_test;
using unmask::io::read_npy;
using unmask::io::sample_type;

namespace {

nlohmann::json manifest_of(const scratch_folder& f) { return nlohmann::json::parse(read_text(f / "s/stack.json")); }

/// Runs with a changed manifest beside the stack.
outcome with(const scratch_folder& f, const nlohmann::json& m, const std::string& options = "") {
  write_text(f / "s/m.json", m.dump());
  return run_program(f, "declouds --manifest '" + (f / "s/m.json") + "' --out '" + (f / "o") + "' " + options);
}

raster read(const std::string& path) {
  auto r = read_npy(path);
  REQUIRE(r);
  return std::move(*r);
}

/// Root mean square error in digits where the mask hides.
double error_of(const raster& truth, const raster& estimate, const raster& hidden) {
  double sum = 0, count = 0;
  for (index_t i = 0; i < truth.size(); ++i)
    if (hidden.digit(i / truth.bands) > 0) sum += std::pow(truth.digit(i) - estimate.digit(i), 2), ++count;
  return std::sqrt(sum / count);
}

}  // namespace

TEST_CASE("simulate, declouds: the hidden is near the truth, the open keeps its digits, any number of threads") {
  const scratch_folder f;
  REQUIRE(run_program(f, "simulate-clouds --size 96 --dates 4 --out '" + (f / "s") + "'").code == 0);
  const raster truth = read(f / "s/truth.npy"), cloudy = read(f / "s/date2.npy"),
               hidden = read(f / "s/date2_hidden.npy");
  const std::string run = "declouds --manifest '" + (f / "s/stack.json") + "' --out '" + (f / "o") + "' --report '" +
                          (f / "r.html") + "' --json";
  const auto done = run_program(f, run, 2);
  REQUIRE(done.code == 0);
  const auto report = nlohmann::json::parse(done.out);
  CHECK(report[0]["references"] == 3);
  const raster result = read(f / "o/date2_declouded.npy"), origin = read(f / "o/date2_origin.npy"),
               deviation = read(f / "o/date2_deviation.npy");
  REQUIRE(result.type == sample_type::u16);
  for (index_t i = 0; i < result.size(); ++i) {
    if (origin.digit(i / 7) != 1) continue;
    REQUIRE(result.digit(i) == cloudy.digit(i));
    REQUIRE(deviation.digit(i) == 0);
  }
  double within = 0, count = 0;
  for (index_t i = 0; i < result.size(); ++i)
    if (hidden.digit(i / 7) > 0)
      within += std::abs(result.digit(i) - truth.digit(i)) * 1e-4 <= deviation.digit(i), ++count;
  CHECK(within / count > .6);  // made scenes are easier hidden than the held-out pixels say
  CHECK(error_of(truth, result, hidden) < 400);
  CHECK(error_of(truth, cloudy, hidden) > 1500);
  CHECK(read_text(f / "r.html").find("data:image/png") != std::string::npos);
  const std::string bits = read_text(f / "o/date2_declouded.npy");
  REQUIRE(run_program(f, run, 1).code == 0);
  CHECK(read_text(f / "o/date2_declouded.npy") == bits);

  for (const char* method : {"ridge", "local", "linear", "nearest"}) {
    REQUIRE(with(f, manifest_of(f), std::string("--method ") + method).code == 0);
    CHECK(error_of(truth, read(f / "o/date2_declouded.npy"), hidden) < 1200);
  }
  REQUIRE(with(f, manifest_of(f), "--target all").code == 0);
  CHECK(fs::exists(f / "o/date0_declouded.npy"));
}

TEST_CASE("manifests and files that are wrong: one line that names file, found and expected") {
  const scratch_folder f;
  REQUIRE(run_program(f, "simulate-clouds --size 48 --dates 3 --out '" + (f / "s") + "'").code == 0);
  const nlohmann::json good = manifest_of(f);
  REQUIRE(with(f, good).code == 0);
  nlohmann::json m = good;
  m.erase("offset");
  check_refused(with(f, m), "date0.npy", "\"offset\"");
  m["baseline"] = "04.00";  // asked for, and told
  CHECK(with(f, m).code == 0);
  m = good;
  m["images"][1]["visibility"] = "date1_hidden.npy";
  check_refused(with(f, m), "date1_hidden.npy", "say what it is");
  m["images"][1]["visibility"] = {{"file", "date1_hidden.npy"}, {"kind", "binary"}};
  check_refused(with(f, m), "date1_hidden.npy", "\"hides\"");
  m["images"][1]["visibility"] = {{"file", "date1_hidden.npy"}, {"kind", "fog"}};
  check_refused(with(f, m), "image 1", "expected visibility, probability");
  m = good;
  m["images"][1]["date"] = "10.8.2023";
  check_refused(with(f, m), "image 1", "expected as 2023-08-10");
  m["images"][1]["date"] = "2023-02-30";
  check_refused(with(f, m), "image 1", "2023-02-30");
  m = good;
  m["images"][1]["dates"] = "2023-08-10";
  check_refused(with(f, m), "image 1", "unknown key 'dates'");
  m = good;
  m["target"] = 3;
  check_refused(with(f, m), "m.json", "expected 0 to 2");
  m = good;
  m["images"][2]["file"] = "none.npy";
  check_refused(with(f, m), "none.npy", "no such file");
  write_text(f / "s/short.npy", read_text(f / "s/date2.npy").substr(0, 2000));
  m["images"][2]["file"] = "short.npy";
  check_refused(with(f, m), "short.npy", "ends after 2000 bytes");
  m["images"][2]["file"] = "scene.jp2";
  check_refused(with(f, m), "scene.jp2", "gdal_translate");
  // B10 is missing in one of them
  raster fewer(sample_type::u16, 48, 48, 6), smaller(sample_type::u16, 48, 40, 7), mask(sample_type::f32, 20, 24, 1);
  REQUIRE(unmask::io::write_npy(f / "s/fewer.npy", fewer));
  REQUIRE(unmask::io::write_npy(f / "s/smaller.npy", smaller));
  REQUIRE(unmask::io::write_npy(f / "s/mask.npy", mask, true));
  m = good;
  m["images"][1] = {{"file", "fewer.npy"}, {"date", "2023-05-01"}};
  check_refused(with(f, m), "fewer.npy", "found 6 bands, expected 7");
  m["images"][1]["file"] = "smaller.npy";
  check_refused(with(f, m), "smaller.npy", "found 48 x 40 pixels, expected 48 x 48");
  m = good;
  m["images"][1]["visibility"] = "mask.npy";
  check_refused(with(f, m), "mask.npy", "whole number of times coarser");
  write_text(f / "s/m.json", "{");
  check_refused(run_program(f, "declouds --manifest '" + (f / "s/m.json") + "' --out '" + (f / "o") + "'"), "m.json",
                "not JSON");
}

TEST_CASE("no data 0 and NaN stay, inverted masks and lost offsets are told, coarse masks fit") {
  const scratch_folder f;
  REQUIRE(run_program(f, "simulate-clouds --size 64 --dates 3 --out '" + (f / "s") + "'").code == 0);
  const nlohmann::json good = manifest_of(f);
  raster zero = read(f / "s/date2.npy");
  for (index_t w = 0; w < 64; ++w)
    for (index_t c = 0; c < 7; ++c) zero.set((5 * 64 + w) * 7 + c, 0);
  REQUIRE(unmask::io::write_npy(f / "s/zero.npy", zero));
  nlohmann::json m = good;
  m["images"][2]["file"] = "zero.npy";
  REQUIRE(with(f, m).code == 0);
  raster result = read(f / "o/zero_declouded.npy"), origin = read(f / "o/zero_origin.npy");
  for (index_t w = 0; w < 64; ++w) {
    CHECK(origin.digit(5 * 64 + w) == 0);
    CHECK(result.digit((5 * 64 + w) * 7) == 0);
  }
  for (index_t i = 0; i < result.size(); ++i)
    if (i / 7 / 64 != 5) REQUIRE(result.digit(i) > 0);
  m.erase("nodata");
  auto r = with(f, m);
  CHECK(r.code == 0);
  CHECK(r.err.find("64 pixels are 0 in all bands") != std::string::npos);

  raster nan(sample_type::f32, 64, 64, 7);
  for (index_t i = 0; i < nan.size(); ++i) nan.set(i, i / 7 / 64 == 5 ? std::nan("") : zero.digit(i) * 1e-4);
  REQUIRE(unmask::io::write_npy(f / "s/nan.npy", nan));
  m = good;
  m["images"][2]["file"] = "nan.npy", m["images"][2]["scale"] = 1;
  REQUIRE(with(f, m).code == 0);
  result = read(f / "o/nan_declouded.npy");
  for (index_t i = 0; i < result.size(); ++i) CHECK(std::isnan(result.digit(i)) == (i / 7 / 64 == 5));

  m = good;
  m["images"][2]["hidden"]["hides"] = 0;
  r = with(f, m);
  CHECK(r.code == 0);
  CHECK(r.err.find("looks inverted") != std::string::npos);

  raster moved = read(f / "s/date1.npy");
  for (index_t i = 0; i < moved.size(); ++i) moved.set(i, moved.digit(i) + 1000);
  REQUIRE(unmask::io::write_npy(f / "s/moved.npy", moved));
  m = good;
  m["images"] = {good["images"][2], good["images"][1]};
  m["images"][1]["file"] = "moved.npy";
  m["target"] = 0;
  // seasons differ; the date compared with itself, moved, does not
  m["images"][0]["file"] = "date1.npy";
  r = with(f, m);
  CHECK(r.err.find("offset of -1000") != std::string::npos);
  m["images"][1]["offset"] = -.1;
  r = with(f, m);
  CHECK(r.err.find("offset of -1000") == std::string::npos);

  // a classification at half the resolution: class 9 is cloud, 4 vegetation
  raster classes(sample_type::u8, 32, 32, 1);
  for (index_t i = 0; i < 1024; ++i) classes.set(i, i / 32 < 10 && i % 32 < 12 ? 9 : 4);
  REQUIRE(unmask::io::write_npy(f / "s/scl.npy", classes, true));
  m = good;
  m["images"][2]["visibility"] = {{"file", "scl.npy"}, {"kind", "scl"}};
  m["images"][2].erase("hidden");
  REQUIRE(with(f, m, "--margin 3 --keep-shadows").code == 0);
  origin = read(f / "o/date2_origin.npy");
  CHECK(origin.digit(19 * 64 + 5) == 2);
  CHECK(origin.digit(22 * 64 + 5) == 2);
  CHECK(origin.digit(23 * 64 + 5) == 1);
}

TEST_CASE("mask: any source to visibility with a picture") {
  const scratch_folder f;
  raster bits(sample_type::u16, 9, 8, 1);
  for (index_t i = 0; i < 72; ++i) bits.set(i, i == 0 ? 1 : i == 44 ? 22280 : 21824);
  REQUIRE(unmask::io::write_npy(f / "qa.npy", bits, true));
  const std::string common = " --out '" + (f / "v.npy") + "' --picture '" + (f / "v.png") + "'";
  REQUIRE(run_program(f, "mask --source '" + (f / "qa.npy") + "' --kind qa_pixel --margin 1" + common).code == 0);
  const raster v = read(f / "v.npy");
  CHECK(std::isnan(v.digit(0)));
  for (index_t i = 1; i < 72; ++i) CHECK(v.digit(i) == (i == 44 || i == 43 || i == 45 || i == 36 || i == 52 ? 0 : 1));
  CHECK(read_text(f / "v.png").substr(1, 3) == "PNG");
  check_refused(run_program(f, "mask --source '" + (f / "qa.npy") + "' --kind scl" + common), "qa.npy",
                "is none of kind 'scl'");
  check_refused(run_program(f, "mask --source '" + (f / "qa.npy") + "' --kind binary" + common), "qa.npy", "\"hides\"");
}
