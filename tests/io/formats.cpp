/// Every format that cubes are written in: the same numbers and wavelengths come back, files appear whole or not at
/// all, and are known as ours.

#include <filesystem>

#include "helpers.hpp"
#include "unmask/io/cube.hpp"
#include "unmask/io/envi_writer.hpp"
#include "unmask/io/geotiff_cube.hpp"
#include "unmask/io/matlab_writer.hpp"
#include "unmask/io/npz_writer.hpp"
#include "unmask/io/output_checks.hpp"
#include "unmask/io/plane_rows.hpp"
#include "unmask/io/tiff_format.hpp"

using namespace unmask;
using namespace io_test;

namespace {

tensor<float, 3> odd_cube(index_t h = 5, index_t w = 6, index_t c = 3) {
  tensor<float, 3> cube({h, w, c});
  for (index_t i = 0; i < cube.size(); ++i) cube.data()[i] = static_cast<float>(i % 89) / 97;
  return cube;
}

const std::vector<double> nm{450, 500.0625, 1e3 / 3};  // no short text in tens

struct written_format {
  const char *name, *file;
  io::output_kind kind;
  result<> (*write)(const std::string&, in<float, 3>, std::span<const double>);
};

const std::vector<written_format> formats{
    {"NPZ", "x.npz", io::output_kind::npy, io::write_npz},
    {"ENVI by its header", "x.hdr", io::output_kind::envi, io::write_envi},
    {"ENVI by its numbers", "x.dat", io::output_kind::envi_data, io::write_envi},
    {"MATLAB v5", "x.mat", io::output_kind::matlab,
     [](const std::string& p, in<float, 3> x, std::span<const double> w) {
       return io::write_matlab(p, x, w, io::matlab_version::v5);
     }},
    {"MATLAB v7.3", "x.mat", io::output_kind::matlab,
     [](const std::string& p, in<float, 3> x, std::span<const double> w) {
       return io::write_matlab(p, x, w, io::matlab_version::v73);
     }},
    {"GeoTIFF", "x.tif", io::output_kind::tiff, io::write_geotiff_cube},
};

void add_tiff() {
  if (!io::format_line(io::file_format::tiff)) io::add_format(io::tiff_format);
}

}  // namespace

TEST_CASE("io: every written format is read back to the bit, with and without wavelengths") {
  add_tiff();
  for (const written_format& f : formats) {
    CAPTURE(f.name);
    for (const auto& cube : {odd_cube(), odd_cube(300, 20, 3), odd_cube(4, 9, 3)}) {
      const temporary_folder folder;
      const std::string path = folder / f.file;
      REQUIRE(f.write(path, cube.view(), nm));
      for (int time = 0; time < 2; ++time) {
        const auto back = io::read_cube({path, ""}, {"", 0});
        REQUIRE_MESSAGE(back, back.error().message());
        CHECK(back->cube.extents() == cube.extents());
        CHECK(std::equal(cube.begin(), cube.end(), back->cube.begin(), back->cube.end()));
        CHECK(back->wavelengths == (time == 0 ? nm : std::vector<double>()));
        CHECK(back->notes.size() == (time == 0 ? 1 : 0));  // these fall and rise
        CHECK(io::is_ours(path, f.kind));
        REQUIRE(f.write(path, cube.view(), {}));  // over the old one
      }
      CHECK(folder.files() == (std::string(f.name).starts_with("ENVI") ? 2 : 1));
    }
  }
}

TEST_CASE("io: the same data gives the same bytes") {
  for (const written_format& f : formats) {
    CAPTURE(f.name);
    const temporary_folder folder;
    std::filesystem::create_directories(folder / "a");
    std::filesystem::create_directories(folder / "b");
    const auto cube = odd_cube();
    REQUIRE(f.write(folder / ("a/" + std::string(f.file)), cube.view(), nm));
    REQUIRE(f.write(folder / ("b/" + std::string(f.file)), cube.view(), nm));
    CHECK(slurp(folder / ("a/" + std::string(f.file))) == slurp(folder / ("b/" + std::string(f.file))));
  }
}

TEST_CASE("io: what cannot be written leaves no file, and an older one as it was") {
  add_tiff();
  for (const written_format& f : formats) {
    CAPTURE(f.name);
    const temporary_folder folder;
    const std::string path = folder / f.file;
    auto cube = odd_cube();
    check_error(f.write(folder / ("none/" + std::string(f.file)), cube.view(), nm), errc::not_writable, {"none/"});
    const std::vector<double> two{450, 500};
    check_error(f.write(path, cube.view(), two), errc::wrong_shape, {f.file, "2 wavelengths for a cube of 3 bands"});
    cube(1, 2, 1) = std::nanf("");
    check_error(f.write(path, cube.view(), nm), errc::wrong_value, {f.file, "NaN or infinite (element 25)"});
    CHECK(folder.files() == 0);
    spit(path, "somebody's");
    CHECK_FALSE(io::is_ours(path, f.kind));
    CHECK_FALSE(f.write(path, cube.view(), nm));
    CHECK(slurp(path) == "somebody's");
  }
}

TEST_CASE("io: of ENVI's two files never one is new and one old") {
  const temporary_folder folder;
  const auto cube = odd_cube();
  REQUIRE(io::write_envi(folder / "x.hdr", cube.view(), nm));
  const std::string header = slurp(folder / "x.hdr"), numbers = slurp(folder / "x.img");
  {  // a step failed: both come back
    io::detail::moved_away older_header(folder / "x.hdr"), older_data(folder / "x.img");
    CHECK_FALSE(std::filesystem::exists(folder / "x.hdr"));
    spit(folder / "x.img", "new");
  }
  CHECK(slurp(folder / "x.hdr") == header);
  CHECK(slurp(folder / "x.img") == numbers);
  {  // there was none: what came in between goes
    io::detail::moved_away none(folder / "y.img");
    spit(folder / "y.img", "new");
  }
  CHECK(folder.files() == 2);
  check_error(io::write_envi(folder / "x.dat", cube.view(), nm), errc::bad_argument, {"x.dat", "x.img is beside it"});
  CHECK(slurp(folder / "x.hdr") == header);
  std::filesystem::create_directories(folder / "z.img");
  check_error(io::write_envi(folder / "z.hdr", cube.view(), nm), errc::not_writable, {"z.img", "is a directory"});
  CHECK(folder.files() == 3);
}

TEST_CASE("io: a cube beyond 2 GB is a MATLAB v7.3 file, and v5 is refused for it") {
  const temporary_folder folder;
  const auto small = odd_cube();
  REQUIRE(io::write_matlab(folder / "x.mat", small.view(), nm));
  CHECK(slurp(folder / "x.mat").starts_with("MATLAB 5.0 MAT-file"));
  REQUIRE(io::write_matlab(folder / "x.mat", small.view(), nm, io::matlab_version::v73));
  CHECK(slurp(folder / "x.mat").starts_with("MATLAB 7.3 MAT-file"));
  CHECK_FALSE(io::detail::fits_matlab5(std::uint64_t{1} << 29));
  CHECK(io::detail::fits_matlab5((std::uint64_t{1} << 29) - 256));
}

TEST_CASE("io: TIFF of one band is a plane that is read by rows") {
  add_tiff();
  const temporary_folder folder;
  const auto cube = odd_cube(300, 7, 1);
  REQUIRE(io::write_geotiff_cube(folder / "x.tif", cube.view()));
  const auto rows = io::plane_rows::open_mask({folder / "x.tif", ""});
  REQUIRE(rows);
  const auto part = rows->read(123, 60);
  REQUIRE(part);
  CHECK(std::equal(part->begin(), part->end(), cube.data() + 123 * 7));
}

TEST_CASE("io: NPY and ENVI planes are read by rows") {
  const temporary_folder folder;
  const auto cube = odd_cube(300, 7, 1);
  REQUIRE(io::write_envi(folder / "x.hdr", cube.view()));
  REQUIRE(io::write_npy(folder / "x.npy", io::sample_type::f32, {300, 7}, std::as_bytes(std::span(cube.data(), 2100))));
  for (const char* name : {"x.hdr", "x.npy"}) {
    const auto rows = io::plane_rows::open_mask({folder / name, ""});
    REQUIRE(rows);
    const auto part = rows->read(299, 1);
    REQUIRE(part);
    CHECK(std::equal(part->begin(), part->end(), cube.data() + 299 * 7));
  }
}
