#pragma once

/// The networks that come with the program (models/ of the repository). They are looked for in $UNMASK_MODELS, beside
/// an installed program (share/unmask/models), and above a build folder.

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace program {

inline constexpr const char* general_model = "general.safetensors";  ///< 28 bands, step 2, any mask
inline constexpr const char* clouds_model = "clouds.safetensors";    ///< any sensor; see clouds/network_view.hpp

/// The path of a model; none where it is not to be found.
inline std::optional<std::string> model_path(const std::string& name) {
  namespace fs = std::filesystem;
  std::error_code failure;
  std::vector<fs::path> folders;
  if (const char* chosen = std::getenv("UNMASK_MODELS")) folders.emplace_back(chosen);
  const fs::path program = fs::read_symlink("/proc/self/exe", failure).parent_path();
  if (!failure) {
    folders.push_back(program / "../share/unmask/models");
    folders.push_back(program / "../../models");
  }
  for (const auto& folder : folders)
    if (fs::exists(folder / name, failure)) return (folder / name).lexically_normal().string();
  return {};
}

}  // namespace program
