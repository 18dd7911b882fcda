/// NumPy's archives: as they are written here, deflated, with sizes of 32 and 64 bits, and built to harm.

#include <zlib.h>

#include <ctime>

#include "helpers.hpp"
#include "unmask/io/cube.hpp"
#include "unmask/io/npz_writer.hpp"

using namespace unmask;
using namespace io_test;

namespace {

std::string little(std::uint64_t n, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(n >> (8 * i) & 255);
  return text;
}

std::string npy(const std::string& type, const std::string& shape, const std::string& numbers) {
  const std::string text = "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }\n";
  return std::string("\x93NUMPY\1\0", 8) + little(text.size(), 2) + text + numbers;
}

template <class T>
std::string numbers(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    const T x = static_cast<T>(i);
    text.append(reinterpret_cast<const char*>(&x), sizeof x);
  }
  return text;
}

std::string packed(const std::string& raw) {
  z_stream z{};
  ::deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY);
  std::string to(::deflateBound(&z, static_cast<uLong>(raw.size())), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(raw.data())), z.avail_in = static_cast<uInt>(raw.size());
  z.next_out = reinterpret_cast<Bytef*>(to.data()), z.avail_out = static_cast<uInt>(to.size());
  ::deflate(&z, Z_FINISH);
  to.resize(z.total_out);
  ::deflateEnd(&z);
  return to;
}

struct entry {
  std::string name, bytes;
  int method = 8, flags = 0;
  std::int64_t begin = -1;      ///< where the directory says that it lies; -1: where it does
  std::uint64_t more = 0;       ///< bytes that it claims beyond its own
  std::uint32_t other_sum = 0;  ///< changes the checksum
};

std::string archive(const std::vector<entry>& entries, const std::string& comment = "") {
  std::string file, directory;
  for (const entry& e : entries) {
    const std::string body = e.method == 8 ? packed(e.bytes) : e.bytes;
    const auto sum = static_cast<std::uint32_t>(::crc32(0, reinterpret_cast<const Bytef*>(e.bytes.data()),
                                                        static_cast<uInt>(e.bytes.size()))) ^
                     e.other_sum;
    const std::string common = little(20, 2) + little(static_cast<std::uint64_t>(e.flags), 2) +
                               little(static_cast<std::uint64_t>(e.method), 2) + little(0, 4) + little(sum, 4) +
                               little(body.size(), 4) + little(e.bytes.size() + e.more, 4) + little(e.name.size(), 2) +
                               little(0, 2);
    const std::uint64_t begin = e.begin >= 0 ? static_cast<std::uint64_t>(e.begin) : file.size();
    directory += "PK\1\2" + little(20, 2) + common + little(0, 2) + little(0, 2) + little(0, 2) + little(0, 4) +
                 little(begin, 4) + e.name;
    if (e.begin < 0) file += "PK\3\4" + common + e.name + body;
  }
  return file + directory + "PK\5\6" + little(0, 4) + little(entries.size(), 2) + little(entries.size(), 2) +
         little(directory.size(), 4) + little(file.size(), 4) + little(comment.size(), 2) + comment;
}

const std::string cube_npy = npy("<f4", "(2, 3, 4)", numbers<float>(24));

}  // namespace

TEST_CASE("io: NPZ, stored and deflated, by name, with wavelengths, texts and other entries beside") {
  const temporary_folder folder;
  const std::string path = folder / "x.npz";
  for (const int method : {0, 8}) {
    spit(path, archive({{"other.npy", npy("<f8", "(2, 3, 4)", numbers<double>(24)), method},
                        {"wavelengths.npy",
                         npy(">f8", "(4,)",
                             std::string("\x40\x7c\x20\0\0\0\0\0", 8) + std::string("\x40\x7f\x40\0\0\0\0\0", 8) +
                                 std::string("\x40\x81\x30\0\0\0\0\0", 8) + std::string("\x40\x82\xc0\0\0\0\0\0", 8)),
                         method},
                        {"title.npy", npy("<U5", "()", std::string(20, 'x')), method},
                        {"readme.txt", "hello", method},
                        {"cube.npy", cube_npy, method}},
                       "a comment"));
    const auto cube = io::read_cube({path, ""});
    REQUIRE_MESSAGE(cube, cube.error().message());
    CHECK(is_counted(cube->cube));
    CHECK(cube->wavelengths == std::vector<double>{450, 500, 550, 600});
    const auto other = io::read_cube({path, "other"}, {"hwc"});
    REQUIRE(other);
    CHECK(is_counted(other->cube));
    check_error(io::read_cube({path, "title"}), errc::wrong_value, {"x.npz", "'title'", "expected real numbers"});
    check_error(io::read_cube({path, "none"}), errc::not_found, {"x.npz", "'none' not found", "cube [2 x 3 x 4]"});
  }
}

TEST_CASE("io: what npz_writer writes is read, with its sizes of 64 bits") {
  const temporary_folder folder;
  tensor<float, 3> cube({5, 6, 3});
  for (index_t i = 0; i < cube.size(); ++i) cube.data()[i] = static_cast<float>(i) / 97;
  const std::vector<double> at{450, 500.5, 600};
  REQUIRE(io::write_npz(folder / "x.npz", cube.view(), at));
  const auto back = io::read_cube({folder / "x.npz", ""});
  REQUIRE_MESSAGE(back, back.error().message());
  CHECK(std::equal(cube.begin(), cube.end(), back->cube.begin(), back->cube.end()));
  CHECK(back->wavelengths == at);
  const std::string whole = slurp(folder / "x.npz");
  for (std::size_t size = 1; size < whole.size(); ++size) {
    spit(folder / "x.npz", whole.substr(0, size));
    CHECK_FALSE(io::read_cube({folder / "x.npz", ""}));
  }
}

TEST_CASE("io: archives that are damaged or built to harm are refused") {
  const temporary_folder folder;
  const std::string path = folder / "x.npz";
  const auto refused = [&](const std::vector<entry>& entries, const std::vector<std::string>& pieces) {
    spit(path, archive(entries));
    check_error(io::read_cube({path, ""}, {"hwc"}), errc::unreadable, pieces);
  };
  refused({{"a.txt", "hello"}}, {"without NumPy's arrays"});
  refused({}, {"without NumPy's arrays"});
  refused({{"cube.npy", cube_npy, 8, 0, -1, 0, 1}}, {"'cube.npy'", "damaged (its checksum is another"});
  refused({{"cube.npy", cube_npy, 0, 0, -1, 0, 1}}, {"'cube.npy'", "damaged (its checksum is another"});
  refused({{"cube.npy", cube_npy, 12}}, {"other than deflate"});
  refused({{"cube.npy", cube_npy, 8, 1}}, {"encrypted"});
  refused({{"cube.npy", cube_npy}, {"cube.npy", cube_npy}}, {"'cube.npy' is there twice"});
  refused({{"cube.npy", cube_npy, 0}, {"more.npy", cube_npy, 0, 0, 0}}, {"the bytes of another"});
  refused({{"cube.npy", cube_npy, 0}, {"more.npy", cube_npy, 0, 0, 8}}, {"same bytes"});
  refused({{"cube.npy", cube_npy, 0, 0, -1, 40}}, {"'cube.npy' lies beyond its end"});
  refused({{"cube.npy", cube_npy, 8, 0, -1, 40}}, {"in all"});
  refused({{"cube.npy", cube_npy, 8, 0, -1, 4000000000}}, {"claims 4000000"});
  refused({{"cube.npy", npy("<f4", "(2, 3, 5)", numbers<float>(24))}}, {"[2 x 3 x 5] of float32"});
  refused({{"cube.npy", npy("<f4", "(1048576, 1048576, 1048576, 1048576)", numbers<float>(24))}}, {"in all"});
  refused({{"cube.npy", "no array"}}, {"'cube.npy': not an NPY file"});
  spit(path, "PK\3\4" + std::string(100, '\0'));
  check_error(io::read_cube({path, ""}), errc::unreadable, {"truncated or damaged zip archive (without its end)"});
}

TEST_CASE("io: an archive of many entries takes time in proportion to its bytes") {
  const temporary_folder folder;
  const auto seconds = [&](int count) {
    std::vector<entry> entries;
    for (int i = 0; i < count; ++i) entries.push_back({"a" + std::to_string(i) + ".npy", cube_npy});
    spit(folder / "x.npz", archive(entries));
    double least = 1e9;
    for (int run = 0; run < 3; ++run) {
      const std::clock_t start = std::clock();
      CHECK(io::list_variables(folder / "x.npz"));
      least = std::min(least, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
    }
    return least;
  };
  const double few = seconds(2000), many = seconds(16000);
  CHECK(many <= 8 * 2.5 * few + .02);  // 8 times the entries
}
