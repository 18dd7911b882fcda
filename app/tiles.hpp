#pragma once

/// Reconstruction tile by tile: the cube is written as it comes and is never there as a whole.

#include <memory>

#include "methods.hpp"

namespace program {

struct tiled_estimate {
  double reprojection = 0, seconds = 0;
};

class tile_run {
 public:
  /// `memory`: bytes that the run may take beside what the process has; 0 with `options.tile`: no limit.
  /// Errors: a method that has no tiles, a limit that no tiles keep, a device that takes whole images.
  static result<tile_run> create(const context&, snapshot, const unmask::model&, unmask::reconstruct_options,
                                 double memory);
  tile_run(tile_run&&) noexcept;
  ~tile_run();

  double bytes() const;  ///< that the run takes beside the snapshot
  std::string text() const;
  nlohmann::json summary() const;
  /// Whether inner pixels are those of the untiled network; one line where they are not.
  bool describe_exactness(const context&, const unmask::model&, index_t halo) const;

  /// Writes the cube to `out`; nothing appears there unless all of it was right.
  result<tiled_estimate> run(const context&, const std::string& out, std::span<const double> wavelengths,
                             const std::string& exposure);

 private:
  struct parts;
  explicit tile_run(std::unique_ptr<parts>);
  std::unique_ptr<parts> parts_;
};

}  // namespace program
