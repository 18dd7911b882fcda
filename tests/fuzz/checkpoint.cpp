/// Checkpoints. The checksum is put right first, or nothing behind it would ever be reached.

#include <unmask/models/s2_config.hpp>
#include <unmask/train/checkpoint.hpp>

#include <cstring>
#include <vector>

#include "bytes_as_file.hpp"

namespace fuzz_checkpoint {

int run(const std::uint8_t* data, std::size_t size) {
  using namespace unmask;
  std::vector<std::uint8_t> bytes(data, data + size);
  if (size > 32 && (data[size - 1] & 1) == 0) {
    train::detail::fnv1a sum;
    sum.add(std::as_bytes(std::span(bytes.data(), size - 8)));
    const std::uint64_t value = sum.value();
    std::memcpy(bytes.data() + size - 8, &value, 8);
  }
  const fuzz::bytes_as_file file(bytes.data(), bytes.size());
  std::vector<float> blocks(32);
  const std::span<float> all(blocks);
  train::training_state<float, s2_config> s{.batch = 2, .height = 8, .width = 8, .seed = 1};
  s.parameters = all.subspan(0, 8), s.first = all.subspan(8, 8), s.second = all.subspan(16, 8);
  s.average = all.subspan(24, 8);
  const auto done = train::load_checkpoint(file.path(), s);
  fuzz::expect_message(done);
  if (done) fuzz::expect(s.updates <= s.step && s.step >= 0, "no more updates than steps");
  return 0;
}

}  // namespace fuzz_checkpoint
