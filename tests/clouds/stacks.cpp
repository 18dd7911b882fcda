/// Stacks as people have them: few or no other dates, odd sizes, any order, HDF5 and NetCDF; what `info` and `evaluate`
/// say of them; the limit of memory.

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNMASK_TEST_ASAN 1
#endif
#endif

#include "../io/hdf5_maker.hpp"
#include "stack_program.hpp"

using namespace unmask_test;

namespace {

/// A stack of 16-bit images of different files as one variable of an HDF5 file.
std::vector<int> joined(const std::vector<raster>& dates, bool bands_first) {
  std::vector<int> all;
  for (const raster& r : dates) {
    const index_t n = r.height * r.width, C = r.bands;
    for (index_t i = 0; i < r.size(); ++i)
      all.push_back(static_cast<int>(r.digit(bands_first ? i % n * C + i / n : i)));
  }
  return all;
}

}  // namespace

TEST_CASE("all cloud, no other date, one other date: a result, and a line where much cannot be expected") {
  generated_stack s("--size 48 --dates 3");
  const nlohmann::json all = s.manifest;
  const raster truth = s.read("truth.npy"), hidden = s.read("date2_hidden.npy");
  s.manifest["images"] = nlohmann::json::array({all["images"][2]});
  s.manifest["target"] = 0;
  auto r = s.run();
  CHECK(r.code == 0);
  CHECK(r.out.find("no other date sees anything") != std::string::npos);
  const raster alone = s.result("date2_declouded.npy"), origin = s.result("date2_origin.npy");
  for (index_t i = 0; i < origin.size(); ++i) CHECK(origin.digit(i) == (hidden.digit(i) > 0 ? 3 : 1));
  s.manifest["images"] = {all["images"][2], all["images"][1]};
  REQUIRE(s.run().code == 0);
  const double cloudy = hidden_error(truth, s.read("date2.npy"), hidden);
  CHECK(hidden_error(truth, alone, hidden) < .4 * cloudy);
  CHECK(hidden_error(truth, s.result("date2_declouded.npy"), hidden) < .4 * cloudy);
  // everything hidden: what the other dates say, not adapted
  raster nothing(io::sample_type::u8, 48, 48, 1);
  for (index_t i = 0; i < nothing.size(); ++i) nothing.set(i, 1);
  REQUIRE(io::write_npy(s.file("nothing.npy"), nothing, true));
  s.manifest = all;
  s.image(2).erase("visibility");
  s.image(2)["hidden"]["file"] = "nothing.npy";
  s.image(2)["visibility"] = {{"file", "nothing.npy"}, {"kind", "binary"}, {"hides", 1}};
  r = s.run();
  CHECK(r.code == 0);
  CHECK(r.out.find("nothing is open") != std::string::npos);
  CHECK(hidden_error(truth, s.result("date2_declouded.npy"), hidden) < 1500);
  // and other dates that see nothing are none
  s.manifest = all;
  for (const std::size_t t : {std::size_t{0}, std::size_t{1}}) {
    s.image(t)["hidden"]["file"] = "nothing.npy";
    s.image(t).erase("visibility");
  }
  r = s.run();
  CHECK(r.code == 0);
  CHECK(r.out.find("0 other dates") != std::string::npos);
  CHECK(s.result("date2_declouded.npy").bytes == alone.bytes);
}

TEST_CASE("dates out of order give the same bits, odd and non-square sizes a result") {
  generated_stack s("--size 61 --dates 4");
  REQUIRE(s.run().code == 0);
  const std::string sorted = read_text(s.f / "o/date2_declouded.npy");
  auto& images = s.manifest["images"];
  std::swap(images[0], images[3]);
  std::swap(images[1], images[2]);
  s.manifest["target"] = 1;
  REQUIRE(s.run("", 1).code == 0);
  CHECK(read_text(s.f / "o/date2_declouded.npy") == sorted);
  // the first 37 rows and 53 columns of everything
  for (const auto& entry : fs::directory_iterator(s.f / "s")) {
    if (entry.path().extension() != ".npy") continue;
    auto file = io::npy_file::open(entry.path().string());
    REQUIRE(file);
    const auto part = file->read({0, 0, 37, 53});
    REQUIRE(part);
    REQUIRE(io::write_npy(entry.path().string(), *part, part->bands == 1));
  }
  REQUIRE(s.run().code == 0);
  const raster result = s.result("date2_declouded.npy"), hidden = s.read("date2_hidden.npy");
  CHECK(result.height == 37);
  CHECK(result.width == 53);
  CHECK(hidden_error(s.read("truth.npy"), result, hidden) <
        hidden_error(s.read("truth.npy"), s.read("date2.npy"), hidden));
}

TEST_CASE("HDF5 and NetCDF: one image of a stack, bands first or last, a band a variable, masks; scale from the file") {
  generated_stack s("--size 40 --dates 3");
  REQUIRE(s.run().code == 0);
  const std::string wanted = read_text(s.f / "o/date2_declouded.npy");
  std::vector<raster> dates;
  for (int t = 0; t < 3; ++t) dates.push_back(s.read("date" + std::to_string(t) + ".npy"));
  {
    io_test::hdf5_maker file(s.file("stack.h5"));
    const auto last = file.put<int>("frames", {3, 40, 40, 7}, joined(dates, false), H5T_STD_U16LE);
    const auto first = file.put<int>("planes", {3, 7, 40, 40}, joined(dates, true), H5T_STD_U16BE);
    for (const auto* data : {&last, &first}) {
      io_test::hdf5_maker::attribute(*data, "scale_factor", 1e-4);
      io_test::hdf5_maker::attribute(*data, "_FillValue", 0);
    }
    for (index_t c = 0; c < 7; ++c) {
      std::vector<int> band;
      for (const raster& r : dates)
        for (index_t i = 0; i < 1600; ++i) band.push_back(static_cast<int>(r.digit(i * 7 + c)));
      file.put<int>("B" + std::to_string(c), {3, 40, 40}, band, H5T_STD_U16LE);
    }
    std::vector<int> masks;
    for (int t = 0; t < 3; ++t) {
      const raster m = s.read("date" + std::to_string(t) + "_hidden.npy");
      for (index_t i = 0; i < m.size(); ++i) masks.push_back(static_cast<int>(m.digit(i)));
    }
    file.put<int>("hidden", {3, 40, 40}, masks, H5T_STD_U8LE);
  }
  const nlohmann::json good = s.manifest;
  const auto check = [&](const std::string& stem) {
    for (const char* how : {"", "--untrusted"}) {
      fs::remove_all(s.f / "o");
      const auto r = s.run(how);
      REQUIRE_MESSAGE(r.code == 0, r.err);
      CHECK(read_text(s.f / ("o/" + stem + "_declouded.npy")) == wanted);
    }
    const auto plain = run_program(s.f, "info --json '" + s.written() + "'"),
               careful = run_program(s.f, "info --json --untrusted '" + s.written() + "'");
    CHECK(plain.code == 0);
    CHECK_MESSAGE(plain.out == careful.out, careful.err);
  };
  for (std::size_t t = 0; t < 3; ++t) {
    s.image(t)["file"] = "stack.h5:frames[" + std::to_string(t) + "]";
    s.image(t)["hidden"]["file"] = "stack.h5:hidden[" + std::to_string(t) + "]";
  }
  s.manifest.erase("scale"), s.manifest.erase("nodata");
  check("stack_frames_2");
  s.manifest["axes"] = "chw";
  for (std::size_t t = 0; t < 3; ++t) s.image(t)["file"] = "stack.h5:planes[" + std::to_string(t) + "]";
  check("stack_planes_2");
  s.manifest = good;
  for (std::size_t t = 0; t < 3; ++t) {
    nlohmann::json bands;
    for (index_t c = 0; c < 7; ++c) bands.push_back("stack.h5:B" + std::to_string(c) + "[" + std::to_string(t) + "]");
    s.image(t)["file"] = bands;
  }
  check("stack_B0_2");

  s.image(1)["file"] = "stack.h5:frames";
  check_refused(s.run(), "frames", "one image of a stack is frames[0]");
  s.image(1)["file"] = "stack.h5:frames[3]";
  check_refused(s.run(), "frames", "expected 0 to 2");
  s.image(1)["file"] = "stack.h5:reflectance[1]";
  check_refused(s.run(), "stack.h5", "variable 'reflectance' not found");
  s.image(1)["file"] = "stack.h5";
  check_refused(s.run(), "stack.h5", "FILE:NAME");
  s.image(1)["file"] = nlohmann::json::array({"stack.h5:B0[1]", "date1_hidden.npy"});
  check_refused(s.run(), "date1_hidden.npy", "another type");
  write_text(s.file("short.h5"), read_text(s.file("stack.h5")).substr(0, 20000));
  s.image(1)["file"] = "short.h5:frames[1]";
  check_refused(s.run(), "short.h5", "");
  check_refused(s.run("--untrusted"), "short.h5", "");
}

TEST_CASE("results in the folder of the dates never replace a date, a mask, the manifest or somebody else's file") {
  generated_stack s("--size 40 --dates 3");
  const auto refused = [&](const outcome& r, const char* file, const char* why, const std::string& kept) {
    check_refused(r, file, why);
    CHECK(read_text(s.file(file)) == kept);
  };
  const std::string date = read_text(s.file("date0.npy")), manifest = read_text(s.file("stack.json"));
  const auto simulate = [&](const std::string& from, const std::string& more = "") {
    return run_program(s.f, "simulate-clouds --manifest '" + s.file(from) + "' --out '" + (s.f / "s") + "'" + more);
  };
  refused(simulate("stack.json"), "date0.npy", "which would be lost", date);
  refused(simulate("stack.json", " --force"), "date0.npy", "which would be lost", date);
  for (int t = 0; t < 3; ++t) {
    const std::string name = "clear" + std::to_string(t) + ".npy";
    fs::rename(s.file("date" + std::to_string(t) + ".npy"), s.file(name));
    s.image(static_cast<std::size_t>(t))["file"] = name;
    for (const char* key : {"visibility", "hidden"}) s.image(static_cast<std::size_t>(t)).erase(key);
  }
  write_text(s.file("stack.json"), s.manifest.dump());
  refused(simulate("stack.json"), "stack.json", "which would be lost", s.manifest.dump());
  // A mask whose name is that of a result.
  fs::rename(s.file("date2_hidden.npy"), s.file("clear2_origin.npy"));
  s.image(2)["hidden"] = {{"file", "clear2_origin.npy"}, {"kind", "binary"}, {"hides", 1}};
  const std::string mask = read_text(s.file("clear2_origin.npy"));
  const std::string run = "declouds --manifest '" + s.written() + "' --out '" + (s.f / "s") + "'";
  refused(run_program(s.f, run), "clear2_origin.npy", "which would be lost", mask);
  fs::rename(s.file("clear2_origin.npy"), s.file("mask.npy"));
  s.image(2)["hidden"]["file"] = "mask.npy";
  s.written();
  write_text(s.file("clear2_deviation.npy"), "mine");
  refused(run_program(s.f, run), "clear2_deviation.npy", "--force", "mine");
  CHECK(run_program(s.f, run + " --force").code == 0);
  CHECK(run_program(s.f, run).code == 0);  // over its own results
}

TEST_CASE("info: bands, offsets, polarity and cover by date") {
  generated_stack s("--size 48 --dates 3");
  const raster hidden = s.read("date2_hidden.npy");
  double share = 0;
  for (index_t i = 0; i < hidden.size(); ++i) share += hidden.digit(i) / static_cast<double>(hidden.size());
  s.image(0)["sun_azimuth"] = 160;
  auto r = run_program(s.f, "info '" + s.written() + "' --json");
  REQUIRE(r.code == 0);
  const auto j = nlohmann::json::parse(r.out);
  CHECK(j["kind"] == "stack");
  CHECK(j["images"].size() == 3);
  const auto& target = j["images"][2];
  CHECK(target["bands"] == 7);
  CHECK(target["type"] == "u2");
  CHECK(target["scale"] == 1e-4);
  CHECK(target["offset"] == 0.);
  CHECK(target["hidden"].get<double>() == doctest::Approx(share));
  CHECK(target["masks"]["hidden"]["meaning"] == "binary, 1 hides");
  CHECK(target["masks"]["visibility"]["meaning"] == "visibility, 1 = trust");
  CHECK(j["images"][0]["sun_azimuth"] == 160);
  r = run_program(s.f, "info '" + s.written() + "'");
  CHECK(r.out.find("binary, 1 hides") != std::string::npos);
  CHECK(r.out.find("(target)") != std::string::npos);
  s.image(2)["hidden"]["hides"] = 0;
  r = run_program(s.f, "info '" + s.written() + "'");
  CHECK(r.out.find("looks inverted") != std::string::npos);
  s.image(0)["sun_elevation"] = -5;
  check_refused(run_program(s.f, "info '" + s.written() + "'"), "image 0", "90 - zenith angle");
}

TEST_CASE("evaluate by region: numbers that a loop finds too, no data counts nowhere") {
  generated_stack s("--size 64 --dates 3 --kind thin");
  REQUIRE(s.run().code == 0);
  const raster truth = s.read("truth.npy"), result = s.result("date2_declouded.npy"),
               visibility = s.read("date2_visibility.npy");
  const std::string common = "evaluate --truth '" + s.file("truth.npy") + "' --estimate '" +
                             (s.f / "o/date2_declouded.npy") + "' --visibility '" + s.file("date2_visibility.npy") +
                             "' --scale 1e-4 --json";
  auto r = run_program(s.f, common + " --shadow '" + s.file("date2_shadow.npy") + "' --deviation '" +
                                (s.f / "o/date2_deviation.npy") + "'");
  REQUIRE_MESSAGE(r.code == 0, r.err);
  auto j = nlohmann::json::parse(r.out);
  double sum = 0, count = 0;
  for (index_t i = 0; i < truth.size(); ++i)
    if (visibility.digit(i / 7) < .5) sum += std::pow(1e-4 * (truth.digit(i) - result.digit(i)), 2), ++count;
  CHECK(j["hidden"]["pixels"] == count / 7);
  CHECK(j["hidden"]["psnr"].get<double>() == doctest::Approx(-10 * std::log10(sum / count)).epsilon(1e-4));
  index_t rim = 0;
  for (index_t h = 0; h < 64; ++h)
    for (index_t w = 0; w < 64; ++w) {
      bool near = false;
      for (index_t y = std::max<index_t>(0, h - 3); y <= std::min<index_t>(63, h + 3); ++y)
        for (index_t x = std::max<index_t>(0, w - 3); x <= std::min<index_t>(63, w + 3); ++x)
          near = near || (visibility.digit(y * 64 + x) >= .5 && (y - h) * (y - h) + (x - w) * (x - w) <= 9);
      rim += near && visibility.digit(h * 64 + w) < .5;
    }
  CHECK(j["rim"]["pixels"] == rim);
  CHECK(j["open"]["pixels"].get<index_t>() + j["hidden"]["pixels"].get<index_t>() == 64 * 64);
  CHECK(j["shadow"]["pixels"] > 0);
  CHECK(j["thin"]["pixels"] > 0);
  CHECK(j["hidden"]["within_deviation"] > .2);
  CHECK(j["no_data"] == 0);
  // a row without data
  raster holes = result;
  for (index_t i = 0; i < 64 * 7; ++i) holes.set(5 * 64 * 7 + i, 0);
  REQUIRE(io::write_npy(s.f / "o/date2_declouded.npy", holes));
  r = run_program(s.f, common);
  REQUIRE(r.code == 0);
  j = nlohmann::json::parse(r.out);
  CHECK(j["no_data"] == 64);
  CHECK(j["open"]["pixels"].get<index_t>() + j["hidden"]["pixels"].get<index_t>() == 64 * 63);
  // whole numbers have no scale by themselves; two masks are one too many
  check_refused(run_program(s.f, common.substr(0, common.find(" --scale"))), "truth.npy", "--scale");
  check_refused(run_program(s.f, common + " --mask '" + s.file("date2_hidden.npy") + "'"), "--mask", "--visibility");
}

// The address sanitizer's own memory counts as the program's.
#if !defined(__SANITIZE_ADDRESS__) && !defined(UNMASK_TEST_ASAN)
TEST_CASE("a limit of memory makes tiles smaller, is kept, and is refused where nothing keeps it") {
  generated_stack s("--size 400 --dates 3");
  REQUIRE(s.run("--tile 128").code == 0);
  const std::string wanted = read_text(s.f / "o/date2_declouded.npy");
  const auto r = s.run("--tile 128 --memory-limit 150 --json");
  REQUIRE_MESSAGE(r.code == 0, r.err);
  CHECK(read_text(s.f / "o/date2_declouded.npy") == wanted);
  const auto peak = nlohmann::json::parse(r.out).back()["peak_bytes"].get<double>();
  CHECK(peak < 150e6);
  REQUIRE(s.run("--memory-limit 120").code == 0);  // finds a tile by itself
  check_refused(s.run("--memory-limit 20"), "date2.npy", "--memory-limit 20: tiles of 64 pixels");
  check_refused(s.run("--memory-limit 2 --report '" + (s.f / "r.html") + "'"), "--report", "whole images");
}
#endif

TEST_CASE("numbers of a stack that are on another scale, or are no reflectance, are refused with what settles it") {
  generated_stack s("--size 48 --dates 3");
  const nlohmann::json good = s.manifest;
  const auto changed = [&](const char* key, const nlohmann::json& value) {
    s.manifest = good;
    if (value.is_null())
      s.manifest.erase(key);
    else
      s.manifest[key] = value;
    return s.run();
  };
  check_refused(changed("scale", nullptr), "date0.npy", "whole numbers without \"scale\"");
  check_refused(changed("scale", 1.), "date0.npy", "expected about 0 to 1");
  check_refused(changed("scale", 1e-7), "date0.npy", "expected about 0 to 1");
  check_refused(changed("offset", 5.), "date0.npy", "with a median of 5");
  check_refused(changed("offset", -2.), "date0.npy", "goes down to -1.9");
  check_refused(run_program(s.f, "simulate-clouds --manifest '" + s.written() + "' --out '" + (s.f / "again") + "'"),
                "date0.npy", "goes down to -1.9");
  auto r = run_program(s.f, "info '" + s.written() + "'");
  CHECK(r.code == 0);
  CHECK(r.out.find("goes down to -1.9") != std::string::npos);
  // What nobody declared as no data.
  s.manifest = good;
  raster holes(io::sample_type::f32, 48, 48, 7);
  const raster date = s.read("date1.npy");
  for (index_t i = 0; i < holes.size(); ++i) holes.set(i, i < 70 ? -9999 : date.digit(i) * 1e-4);
  REQUIRE(io::write_npy(s.file("holes.npy"), holes));
  s.image(1)["file"] = "holes.npy", s.image(1)["scale"] = 1;
  check_refused(s.run(), "holes.npy", "goes down to -9999: say \"nodata\"");
  s.image(1)["nodata"] = -9999;
  CHECK(s.run().code == 0);
  // Wavelengths.
  auto w = good["wavelengths"].get<std::vector<double>>();
  for (double& x : w) x *= 10;
  check_refused(changed("wavelengths", w), "m.json", "'wavelengths' has wavelengths of");
  for (double& x : w) x *= 1e-4;
  r = changed("wavelengths", w);
  CHECK(r.code == 0);
  CHECK(r.out.find("taken for micrometres") != std::string::npos);
  // The same key, the same file.
  s.manifest = good;
  s.image(1)["file"] = "date2.npy";
  check_refused(s.run(), "date2.npy", "two dates");
  s.manifest = good;
  std::string text = read_text(s.written());
  text.insert(text.rfind('}'), ", \"scale\": 1");
  write_text(s.f / "s/m.json", text);
  check_refused(run_program(s.f, "declouds --manifest '" + (s.f / "s/m.json") + "' --out '" + (s.f / "o") + "'"),
                "m.json", "'scale' is there twice");
  // Scores.
  const std::string score = "evaluate --truth '" + s.file("truth.npy") + "' --estimate '" + s.file("date2.npy") +
                            "' --visibility '" + s.file("date2_visibility.npy") + "' --scale ";
  CHECK(run_program(s.f, score + "1e-4").code == 0);
  check_refused(run_program(s.f, score + "1"), "truth.npy", "--scale");
}

TEST_CASE("a binary mask has two values; a third is not taken for one that shows the ground") {
  generated_stack s("--size 48 --dates 3");
  const raster hidden = s.read("date2_hidden.npy");
  const auto with = [&](int shows, int hides, int said) {
    raster m(io::sample_type::u8, 48, 48, 1);
    for (index_t i = 0; i < m.size(); ++i) m.set(i, hidden.digit(i) > 0 ? hides : shows);
    REQUIRE(io::write_npy(s.file("m.npy"), m, true));
    s.image(2)["hidden"] = {{"file", "m.npy"}, {"kind", "binary"}, {"hides", said}};
    return s.run();
  };
  CHECK(with(0, 1, 1).code == 0);
  CHECK(with(255, 0, 0).code == 0);
  CHECK(with(2, 1, 1).code == 0);
  CHECK(with(0, 0, 1).code == 0);  // nothing is hidden
  check_refused(with(0, 255, 1), "m.npy", "two values in all");
  check_refused(with(0, 2, 1), "m.npy", "beside \"hides\" 1");
  check_refused(run_program(s.f, "mask --source '" + s.file("m.npy") + "' --kind binary --hides 1 --out '" +
                                     (s.f / "v.npy") + "'"),
                "m.npy", "two values in all");
}
