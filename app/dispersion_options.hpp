#pragma once

/// How a camera's prism moves the bands: `--step` and `--dispersion`, and what is turned for it.

#include <CLI/CLI.hpp>
#include <string>
#include <unmask/optics/camera.hpp>

#include "context.hpp"

namespace program {

using unmask::dispersion_direction;

struct dispersion_choice {
  index_t step = 2;
  std::string direction = "right";

  /// The option's check knows the names.
  dispersion_direction way() const { return *unmask::dispersion_by_name(direction); }
};

/// Whole pixels from `lowest` to 64.
inline CLI::Validator dispersion_step(int lowest) {
  return CLI::Validator(
      [lowest](std::string& text) -> std::string {
        const std::string range = "expected whole pixels, " + std::to_string(lowest) + " to 64";
        double step = 0;
        if (!CLI::detail::lexical_cast(text, step)) return "found " + text + ", " + range;
        if (step < 0) return "found " + text + ", " + range + " (light that moves to the left: --dispersion left)";
        if (!(step <= 64 && step >= lowest)) return "found " + text + ", " + range;
        if (step != static_cast<int>(step))
          return "found " + text + ", " + range + " (`unmask calibrate` finds where the bands really land)";
        return "";
      },
      "PIXELS");
}

inline void add_dispersion(CLI::App* command, dispersion_choice& choice, int lowest_step = 0) {
  command->add_option("--step", choice.step, "dispersion, pixels a band")
      ->check(dispersion_step(lowest_step))
      ->capture_default_str();
  command
      ->add_option("--dispersion", choice.direction,
                   "which way the sensor sees band after band land: right, left, down or up")
      ->check(CLI::IsMember(std::vector<std::string>(unmask::dispersion_names.begin(), unmask::dispersion_names.end())))
      ->capture_default_str();
}

/// " to the left", for messages; nothing for the usual way.
inline std::string to_the(dispersion_direction d) {
  if (d == dispersion_direction::right) return "";
  return unmask::along_rows(d) ? " to the left" : " " + std::string(unmask::dispersion_name(d));
}

/// A mask, a snapshot (bands = 1) or a cube as the camera sees it whose bands land to the right, or back from there.
enum class turn { to_right, from_right };

template <std::size_t Rank>
tensor<float, Rank> turned(const tensor<float, Rank>& image, dispersion_direction d, turn way) {
  const bool swaps = !unmask::along_rows(d), back = way == turn::from_right;
  auto extents = image.extents();
  if (swaps) std::swap(extents[0], extents[1]);
  tensor<float, Rank> to(extents);
  const auto& as_seen = back ? extents : image.extents();
  const index_t channels = Rank == 3 ? extents[Rank - 1] : 1;
  const unmask::optics::cassi_geometry g{as_seen[0], as_seen[1], 1, 0, d};
  unmask::optics::detail::each_pixel(unmask::cpu{.threads = 1}, g, [&](index_t seen, index_t right) {
    const index_t at = back ? right : seen, there = back ? seen : right;
    std::copy_n(image.data() + at * channels, channels, to.data() + there * channels);
  });
  return to;
}

}  // namespace program
