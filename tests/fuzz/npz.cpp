/// NPZ: every variable that is listed can be read to as many numbers as its shape says, or is refused in one line.

#include <unmask/core/tensor.hpp>
#include <unmask/io/npz.hpp>

#include "bytes_as_file.hpp"

namespace fuzz_npz {

int run(const std::uint8_t* data, std::size_t size) {
  using namespace unmask;
  const fuzz::bytes_as_file file(data, size);
  const auto list = io::list_npz(file.path());
  fuzz::expect_message(list);
  if (!list) return 0;
  for (const io::variable_info& v : list->variables) {
    const auto count = io::detail::checked_elements(file.path(), v);
    fuzz::expect_message(count);
    if (!v.numeric || !count) continue;
    fuzz::expect(static_cast<std::uint64_t>(*count) <= 1032 * (static_cast<std::uint64_t>(size) + 1),
                 "no more numbers than deflate packs");
    std::vector<float> to(static_cast<std::size_t>(*count));
    fuzz::expect_message(io::npz_format.read(file.path(), v, to.data()));
  }
  return 0;
}

}  // namespace fuzz_npz
