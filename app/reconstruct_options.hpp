#pragma once

/// What `unmask reconstruct` can be told.

#include <optional>
#include <unmask/reconstruct/options.hpp>

#include "snapshot_files.hpp"

namespace program {

struct reconstruct_options {
  std::string measurement, list, mask, method, weights, wavelengths, out, report, truth;
  exposure_choice exposure;
  dispersion_choice dispersion;
  std::string effort = "best";
  std::optional<index_t> refinements, check_rows;  ///< none: those of the effort
  index_t bands = 0;
  index_t tile = 0, halo = unmask::reconstruct_options().halo;
  double memory_limit = 0;  ///< bytes of the whole process; 0: none
  bool rotate = false, untrusted = false;
};

inline void add_options(CLI::App* command, const std::shared_ptr<reconstruct_options>& o) {
  command->add_option("--measurement", o->measurement,
                      "snapshot [H, W + step (bands - 1)], longer in H for --dispersion down and up");
  command->add_option(
      "--list", o->list,
      "text file with a snapshot a line: all of them, each into a file of its name in the folder --out; "
      "shared by the ranks of mpirun");
  command->add_option("--mask", o->mask, "coded mask [H, W], 1 = light passes; or what `unmask calibrate` wrote")
      ->required();
  command
      ->add_option("--out", o->out,
                   "file with cube and wavelengths: .h5, .npy, .npz, .hdr (ENVI), .tif or .mat; a folder for --list")
      ->required();
  add_dispersion(command, o->dispersion);
  command
      ->add_option("--method", o->method,
                   "s2 (a network), spectral-tv (what it starts from) or gap-tv (needs no training)")
      ->check(CLI::IsMember({"s2", "spectral-tv", "gap-tv"}));
  command->add_option(
      "--weights", o->weights,
      "safetensors file of `unmask train` (default for 28 bands and step 2: the network that comes with the program)");
  command
      ->add_option("--effort", o->effort,
                   "best, or fast: less work for spectral TV, --refinements 2 and --check-rows 32 (less than half "
                   "of the time, 1 dB less on average)")
      ->check(CLI::IsMember({"best", "fast"}))
      ->capture_default_str();
  command
      ->add_option(
          "--refinements", o->refinements,
          "steps with similar patches and the measurement after a network that starts from spectral TV; 0: the "
          "network alone (default: 5)")
      ->check(CLI::Range(0, 100));
  command
      ->add_option(
          "--check-rows", o->check_rows,
          "rows on which hold-out validation decides whether the network and how many steps of refinement help "
          "this scene; 0: take all (default: 64)")
      ->check(CLI::Range(0, 1000000));
  command->add_option("--wavelengths", o->wavelengths,
                      "FIRST:LAST in nm, evenly spaced over the bands, or a file with a number for each, where the "
                      "measurement's does not say");
  command->add_option("--band-count", o->bands, "bands (default: from the weights, or from the two widths)")
      ->check(CLI::Range(1, 4096));
  command
      ->add_option("--exposure", o->exposure.mode,
                   "auto: as stored if the file says its unit, else camera; camera: clip at 0, divide by the maximum, "
                   "times --full-scale; none")
      ->check(CLI::IsMember({"auto", "camera", "none"}))
      ->capture_default_str();
  command
      ->add_option("--full-scale", o->exposure.full_scale, "of a camera's measurement, in units of the network's input")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--report", o->report,
                      "also write an HTML report (GAP-TV beside the network, if the mask is not calibrated)");
  command->add_option("--truth", o->truth, "true cube, for the report's numbers");
  add_untrusted(command, o->untrusted);
  command->add_flag("--rotate180", o->rotate, "show pictures rotated (some cameras store snapshots upside down)");
  command
      ->add_option("--tile", o->tile,
                   "pixels of a tile's side: reconstruct and write tile by tile, in memory that does not grow with the "
                   "image (strips of that height where the mask embedding spans rows)")
      ->check(CLI::Range(1, 65536));
  command->add_option("--halo", o->halo, "pixels that a tile reads on each side beyond its own")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  command
      ->add_option_function<double>(
          "--memory-limit", [o](double megabytes) { o->memory_limit = megabytes * 1e6; },
          "MB of the whole process: tiles where more is planned")
      ->check(CLI::PositiveNumber);
}

}  // namespace program
