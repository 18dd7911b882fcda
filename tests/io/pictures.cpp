/// A folder of pictures, one a band: what it is read as, and whatever leaves a doubt.

#include <filesystem>

#include "helpers.hpp"
#include "picture_maker.hpp"
#include "unmask/io/cube.hpp"
#include "unmask/io/geotiff_cube.hpp"
#include "unmask/io/tiff_format.hpp"
#include "unmask/io/untrusted.hpp"

using namespace unmask;
using namespace io_test;

namespace {

constexpr png_kind eight{6, 7, 8}, sixteen{6, 7, 16};

/// Digits that no two pixels of two bands share in a row.
std::vector<int> pixels(int band, int bits) {
  std::vector<int> list;
  for (int i = 0; i < 42; ++i) list.push_back(bits == 8 ? (37 * i + 11 * band) % 256 : (997 * i + 4099 * band) % 65536);
  return list;
}

void put_bands(const std::string& folder, const std::string& before, std::vector<int> numbers,
               const png_kind& kind = eight) {
  std::filesystem::create_directories(folder);
  for (const int n : numbers)
    spit(folder + "/" + before + std::to_string(n) + ".png", png_picture(kind, pixels(n, kind.bits)));
}

bool holds(const tensor<float, 3>& cube, int bands, int bits) {
  if (cube.extents() != std::array<index_t, 3>{7, 6, bands}) return false;
  for (int c = 0; c < bands; ++c)
    for (index_t i = 0; i < 42; ++i)
      if (cube.data()[i * bands + c] !=
          static_cast<float>(pixels(c + 1, bits)[static_cast<std::size_t>(i)] / (bits == 8 ? 255. : 65535.)))
        return false;
  return true;
}

void refused(const std::string& path, errc code, const std::vector<std::string>& pieces) {
  check_error(io::read_cube({path, ""}), code, pieces);
}

}  // namespace

TEST_CASE("io: pictures of 8 and 16 bits in the order of their numbers, and what they are divided by is said") {
  const temporary_folder folder;
  const std::vector<int> numbers{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  for (const png_kind& kind : {eight, sixteen}) {
    const std::string path = folder / ("scene_ms" + std::to_string(kind.bits));
    put_bands(path, "scene_ms_", numbers, kind);
    spit(path + "/scene_RGB.bmp", "BM");
    spit(path + "/Thumbs.db", "");
    spit(path + "/._scene_ms_01.png", "");
    for (const std::string& spelled : {path, path + "/"}) {
      const auto cube = io::read_cube({spelled, ""}, {});
      REQUIRE(cube);
      CHECK(holds(cube->cube, 12, kind.bits));
      CHECK(cube->wavelengths.empty());
      REQUIRE(cube->notes.size() == 1);
      CHECK(cube->notes[0].find(kind.bits == 8 ? "divided by 255" : "divided by 65535") != std::string::npos);
      CHECK(cube->notes[0].find("scene_ms_1.png to scene_ms_12.png") != std::string::npos);
    }
    const auto child = io::read_cube_untrusted({path, ""});
    REQUIRE_MESSAGE(child, child.error().message());
    CHECK(holds(child->cube, 12, kind.bits));
    const auto other = io::read_cube({path, ""}, {"", 4095});
    REQUIRE(other);
    CHECK(other->cube(0, 1, 0) == static_cast<float>(pixels(1, kind.bits)[1] / 4095.));
    REQUIRE(other->notes.size() == 1);
    CHECK(other->notes[0].find("divided by 4095") != std::string::npos);
  }
}

TEST_CASE("io: a folder that has nothing but a folder of pictures stands for it, as archives of CAVE unpack") {
  const temporary_folder folder;
  put_bands(folder / "balloons_ms/balloons_ms", "balloons_ms_", {1, 2, 3});
  const auto cube = io::read_cube({folder / "balloons_ms", ""});
  REQUIRE(cube);
  CHECK(holds(cube->cube, 3, 8));
  CHECK(io::is_pictures_folder(folder / "balloons_ms"));
  put_bands(folder / "balloons_ms/others_ms", "others_ms_", {1, 2, 3});
  refused(folder / "balloons_ms", errc::not_found, {"a folder without pictures of bands"});
  CHECK_FALSE(io::is_pictures_folder(folder / "balloons_ms"));
}

TEST_CASE("io: one picture is a plane of digits") {
  const temporary_folder folder;
  put_bands(folder / "x", "mask", {1}, sixteen);
  const auto plane = io::read_plane({folder / "x/mask1.png", ""});
  REQUIRE(plane);
  CHECK(plane->extents() == std::array<index_t, 2>{7, 6});
  CHECK((*plane)(0, 2) == static_cast<float>(pixels(1, 16)[2]));
}

TEST_CASE("io: pictures that leave a doubt are refused") {
  const temporary_folder folder;
  const auto fresh = [&](const std::vector<int>& numbers = {1, 2, 3}) {
    std::filesystem::remove_all(folder / "x");
    put_bands(folder / "x", "b_", numbers);
    return folder / "x";
  };
  const auto add = [&](const std::string& name, const std::string& bytes) { spit(folder / ("x/" + name), bytes); };
  refused(fresh({1, 2, 4}), errc::bad_argument, {"b_4.png", "follows number 2", "missing"});
  refused(fresh({2, 3, 4}), errc::bad_argument, {"b_2.png", "expected number 0 or 1"});
  CHECK(io::read_cube({fresh({0, 1, 2}), ""}));
  fresh();
  add("b_02.png", png_picture(eight, pixels(2, 8)));
  refused(folder / "x", errc::bad_argument, {"b_2.png", "same number as", "b_02.png"});
  fresh();
  add("b_preview.png", png_picture(eight, pixels(2, 8)));
  refused(folder / "x", errc::bad_argument, {"b_preview.png", "no number of a band"});
  fresh();
  add("c_4.png", png_picture(eight, pixels(2, 8)));
  refused(folder / "x", errc::bad_argument, {"c_4.png", "another series"});
  fresh();
  add("b_4.png", png_picture({7, 6, 8}, pixels(2, 8)));
  refused(folder / "x", errc::wrong_shape, {"b_4.png", "[6 x 7] of uint8", "[7 x 6] of uint8"});
  fresh();
  add("b_4.png", png_picture(sixteen, pixels(2, 16)));
  refused(folder / "x", errc::wrong_shape, {"b_4.png", "of uint16", "of uint8"});
  fresh();
  add("b_4.png", png_picture({6, 7, 8, 2}, pixels(2, 8)));
  refused(folder / "x", errc::wrong_shape, {"b_4.png", "8 bits, colour", "a grey picture of one band"});
  fresh();
  add("b_4.png", png_picture({6, 7, 8, 4}, pixels(2, 8)));
  refused(folder / "x", errc::wrong_shape, {"b_4.png", "grey and alpha"});
  fresh();
  add("b_4.png", png_picture({6, 7, 8, 0, 1}, pixels(2, 8)));
  refused(folder / "x", errc::wrong_shape, {"b_4.png", "interlaced"});
  fresh();
  add("b_4.png", "BM no picture");
  refused(folder / "x", errc::unreadable, {"b_4.png", "neither a PNG nor a TIFF picture"});
  std::filesystem::remove_all(folder / "x");
  std::filesystem::create_directories(folder / "x");
  add("readme.txt", "none");
  refused(folder / "x", errc::not_found, {"a folder without pictures of bands", "NAME_01.png"});
}

TEST_CASE("io: damaged pictures are refused at every byte, and absurd ones before memory is taken") {
  const temporary_folder folder;
  const std::string path = folder / "x.png", whole = png_picture(sixteen, pixels(1, 16));
  const std::size_t last = whole.size() - 12 - 12;  // behind the pixels: an empty IDAT, and IEND
  for (std::size_t size = 1; size < last; ++size) {
    spit(path, whole.substr(0, size));
    CHECK_FALSE(io::read_plane({path, ""}));
  }
  int equal = 0;
  for (std::size_t at = 8; at < last; ++at) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    spit(path, bytes);
    equal += static_cast<bool>(io::read_plane({path, ""}));
  }
  CHECK(equal == 0);
  const auto absurd = [&](const png_kind& k, const std::vector<std::string>& pieces) {
    spit(path, "\x89PNG\r\n\x1a\n" + png_chunk("IHDR", png_header(k)) + png_chunk("IDAT", deflated("none")));
    check_error(io::read_plane({path, ""}), errc::unreadable, pieces);
  };
  absurd({1u << 30, 1u << 30, 16}, {"x.png", "claims 1073741824 x 1073741824"});
  absurd({0, 5, 16}, {"x.png", "its header"});
  absurd({5, 5, 8, 5}, {"x.png", "its header"});
  absurd({5, 5, 8}, {"x.png", "its pixels"});
}

TEST_CASE("io: TIFF files of bands are read where TIFF was added") {
  const temporary_folder folder;
  std::filesystem::create_directories(folder / "x");
  for (int c = 0; c < 3; ++c) {
    tensor<float, 3> band({7, 6, 1});
    for (index_t i = 0; i < 42; ++i)
      band.data()[i] = static_cast<float>(pixels(c + 1, 8)[static_cast<std::size_t>(i)]) / 255;
    REQUIRE(io::write_geotiff_cube(folder / ("x/b" + std::to_string(c) + ".tif"), band.view()));
  }
  if (!io::format_line(io::file_format::tiff)) {
    refused(folder / "x", errc::unreadable, {"b0.tif", "without libtiff"});
    io::add_format(io::tiff_format);
  }
  const auto cube = io::read_cube({folder / "x", ""});
  REQUIRE(cube);
  CHECK(holds(cube->cube, 3, 8));
  REQUIRE(cube->notes.size() == 1);
  CHECK(cube->notes[0].find("divided") == std::string::npos);
  spit(folder / "x/b3.png", png_picture(eight, pixels(4, 8)));
  refused(folder / "x", errc::wrong_shape, {"b3.png", "uint8", "float32"});
}
