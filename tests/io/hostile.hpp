#pragma once

#include <random>

#include "helpers.hpp"
#include "unmask/io/cube.hpp"
#include "unmask/io/hdf5_writer.hpp"

namespace io_test {

/// Reads everything a tool would; what matters is that it returns, with one line where it fails.
inline bool survives(const std::string& path) {
  const auto info = unmask::io::list_variables(path);
  const auto cube = unmask::io::read_cube({path, "cube"});
  const auto mask = unmask::io::read_mask({path, ""});
  for (const std::string& message :
       {info ? "" : info.error().message(), cube ? "" : cube.error().message(), mask ? "" : mask.error().message()})
    if (message.find('\n') != std::string::npos || message.size() > 2000) return false;
  return true;
}

}  // namespace io_test
