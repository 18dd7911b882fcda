/// ENVI: any text is a header, of data in the same file. What is accepted has the size that its header says.

#include <unmask/io/arrays.hpp>

#include "bytes_as_file.hpp"

namespace fuzz_envi {

int run(const std::uint8_t* data, std::size_t size) {
  using namespace unmask;
  const fuzz::bytes_as_file file(data, size);
  const io::detail::envi_header header(file.path(), std::string_view(reinterpret_cast<const char*>(data), size));
  fuzz::expect_message(header.check_keys());
  auto cube = io::detail::envi_variable(header, file.path());
  fuzz::expect_message(cube);
  if (header.has("wavelength")) fuzz::expect_message(header.numbers("wavelength"));
  if (!cube) return 0;
  cube->exact_size = false;
  io::file_info info{file.path(), io::file_format::envi, {*cube}, {}};
  const auto fine = io::detail::check_raw_size(info.path, *cube);
  fuzz::expect_message(fine);
  if (!fine) return 0;
  const auto count = *io::detail::checked_elements(info.path, *cube);
  fuzz::expect(static_cast<std::uint64_t>(count) <= size, "no more numbers than the file has bytes");
  std::vector<float> values(static_cast<std::size_t>(count));
  fuzz::expect_message(io::detail::read_into(info, *cube, values.data()));
  return 0;
}

}  // namespace fuzz_envi
