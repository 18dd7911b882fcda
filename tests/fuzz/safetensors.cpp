/// Safetensors: what is accepted is written as the same tensors again.

#include <unmask/io/safetensors.hpp>

#include "bytes_as_file.hpp"

namespace fuzz_safetensors {

int run(const std::uint8_t* data, std::size_t size) {
  using namespace unmask;
  const auto file = io::parse_safetensors(std::as_bytes(std::span(data, size)), "fuzz");
  fuzz::expect_message(file);
  if (!file) return 0;
  for (const auto& t : file->tensors) fuzz::expect_message(io::to_floats(t));
  const auto bytes = io::format_safetensors(*file);
  fuzz::expect(static_cast<bool>(bytes), "what was read can be written");
  const auto again = io::parse_safetensors(*bytes, "again");
  fuzz::expect(again && again->tensors.size() == file->tensors.size() && again->metadata == file->metadata,
               "what was written is what was read");
  return 0;
}

}  // namespace fuzz_safetensors
