#pragma once

/// What a command for stacks reads and what it will write, checked before any work: results go into a folder under
/// names of their own, and that folder may be the one of the dates.

#include <unmask/io/output_checks.hpp>

#include "clouds_stack.hpp"

namespace program {

/// Every file that the manifest names, and itself.
inline std::vector<std::string> files_of(const stack_files& s, const std::string& manifest) {
  std::vector<std::string> paths{manifest};
  const auto add = [&](const image_file& f) {
    paths.push_back(std::filesystem::exists(f.name()) ? f.name()
                                                      : unmask::io::parse_indexed_source(f.name()).from.path);
  };
  for (const date_files& d : s.dates) {
    for (const image_file& part : d.image.files()) add(part);
    for (const auto* mask : {&d.visibility, &d.given})
      if (*mask) add((*mask)->file());
  }
  return paths;
}

/// Makes the folder. Errors of `io::check_outputs`. NPY carries our mark; a TIFF or a manifest has none, so that only
/// inputs are safe from it, as are other results.
inline result<> check_folder_outputs(const std::string& folder, const std::vector<std::string>& outputs,
                                     const std::vector<std::string>& inputs, bool force) {
  std::error_code ignored;
  std::filesystem::create_directories(folder, ignored);  // where that fails, the first of its files says so
  std::vector<unmask::io::output_file> marked, others;
  for (const std::string& path : outputs)
    (path.ends_with(".npy") ? marked : others).push_back({path, "a result in --out", unmask::io::output_kind::npy});
  if (auto ok = unmask::io::check_outputs(marked, inputs, force); !ok) return ok;
  return unmask::io::check_outputs(others, inputs, true);
}

}  // namespace program
