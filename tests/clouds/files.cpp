/// NPY and GeoTIFF: what was not changed keeps its bits, what is damaged is refused in one line.

#include <doctest/doctest.h>

#include <unistd.h>
#include <filesystem>
#include <fstream>
#include <unmask/io/npy.hpp>

#if UNMASK_TEST_HAS_TIFF
#include "tiff_maker.hpp"
#endif

#include <unmask/core/tensor.hpp>

using namespace unmask;
#if UNMASK_TEST_HAS_TIFF
using namespace unmask_test;
#endif
namespace fs = std::filesystem;

namespace {

struct folder {
  fs::path path = fs::temp_directory_path() / ("unmask_clouds_" + std::to_string(::getpid()));
  folder() { fs::create_directories(path); }
  ~folder() { fs::remove_all(path); }
  std::string operator/(const char* name) const { return (path / name).string(); }
};

io::raster sample(io::sample_type t, index_t h, index_t w, index_t c) {
  io::raster r(t, h, w, c);
  for (index_t i = 0; i < r.size(); ++i) r.set(i, static_cast<double>((i * 7919) % 120 + 1));
  return r;
}

std::string text_of(const std::string& path) {
  std::ifstream f(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(f), {}};
}

void write_text(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

}  // namespace

TEST_CASE("NPY: every type there and back, the other byte order, and what is refused") {
  const folder at;
  for (int t = 0; t < 8; ++t) {
    const auto r = sample(static_cast<io::sample_type>(t), 5, 7, 3);
    REQUIRE(io::write_npy(at / "a.npy", r));
    const auto back = io::read_npy(at / "a.npy");
    REQUIRE(back);
    CHECK(back->type == r.type);
    CHECK(back->bytes == r.bytes);
    CHECK(back->bands == 3);
  }
  REQUIRE(io::write_npy(at / "p.npy", sample(io::sample_type::u16, 4, 6, 1), true));
  CHECK(text_of(at / "p.npy").find("(4, 6), }") != std::string::npos);
  std::string text = text_of(at / "p.npy");
  CHECK(text.size() == 128 + 48 + unmask::io::output_mark.size());

  std::string big = text;
  big.replace(big.find("<u2"), 3, ">u2");
  for (std::size_t i = 128; i < big.size(); i += 2) std::swap(big[i], big[i + 1]);
  write_text(at / "b.npy", big);
  CHECK(io::read_npy(at / "b.npy")->bytes == io::read_npy(at / "p.npy")->bytes);

  const auto refused = [&](std::string changed, const char* why) {
    write_text(at / "x.npy", changed);
    const auto r = io::read_npy(at / "x.npy");
    REQUIRE_FALSE(r);
    CHECK(r.error().message().find(why) != std::string::npos);
    CHECK(r.error().message().find("x.npy") != std::string::npos);
    CHECK(r.error().message().find('\n') == std::string::npos);
  };
  refused(text.substr(0, 150), "ends after 150 bytes");
  refused(text.substr(0, 40), "header");
  refused("not a file of numbers", "not an NPY file");
  std::string other = text;
  other.replace(other.find("False"), 5, "True ");
  refused(other, "Fortran order");
  other = text;
  other.replace(other.find("<u2"), 3, "<c8");
  refused(other, "type");
  other = text;
  other.replace(other.find("(4, 6)"), 6, "(4, 0)");
  refused(other, "expected [H, W]");
  CHECK(io::read_npy(at / "none.npy").error().code() == errc::not_found);
}

TEST_CASE("digits are set to the nearest that the type holds") {
  io::raster r(io::sample_type::u16, 1, 1, 1);
  for (const auto& [given, kept] : {std::pair{3.4, 3.}, {3.6, 4.}, {-5., 0.}, {1e9, 65535.}}) {
    r.set(0, given);
    CHECK(r.digit(0) == kept);
  }
}

#if UNMASK_TEST_HAS_TIFF
TEST_CASE("GeoTIFF: striped, tiled, compressed, big-endian and BigTIFF files keep their tags and open pixels' digits") {
  const folder at;
  const auto r = sample(io::sample_type::u16, 45, 37, 3);
  for (const layout& l : layouts()) {
    if (TIFFIsCODECConfigured(l.compression) == 0) {
      MESSAGE("skipped: libtiff was built without compression ", l.compression);
      continue;
    }
    CAPTURE(l.mode);
    CAPTURE(l.compression);
    write_tiff(at / "a.tif", r, l);
    const auto read = io::read_geotiff(at / "a.tif");
    REQUIRE(read);
    REQUIRE(read->digits.bytes == r.bytes);
    CHECK(read->nodata == 0.);
    CHECK(read->scale == 1e-4);
    CHECK(read->offset == -.1);
    tensor<std::uint8_t, 2> changed({45, 37});
    io::raster wanted = r;
    for (index_t h = 9; h < 30; ++h)
      for (index_t w = 5; w < 20; ++w) {
        changed(h, w) = 1;
        for (index_t c = 0; c < 3; ++c)
          wanted.set((h * 37 + w) * 3 + c, static_cast<double>((h * 631 + w * 97 + c * 5077) % 60000));
      }
    REQUIRE(io::rewrite_geotiff(at / "b.tif", at / "a.tif", wanted, changed.view()));
    const auto back = io::read_geotiff(at / "b.tif");
    REQUIRE(back);
    CHECK(back->digits.bytes == wanted.bytes);
    CHECK(tags_of(at / "b.tif") == tags_of(at / "a.tif"));
    CHECK(text_of(at / "b.tif").substr(0, 4) == text_of(at / "a.tif").substr(0, 4));
    // and the source is what it was
    CHECK(io::read_geotiff(at / "a.tif")->digits.bytes == r.bytes);
  }
}

TEST_CASE("GeoTIFF: no tags, truncated files, other files") {
  const folder at;
  write_tiff(at / "a.tif", sample(io::sample_type::u16, 45, 37, 3), {"w", true, false, COMPRESSION_LZW, 1});
  const std::string whole = text_of(at / "a.tif");
  for (const std::size_t keep : {std::size_t{3}, std::size_t{100}, whole.size() / 2, whole.size() - 40}) {
    write_text(at / "t.tif", whole.substr(0, keep));
    const auto r = io::read_geotiff(at / "t.tif");
    REQUIRE_FALSE(r);
    CHECK(r.error().message().find("t.tif") != std::string::npos);
  }
  write_text(at / "t.tif", "GIF89a and more");
  CHECK(io::read_geotiff(at / "t.tif").error().code() == errc::unreadable);
  CHECK(io::read_geotiff(at / "none.tif").error().code() == errc::not_found);
}
#endif
