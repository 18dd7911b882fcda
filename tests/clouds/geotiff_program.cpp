/// The program on GeoTIFF files as they come: tags, open pixels' digits, place on the ground.

#include "stack_program.hpp"
#include "tiff_maker.hpp"

using namespace unmask_test;
namespace {

io::geotiff read_tiff(const std::string& path) {
  auto t = io::read_geotiff(path);
  REQUIRE_MESSAGE(t, path);
  return std::move(*t);
}

/// A stack of three generated dates; the manifest names date0.tif to date2.tif, which a test writes.
struct tiff_stack {
  scratch_folder f;
  std::vector<raster> dates;
  nlohmann::json manifest;

  explicit tiff_stack(const std::string& options = "--size 64") {
    REQUIRE(run_program(f, "simulate-clouds --dates 3 " + options + " --out '" + (f / "s") + "'").code == 0);
    manifest = nlohmann::json::parse(read_text(f / "s/stack.json"));
    for (const char* key : {"scale", "offset", "nodata"}) manifest.erase(key);
    for (int t = 0; t < 3; ++t) {
      dates.push_back(read_plain(f / ("s/date" + std::to_string(t) + ".npy")));
      for (index_t i = 0; i < dates.back().size(); ++i) dates.back().set(i, dates.back().digit(i) + 1000);
      manifest["images"][static_cast<std::size_t>(t)]["file"] = "date" + std::to_string(t) + ".tif";
    }
  }
  std::string file(int t) const { return f / ("s/date" + std::to_string(t) + ".tif"); }
  void write(int t, const layout& l, const geo_tags& geo = {}) const {
    write_tiff(file(t), dates[static_cast<std::size_t>(t)], l, geo);
  }
  outcome run(const std::string& options = "") const {
    write_text(f / "s/m.json", manifest.dump());
    return run_program(f, "declouds --manifest '" + (f / "s/m.json") + "' --out '" + (f / "o") + "' " + options);
  }
};

/// What gdalinfo says of everything but the file's own name and its pixels.
std::string gdal_says(const scratch_folder& f, const std::string& path) {
  REQUIRE(std::system(("gdalinfo -json '" + path + "' >'" + (f / "gdal") + "' 2>/dev/null").c_str()) == 0);
  auto j = nlohmann::json::parse(read_text(f / "gdal"));
  j.erase("description"), j.erase("files");
  return j.dump();
}

}  // namespace

TEST_CASE("GeoTIFF in every layout: tags byte for byte, open pixels' very digits, the same result as from NPY") {
  tiff_stack s;
  const bool gdal = std::system("gdalinfo --version >/dev/null 2>&1") == 0;
  if (!gdal) MESSAGE("skipped: gdalinfo is not installed (Debian: gdal-bin), its opinion of the tags");
  // the same from NPY
  nlohmann::json plain = s.manifest;
  plain["scale"] = 1e-4, plain["offset"] = -.1, plain["nodata"] = 0;
  for (int t = 0; t < 3; ++t) {
    REQUIRE(io::write_npy(s.f / ("s/plain" + std::to_string(t) + ".npy"), s.dates[static_cast<std::size_t>(t)]));
    plain["images"][static_cast<std::size_t>(t)]["file"] = "plain" + std::to_string(t) + ".npy";
  }
  write_text(s.f / "s/p.json", plain.dump());
  REQUIRE(run_program(s.f, "declouds --manifest '" + (s.f / "s/p.json") + "' --out '" + (s.f / "p") + "'").code == 0);
  const raster wanted = read_plain(s.f / "p/plain2_declouded.npy"), origin = read_plain(s.f / "p/plain2_origin.npy"),
               deviation = read_plain(s.f / "p/plain2_deviation.npy");
  for (const layout& l : layouts()) {
    if (TIFFIsCODECConfigured(l.compression) == 0) continue;
    CAPTURE(l.mode);
    CAPTURE(l.compression);
    CAPTURE(l.tiled);
    for (int t = 0; t < 3; ++t) s.write(t, l);
    const auto done = s.run();
    REQUIRE_MESSAGE(done.code == 0, done.err);
    const std::string out = s.f / "o/date2_declouded.tif";
    const auto result = read_tiff(out);
    CHECK(result.digits.bytes == wanted.bytes);
    CHECK(tags_of(out) == tags_of(s.file(2)));
    CHECK(bytes_of(out).substr(0, 4) == bytes_of(s.file(2)).substr(0, 4));
    index_t open = 0, hidden = 0;
    for (index_t i = 0; i < wanted.size(); ++i) {
      const bool observed = origin.digit(i / 7) == 1;
      (observed ? open : hidden)++;
      if (observed) REQUIRE(result.digits.digit(i) == s.dates[2].digit(i));
    }
    CHECK(open > 0);
    CHECK(hidden > 0);
    // provenance and deviation lie in the same place
    const auto from = read_tiff(s.f / "o/date2_origin.tif"), spread = read_tiff(s.f / "o/date2_deviation.tif");
    CHECK(from.digits.type == io::sample_type::u8);
    CHECK(from.digits.bytes == origin.bytes);
    CHECK(from.nodata == 0.);
    CHECK(spread.digits.bytes == deviation.bytes);
    CHECK(spread.digits.type == io::sample_type::f32);
    CHECK(std::isnan(spread.nodata.value_or(0)));
    for (const char* name : {"o/date2_origin.tif", "o/date2_deviation.tif"}) {
      const auto there = read_tiff(s.f / name).grid, here = result.grid;
      REQUIRE((there && here));
      CHECK(there->x == here->x);
      CHECK(there->y == here->y);
      CHECK(there->width == here->width);
      CHECK(there->system == 32633);
      if (l.mode[1] != 'b') CHECK(tags_of(s.f / name, 33550, 34737) == tags_of(s.file(2), 33550, 34737));
    }
    if (gdal) CHECK(gdal_says(s.f, out) == gdal_says(s.f, s.file(2)));
    // read by a child process: libtiff copies nothing here, so the same digits come as NPY
    const auto careful = s.run("--untrusted");
    REQUIRE_MESSAGE(careful.code == 0, careful.err);
    CHECK(careful.out.find("results are NPY") != std::string::npos);
    CHECK(read_plain(s.f / "o/date2_declouded.npy").bytes == wanted.bytes);
    CHECK(read_plain(s.f / "o/date2_origin.npy").bytes == origin.bytes);
    CHECK(read_plain(s.f / "o/date2_deviation.npy").bytes == deviation.bytes);
  }
}

TEST_CASE("GeoTIFF: another place, another pixel size, another reference system, no tags, a truncated file") {
  tiff_stack s;
  const layout l{"w", true, false, COMPRESSION_ADOBE_DEFLATE, 1};
  for (int t = 0; t < 3; ++t) s.write(t, l);
  REQUIRE(s.run().code == 0);
  // two tiles that overlap: the same size, 40 pixels apart
  s.write(1, l, {.x = 500400});
  for (const char* how : {"", "--untrusted"})
    check_refused(s.run(how), "date1.tif", "its corner is (500400, 4649776.22), expected (500000, 4649776.22)");
  s.write(1, l, {.pixel = 20});
  check_refused(s.run(), "date1.tif", "pixels of 20");
  s.write(1, l, {.system = 32634});
  for (const char* how : {"", "--untrusted"}) check_refused(s.run(how), "date1.tif", "EPSG:32634, expected EPSG:32633");
  s.write(1, l, {.more = "<Item name=\"SCALE\" sample=\"1\" role=\"scale\">0.0002</Item>"});
  check_refused(s.run(), "date1.tif", "another scale each");
  s.write(1, l, {.more = "<Item name=\"SCALE\" sample=\"1\" role=\"scale\">0.0001</Item>"});
  CHECK(s.run().code == 0);
  // no tags at all: the scale has to come from the manifest, and a line says that the place is not known
  s.write(1, l, {.any = false});
  s.manifest["scale"] = 1e-4, s.manifest["offset"] = -.1, s.manifest["nodata"] = 0;
  auto r = s.run();
  CHECK(r.code == 0);
  CHECK(r.err.find("date1.tif: says no place") != std::string::npos);
  for (int t = 0; t < 3; ++t) s.write(t, l, {.any = false});
  r = s.run();
  CHECK(r.code == 0);
  CHECK(r.err.find("says no place") == std::string::npos);
  CHECK(tags_of(s.f / "o/date2_declouded.tif") == tags_of(s.file(2)));
  CHECK(read_tiff(s.f / "o/date2_origin.tif").digits.width == 64);
  // truncated
  const std::string whole = bytes_of(s.file(1));
  for (const std::size_t keep : {std::size_t{100}, whole.size() / 2, whole.size() - 200}) {
    write_text(s.file(1), whole.substr(0, keep));
    for (const char* how : {"", "--untrusted"}) check_refused(s.run(how), "date1.tif", "truncated");
  }
}

TEST_CASE("GeoTIFF: a mask at another resolution lies in the same place, or is refused") {
  tiff_stack s;
  const layout l{"w", true, false, COMPRESSION_LZW, 1};
  for (int t = 0; t < 3; ++t) s.write(t, l);
  raster classes(io::sample_type::u16, 32, 32, 1);
  for (index_t i = 0; i < 1024; ++i) classes.set(i, i / 32 < 10 && i % 32 < 12 ? 9 : 4);
  s.manifest["images"][2]["visibility"] = {{"file", "scl.tif"}, {"kind", "scl"}};
  s.manifest["images"][2].erase("hidden");
  write_tiff(s.f / "s/scl.tif", classes, l, {.pixel = 20});
  REQUIRE(s.run("--keep-shadows").code == 0);
  const auto origin = read_tiff(s.f / "o/date2_origin.tif");
  CHECK(origin.digits.digit(22 * 64 + 5) == 2);
  CHECK(origin.digits.digit(23 * 64 + 5) == 1);
  const std::string source = "mask --kind scl --source '" + (s.f / "s/scl.tif") + "' --height 64 --width 64 --out ";
  REQUIRE(run_program(s.f, source + (s.f / "plain.npy")).code == 0);
  REQUIRE(run_program(s.f, source + (s.f / "careful.npy") + " --untrusted").code == 0);
  CHECK(read_text(s.f / "plain.npy") == read_text(s.f / "careful.npy"));
  write_tiff(s.f / "s/scl.tif", classes, l, {.x = 500640, .pixel = 20});
  check_refused(s.run(), "scl.tif", "cut both to one grid");
}

TEST_CASE("files of the same name in two folders do not overwrite each other's results") {
  tiff_stack s;
  const layout l{"w", false, false, COMPRESSION_NONE, 1};
  for (int t = 0; t < 3; ++t) {
    const std::string folder = "s/d" + std::to_string(t);
    fs::create_directories(s.f / folder);
    s.write(t, l);
    fs::rename(s.file(t), s.f / (folder + "/B.tif"));
    s.manifest["images"][static_cast<std::size_t>(t)]["file"] = "d" + std::to_string(t) + "/B.tif";
  }
  REQUIRE(s.run("--target all").code == 0);
  for (const auto& image : s.manifest["images"])
    CHECK(fs::exists(s.f / ("o/B_" + image["date"].get<std::string>() + "_declouded.tif")));
}
