/// NPY: what is accepted has the size that its shape says, and is written as the same digits again.

#include <unmask/io/npy.hpp>

#include "bytes_as_file.hpp"

namespace fuzz_npy {

int run(const std::uint8_t* data, std::size_t size) {
  using namespace unmask;
  const fuzz::bytes_as_file file(data, size);
  const auto r = io::read_npy(file.path());
  fuzz::expect_message(r);
  if (!r) return 0;
  fuzz::expect(r->height > 0 && r->width > 0 && r->bands > 0, "sizes are above 0");
  fuzz::expect(static_cast<std::size_t>(r->size() * io::sample_bytes(r->type)) == r->bytes.size(),
               "the digits are as many as the shape says");
  fuzz::expect(r->bytes.size() <= size, "no more digits than the file has");
  double sum = 0;
  for (index_t i = 0; i < r->size(); ++i) sum += r->digit(i);
  (void)sum;
  return 0;
}

}  // namespace fuzz_npy
