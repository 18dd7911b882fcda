/// GeoTIFF: our part of reading one through libtiff, and of changing a pixel in a copy. libtiff is Debian's and not
/// instrumented; what is found here are crashes, hangs and broken promises, in it or in us.

#include <unmask/core/tensor.hpp>
#include <unmask/io/geotiff_rewrite.hpp>

#include "bytes_as_file.hpp"

namespace fuzz_geotiff {

int run(const std::uint8_t* data, std::size_t size) {
  using namespace unmask;
  const fuzz::bytes_as_file file(data, size);
  const auto g = io::read_geotiff(file.path());
  fuzz::expect_message(g);
  if (!g) return 0;
  const io::raster& r = g->digits;
  fuzz::expect(static_cast<std::size_t>(r.size() * io::sample_bytes(r.type)) == r.bytes.size(),
               "the digits are as many as the shape says");
  fuzz::expect(r.bytes.size() <= 65536 * size, "no more digits than the file can hold");
  if (size == 0 || size % 32 != 0 || r.size() > 4096) return 0;
  // some small ones are written too, in memory: what they wait for is the disk
  tensor<std::uint8_t, 2> changed({r.height, r.width});
  changed(r.height - 1, 0) = 1;
  io::raster other = r;
  other.set(((r.height - 1) * r.width) * r.bands, 1);
  static const std::string copy = "/dev/shm/unmask_fuzz_" + std::to_string(::getpid()) + ".tif";
  const auto done = io::rewrite_geotiff(copy, file.path(), other, changed.view());
  fuzz::expect_message(done);
  ::unlink(copy.c_str());
  return 0;
}

}  // namespace fuzz_geotiff
