/// MATLAB v5: whatever is listed can be read or is refused, and what is read is finite.

#include <unmask/io/cube.hpp>

#include "bytes_as_file.hpp"

namespace fuzz_matlab5 {

int run(const std::uint8_t* data, std::size_t size) {
  using namespace unmask;
  const fuzz::bytes_as_file file(data, size);
  const auto list = io::list_matlab5(file.path());
  fuzz::expect_message(list);
  if (!list) return 0;
  for (const auto& v : list->variables) {
    if (!v.numeric || (v.shape.size() != 2 && v.shape.size() != 3)) continue;
    if (v.shape.size() == 2) {
      const auto plane = io::detail::read_chosen<float, 2>(*list, v);
      fuzz::expect_message(plane);
      if (plane)
        for (const float x : *plane) fuzz::expect(is_finite(x), "values are finite");
    } else {
      fuzz::expect_message(io::detail::read_chosen<float, 3>(*list, v));
    }
  }
  return 0;
}

}  // namespace fuzz_matlab5
