/// Reading costs what the size of a file says, whatever its structure. Times are of the processor, not of the clock.

#include <zlib.h>

#include <ctime>

#include "hdf5_maker.hpp"
#include "unmask/io/cube.hpp"
#include "unmask/io/safetensors.hpp"

using namespace unmask;
using namespace io_test;

namespace {

/// The least of three runs, in seconds.
template <class Body>
double seconds(Body&& body) {
  double least = 1e9;
  for (int i = 0; i < 3; ++i) {
    const std::clock_t start = std::clock();
    body();
    least = std::min(least, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  return least;
}

std::string empty_tensors(int count) {
  std::string text = "{";
  for (int i = 0; i < count; ++i)
    text += (i ? ",\"t" : "\"t") + std::to_string(i) + R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  text += "}";
  const std::uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + text;
}

}  // namespace

TEST_CASE("io: reading a cube costs at most three times H5Dread, whatever its chunks") {
  const temporary_folder folder;
  const std::string path = folder / "x.h5";
  const hsize_t H = 160, W = 160, C = 31;
  const std::vector<float> all = values(H * W * C);
  struct layout {
    std::vector<hsize_t> chunk;
    bool deflate;
  };
  for (const layout& l : {layout{{1, 1, C}, false}, layout{{1, 1, C}, true}, layout{{1, W, C}, true},
                          layout{{H, W, 1}, true}, layout{{16, 16, 16}, true}, layout{{2, 3, 5}, true}}) {
    CAPTURE(l.chunk[0]);
    CAPTURE(l.chunk[2]);
    CAPTURE(l.deflate);
    {
      hdf5_maker file(path);
      const hdf5_id creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
      H5Pset_chunk(creation, 3, l.chunk.data());
      if (l.deflate) H5Pset_deflate(creation, 4);
      file.put("cube", {H, W, C}, all, H5T_NATIVE_FLOAT, creation);
    }
    std::vector<float> to(all.size());
    const double plain = seconds([&] {
      const hdf5_id file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
      const hdf5_id data(H5Dopen2(file, "cube", H5P_DEFAULT), H5Dclose);
      H5Dread(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, to.data());
    });
    const double ours = seconds([&] {
      const auto cube = io::read_cube({path, ""});
      REQUIRE(cube);
      CHECK(std::equal(all.begin(), all.end(), cube->cube.begin()));
    });
    // .02 s: opening, listing, the checks of every value, which do not depend on the chunks
    CHECK(ours <= 3 * plain + .02);
  }
}

TEST_CASE("io: chunks that were never stored cost nothing") {
  const temporary_folder folder;
  const std::string path = folder / "x.h5";
  {
    hdf5_maker file(path);
    const hdf5_id creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    const hsize_t chunk[3] = {1, 1, 1};
    H5Pset_chunk(creation, 3, chunk);
    H5Pset_deflate(creation, 1);
    file.put<float>("cube", {256, 256, 256}, {}, H5T_NATIVE_FLOAT, creation);
  }
  CHECK(seconds([&] { check_error(io::read_cube({path, ""}), errc::unreadable, {"'cube' cannot be read"}); }) < .2);
}

TEST_CASE("io: a header of many tensors is read in linear time") {
  const auto read = [](int count) {
    const std::string file = empty_tensors(count);
    return seconds([&] {
      const auto found = io::parse_safetensors(std::as_bytes(std::span(file)), "x");
      REQUIRE(found);
      CHECK(found->tensors.size() == static_cast<std::size_t>(count));
    });
  };
  const double few = read(20000), many = read(80000);
  CHECK(few < .5);
  CHECK(many <= 8 * few + .05);  // 4 times as many; the sets of names grow a little faster
}

TEST_CASE("io: what is packed behind a MATLAB variable is not unpacked") {
  const temporary_folder folder;
  const std::string path = folder / "x.mat";
  write_mat(path, {{"mask", {2, 2}, {1, 0, 0, 1}, MAT_C_DOUBLE}}, false);
  const std::string plain = slurp(path);
  const auto packed_with_tail = [&](std::uint32_t tail) {
    std::string inner = plain.substr(128) + std::string(tail, '\0');
    const std::uint32_t length = static_cast<std::uint32_t>(inner.size() - 8);
    std::memcpy(inner.data() + 4, &length, 4);
    uLongf bytes = ::compressBound(inner.size());
    std::string packed(bytes, '\0');
    REQUIRE(::compress2(reinterpret_cast<Bytef*>(packed.data()), &bytes, reinterpret_cast<const Bytef*>(inner.data()),
                        inner.size(), 1) == Z_OK);
    packed.resize(bytes);
    const std::uint32_t tag[2] = {15, static_cast<std::uint32_t>(bytes)};
    spit(path, plain.substr(0, 128) + std::string(reinterpret_cast<const char*>(tag), 8) + packed);
    return io::read_mask({path, ""});
  };
  CHECK(packed_with_tail(0));
  CHECK(packed_with_tail(8));
  check_error(packed_with_tail(1u << 24), errc::unreadable, {"damaged MATLAB file"});
}
