/// PNG: a grey picture is read to as many digits as its header says, none beyond its bits, or is refused in one line.
/// Checksums keep most inputs from the pixels; so the bytes are read as chunks without them too.

#include <unmask/io/png_plane.hpp>

#include "bytes_as_file.hpp"

namespace fuzz_png {

void read(const std::uint8_t* data, std::size_t size) {
  using namespace unmask;
  const fuzz::bytes_as_file file(data, size);
  const auto list = io::list_png(file.path());
  fuzz::expect_message(list);
  if (!list) return;
  const io::variable_info& v = list->variables[0];
  const auto count = io::detail::checked_elements(file.path(), v);
  if (!v.numeric || !count) return;
  fuzz::expect(static_cast<std::uint64_t>(*count) <= 1032 * (static_cast<std::uint64_t>(size) + 1),
               "no more pixels than deflate packs");
  std::vector<float> to(static_cast<std::size_t>(*count), -1);
  const auto done = io::png_format.read(file.path(), v, to.data());
  fuzz::expect_message(done);
  if (!done) return;
  for (const float x : to) fuzz::expect(x >= 0 && x <= static_cast<float>(v.usual_full_scale), "a digit of its bits");
}

/// The same chunks with sums that are right.
std::vector<std::uint8_t> summed(const std::uint8_t* data, std::size_t size) {
  std::vector<std::uint8_t> file(data, data + size);
  for (std::size_t at = 8; file.size() - at >= 12 && at + 12 <= file.size();) {
    const std::uint64_t length = unmask::io::detail::png_number(&file[at]);
    if (length > file.size() - at - 12) break;
    const ::uLong sum = ::crc32_z(0, &file[at + 4], static_cast<std::size_t>(length) + 4);
    for (std::size_t i = 0; i < 4; ++i) file[at + 8 + length + i] = static_cast<std::uint8_t>(sum >> (24 - 8 * i));
    at += 12 + static_cast<std::size_t>(length);
  }
  return file;
}

int run(const std::uint8_t* data, std::size_t size) {
  read(data, size);
  if (size < 8) return 0;
  const auto right = summed(data, size);
  read(right.data(), right.size());
  return 0;
}

}  // namespace fuzz_png
