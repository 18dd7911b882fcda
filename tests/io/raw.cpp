/// Numbers behind a header: NPY in both orders, ENVI in its three interleaves, each type and byte order; and headers
/// that lie.

#include "helpers.hpp"
#include "unmask/io/cube.hpp"
#include "unmask/io/npy.hpp"
#include "unmask/io/plane_rows.hpp"

using namespace unmask;
using namespace io_test;

namespace {

/// A number as bytes, the most significant first where asked.
template <class T>
std::string bytes_of(T value, bool big) {
  std::string text(sizeof value, ' ');
  std::memcpy(text.data(), &value, sizeof value);
  if (big == (std::endian::native == std::endian::little)) std::reverse(text.begin(), text.end());
  return text;
}

std::string npy(const std::string& dictionary, const std::string& numbers, int version = 1) {
  std::string start("\x93NUMPY", 6);
  start += static_cast<char>(version);
  start += '\0';
  start += bytes_of(static_cast<std::uint16_t>(dictionary.size()), false);
  if (version > 1) start += std::string(2, '\0');
  return start + dictionary + numbers;
}

/// 0, 1, 2, ... as T.
template <class T>
std::string counted(int n, bool big) {
  std::string text;
  for (int i = 0; i < n; ++i) text += bytes_of(static_cast<T>(i), big);
  return text;
}

std::string dictionary(const std::string& type, const std::string& shape, const std::string& order = "False") {
  return "{'descr': '" + type + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

}  // namespace

TEST_CASE("io: NPY of every type, byte order and version") {
  const temporary_folder folder;
  const std::string path = folder / "x.npy";
  const auto read = [&](const std::string& type, const std::string& numbers, int version = 1) {
    spit(path, npy(dictionary(type, "(2, 3, 4)"), numbers, version));
    const auto cube = io::read_cube({path, ""}, {"hwc"});
    REQUIRE(cube);
    CHECK_MESSAGE(is_counted(cube->cube), type);
  };
  for (const bool big : {false, true}) {
    const std::string order = big ? ">" : "<";
    read("|u1", counted<std::uint8_t>(24, big));
    read("|i1", counted<std::int8_t>(24, big));
    read(order + "u2", counted<std::uint16_t>(24, big));
    read(order + "i2", counted<std::int16_t>(24, big));
    read(order + "u4", counted<std::uint32_t>(24, big));
    read(order + "i4", counted<std::int32_t>(24, big), 2);
    read(order + "u8", counted<std::uint64_t>(24, big));
    read(order + "i8", counted<std::int64_t>(24, big));
    read(order + "f4", counted<float>(24, big));
    read(order + "f8", counted<double>(24, big), 3);
  }
  std::string halves;  // 0, 1, 1.5, the smallest number, -65504
  for (const int h : {0x0000, 0x3c00, 0x3e00, 0x0001, 0xfbff, 0x8000})
    halves += bytes_of(static_cast<std::uint16_t>(h), false);
  spit(path, npy(dictionary("<f2", "(1, 6)"), halves));
  const auto plane = io::read_mask({path, ""});
  REQUIRE(plane);
  CHECK((*plane)(0, 1) == 1.f);
  CHECK((*plane)(0, 2) == 1.5f);
  CHECK((*plane)(0, 3) == 0x1p-24f);
  CHECK((*plane)(0, 4) == -65504.f);
  CHECK(io::describe(*io::list_variables(path)) == "has: array [1 x 6]");
}

TEST_CASE("io: NPY in Fortran order, and ours through NumPy's eyes") {
  const temporary_folder folder;
  const std::string path = folder / "x.npy";
  std::string numbers;
  for (int c = 0; c < 4; ++c)
    for (int w = 0; w < 3; ++w)
      for (int h = 0; h < 2; ++h) numbers += bytes_of(static_cast<float>((h * 3 + w) * 4 + c), false);
  spit(path, npy(dictionary("<f4", "(2, 3, 4)", "True"), numbers));
  CHECK(is_counted(io::read_cube({path, ""}, {"hwc"})->cube));

  const auto cube = numbered_cube(5, 7, 3);
  REQUIRE(io::write_npy(path, io::sample_type::f32, {5, 7, 3},
                        std::as_bytes(std::span(cube.data(), static_cast<std::size_t>(cube.size())))));
  CHECK(same(io::read_cube({path, ""})->cube, cube));
  CHECK(io::read_npy(path)->size() == cube.size());
  const auto rows = io::plane_rows::open({path, ""}, {"mask"});
  check_error(rows, errc::not_found, {"no variable that is 2-D", "array [5 x 7 x 3]"});
}

TEST_CASE("io: NPY headers that lie") {
  const temporary_folder folder;
  const std::string path = folder / "x.npy", numbers = counted<float>(24, false);
  const auto refused = [&](const std::string& bytes, errc code, const std::vector<std::string>& words) {
    spit(path, bytes);
    check_error(io::read_cube({path, ""}, {"hwc"}), code, words);
  };
  const std::string whole = npy(dictionary("<f4", "(2, 3, 4)"), numbers);
  refused(whole.substr(0, whole.size() - 1), errc::unreadable, {"x.npy", "expected", "found"});
  refused(whole.substr(0, 30), errc::unreadable, {"ends inside its header"});
  refused(whole.substr(0, 8), errc::unreadable, {"x.npy"});
  refused(npy(dictionary("<c8", "(2, 3, 4)"), numbers), errc::wrong_value, {"type", "c8"});
  refused(npy(dictionary("|O", "(2, 3, 4)"), numbers), errc::wrong_value, {"type"});
  refused(npy("{'shape': (2, 3, 4)}", numbers), errc::wrong_value, {"type"});
  refused(npy(dictionary("<f4", "2"), numbers), errc::unreadable, {"no shape"});
  refused(npy(dictionary("<f4", "(2, -3, 4)"), numbers), errc::unreadable, {"no shape"});
  refused(npy(dictionary("<f4", "(2, 0, 4)"), numbers), errc::wrong_shape, {"empty"});
  refused(npy(dictionary("<f4", "(9999999999, 9999999999, 9999999999)"), numbers), errc::wrong_shape, {"claims"});
  refused(npy(dictionary("<f4", "(6, 4)"), numbers), errc::not_found, {"no variable that is 3-D", "array [6 x 4]"});
  refused(npy(dictionary("<f4", "(2, 3, 4)", "Maybe"), numbers), errc::unreadable, {"order"});
}

TEST_CASE("io: ENVI in three interleaves, both byte orders, every type") {
  const temporary_folder folder;
  const std::string data = folder / "x.img", header = folder / "x.hdr";
  const auto write = [&]<class T>(T, int code, const std::string& way, bool big) {
    std::string numbers;
    const bool bsq = way == "bsq" || way == "BSQ", bil = way == "bil";
    for (int i = 0; i < 24; ++i) {
      const int c = bsq   ? i / 6
                    : bil ? i / 3 % 4
                          : i % 4,
                h = bsq ? i / 3 % 2 : i / 12, w = bsq || bil ? i % 3 : i / 4 % 3;
      numbers += bytes_of(static_cast<T>((h * 3 + w) * 4 + c), big);
    }
    spit(data, "xy" + numbers);
    spit(header,
         "ENVI\ndescription = {\n  two\n  lines }\nsamples = 3\nlines = 2\nbands = 4\nheader offset = 2\n"
         "data type = " +
             std::to_string(code) + "\ninterleave = " + way + "\nbyte order = " + (big ? "1" : "0") +
             "\nwavelength units = Micrometers\nwavelength = { 0.45, 0.5,\n 0.55, 0.6 }\n");
  };
  const auto check = [&](const std::string& what) {
    for (const std::string& path : {data, header}) {
      const auto cube = io::read_cube({path, ""});
      REQUIRE(cube);
      CHECK_MESSAGE(is_counted(cube->cube), what);
      CHECK(cube->wavelengths == std::vector<double>{450, 500, 550, 600});
    }
  };
  for (const bool big : {false, true})
    for (const std::string way : {"bsq", "bil", "bip"}) {
      write(std::int16_t{}, 2, way, big), check(way + " int16");
      write(float{}, 4, way, big), check(way + " float32");
    }
  write(std::uint8_t{}, 1, "BSQ", true), check("uint8");
  write(std::int32_t{}, 3, "bip", true), check("int32");
  write(double{}, 5, "bil", false), check("float64");
  write(std::uint16_t{}, 12, "bsq", true), check("uint16");
  write(std::uint32_t{}, 13, "bsq", true), check("uint32");
  write(std::int64_t{}, 14, "bip", true), check("int64");
  write(std::uint64_t{}, 15, "bip", false), check("uint64");
}

TEST_CASE("io: what ENVI headers say of values is heard, and lies are refused") {
  const temporary_folder folder;
  const std::string data = folder / "x.dat", header = folder / "x.hdr";
  spit(data, counted<std::uint16_t>(24, false));
  const std::string good = "ENVI\nsamples=3\nlines=2\nbands=4\ndata type=12\ninterleave=bip\nbyte order=0\n";
  const auto with = [&](const std::string& text) {
    spit(header, text);
    return io::read_cube({data, ""});
  };
  CHECK(with(good + "reflectance scale factor = 10\n")->cube(0, 0, 1) == .1f);
  CHECK(with(good)->wavelengths.empty());
  check_error(with(good + "data ignore value = 3\n"), errc::wrong_value, {"'cube' has 1 of 24 values", "missing"});
  check_error(with(good + "wavelength = {1, 2}\n"), errc::wrong_shape, {"2 numbers", "4 bands"});
  check_error(with(good + "wavelength = {1, 2, x, 4}\n"), errc::wrong_value, {"wavelength"});
  check_error(with(good + "wavelength units = furlongs\nwavelength = {1, 2, 3, 4}\n"), errc::wrong_value, {"furlongs"});
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return with(text);
  };
  check_error(changed("lines=2", "lines=3"), errc::unreadable, {"expected 72 bytes", "found 48"});
  check_error(changed("lines=2", "lines=1"), errc::unreadable, {"expected 24 bytes", "found 48"});
  check_error(changed("lines=2", "lines=-2"), errc::wrong_value, {"x.hdr", "'lines' is '-2'"});
  check_error(changed("lines=2\n", ""), errc::wrong_value, {"'lines' is missing"});
  check_error(changed("samples=3", "samples=1e300"), errc::wrong_value, {"samples"});
  check_error(changed("data type=12", "data type=6"), errc::wrong_value, {"data type", "real numbers"});
  check_error(changed("interleave=bip", "interleave=zip"), errc::wrong_value, {"interleave", "bsq"});
  check_error(changed("byte order=0", "byte order=2"), errc::wrong_value, {"byte order"});
  check_error(with(good + "reflectance scale factor = 0\n"), errc::wrong_value, {"reflectance"});
  CHECK(with(good + "data ignore value = NaN\n"));
  // Gains: one for all bands, or none.
  const auto scaled = with(good + "data gain values = {0.5, 0.5, 0.5, 0.5}\ndata offset values = {1, 1, 1, 1}\n");
  REQUIRE(scaled);
  CHECK(scaled->cube(0, 0, 3) == 2.5f);
  CHECK(with(good + "data gain values = {1, 1, 1, 1}\nreflectance scale factor = 10\n")->cube(0, 0, 1) == .1f);
  check_error(with(good + "data gain values = {1, 2, 1, 1}\n"), errc::wrong_value, {"data gain values", "all 4 bands"});
  check_error(with(good + "data offset values = {1, 1}\n"), errc::wrong_value, {"data offset values", "all 4 bands"});
  check_error(with(good + "data gain values = {2, 2, 2, 2}\nreflectance scale factor = 10\n"), errc::wrong_value,
              {"data gain values", "reflectance scale factor"});
  check_error(with(good + "data gain values = {0, 0, 0, 0}\n"), errc::wrong_value, {"other than 0"});
  check_error(with(good + "file compression = 1\n"), errc::wrong_value, {"file compression"});
  check_error(with(good + "major frame offsets = {0, 4}\n"), errc::wrong_value, {"major frame offsets"});
  check_error(with(good + "interleave = bsq\n"), errc::wrong_value, {"'interleave' is there twice"});
  CHECK(with(good + "interleave = bip\ndescription = a\ndescription = b\n"));
  const auto bad = with(good + "bbl = {1, 0, 1, 0}\n");
  REQUIRE((bad && bad->notes.size() == 1));
  CHECK(bad->notes[0].find("2 of 4 bands are marked as bad") != std::string::npos);
  REQUIRE(std::remove(data.c_str()) == 0);
  check_error(io::read_cube({header, ""}), errc::not_found, {"ENVI header without its data"});
}
