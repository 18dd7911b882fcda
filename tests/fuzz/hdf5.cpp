/// HDF5 and MATLAB v7.3 through our checks. libhdf5 itself is not instrumented; what is found here are crashes, hangs
/// and broken promises, in it or in us.

#include <unmask/io/cube.hpp>
#include <unmask/io/plane_rows.hpp>

#include "bytes_as_file.hpp"

namespace fuzz_hdf5 {

int run(const std::uint8_t* data, std::size_t size) {
  using namespace unmask;
  const fuzz::bytes_as_file file(data, size);
  const auto format = size % 2 == 0 ? io::file_format::hdf5 : io::file_format::matlab73;
  const auto list = io::list_hdf5(file.path(), format);
  fuzz::expect_message(list);
  if (!list) return 0;
  for (const auto& v : list->variables) {
    if (!v.numeric) continue;
    if (v.shape.size() == 2) fuzz::expect_message(io::detail::read_chosen<float, 2>(*list, v));
    if (v.shape.size() == 3) fuzz::expect_message(io::detail::read_chosen<float, 3>(*list, v));
  }
  if (size % 4 < 2) return 0;  // the same numbers once more, by the ways of the program
  fuzz::expect_message(io::read_cube({file.path(), ""}));
  if (const auto rows = io::plane_rows::open_mask({file.path(), ""})) fuzz::expect_message(rows->read(0, 1));
  return 0;
}

}  // namespace fuzz_hdf5
