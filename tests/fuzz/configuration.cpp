/// The configuration of a training as a file and as --set. The first byte says which.

#include <train_config.hpp>

#include "bytes_as_file.hpp"

namespace fuzz_configuration {

int run(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  program::train_config config;
  if (data[0] % 2 == 0) {
    const fuzz::bytes_as_file file(data + 1, size - 1);
    const auto j = program::read_json_object(file.path());
    fuzz::expect_message(j);
    if (j) fuzz::expect_message(program::apply(config, *j, "fuzz"));
  } else {
    std::vector<std::string> settings;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      settings.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    const auto j = program::parse_settings(settings);
    if (j) (void)program::apply(config, *j, "--set");
  }
  if (size % 64 == 0) (void)unmask::io::json_text(program::to_json(config), 2);  // takes most of the time
  return 0;
}

}  // namespace fuzz_configuration
