#pragma once

/// Which model `unmask reconstruct` works with: the one that was asked for, else the one that comes with the program,
/// else its spectra alone, else none. What nobody chose is said.

#include "known_spectra.hpp"
#include "snapshot_files.hpp"

namespace program {

struct model_request {
  std::string weights, method;  ///< as on the command line; may be empty
  bool quiet = false;           ///< a refusal will follow, and is the one line
};

struct chosen_model {
  std::optional<unmask::model> model{};  ///< none: GAP-TV
  std::string name{};                    ///< what messages call it
};

/// Where nothing that comes with the program fits. Errors: a method that needs it.
inline result<chosen_model> no_model(const context& c, const model_request& asked,
                                     const unmask::optics::cassi_geometry& g, const std::string& why) {
  const std::string what = "no network for " + std::to_string(g.bands) + " bands and step " + std::to_string(g.step) +
                           to_the(g.direction) + " comes with the program";
  if (!asked.method.empty())
    return error(errc::bad_argument, "--method " + asked.method +
                                         " needs --weights FILE (unmask train makes one): " + what + ", and " + why);
  if (!asked.quiet)
    c.say("%s: GAP-TV (--weights takes a network; spectral TV is better: %s)\n", what.c_str(), why.c_str());
  return chosen_model{};
}

/// `files`: the snapshot, where no weights were asked for. Errors: a file that cannot be read, a method that it does
/// not serve.
inline result<chosen_model> choose_model(const context& c, const model_request& asked, const snapshot_files* files) {
  const auto path = asked.weights.empty() ? model_path(general_model) : std::optional(asked.weights);
  if (!path) return no_model(c, asked, files->geometry, "models/" + std::string(general_model) + " was not found");
  auto read = unmask::io::read_weights(*path, c.backend());
  if (!read) return read.error();
  chosen_model chosen{std::move(*read), *path};
  if (!asked.weights.empty()) return chosen;
  const auto& g = files->geometry;
  const auto& nm = files->wavelengths.nm;
  const auto ok = fits_snapshot(*chosen.model, g, *path, nm);
  if (ok) {
    c.say("%s: %s, which comes with the program (--weights takes another, --method gap-tv none)\n",
          asked.method == "spectral-tv" ? "spectra" : "network", path->c_str());
    return chosen;
  }
  if (asked.method == "s2") return no_model(c, asked, g, ok.error().message());
  // the field's own files carry 28 bands and no wavelengths
  const bool benchmark = nm.empty() && g.bands == chosen.model->config.bands;
  if (nm.empty() && !benchmark)
    return no_model(c, asked, g, "the wavelengths are not known (--wavelengths FIRST:LAST)");
  auto spectra = known_spectra(*chosen.model, g, benchmark ? chosen.model->wavelengths : nm);
  if (!spectra) return no_model(c, asked, g, spectra.error().message());
  const auto& at = spectra->wavelengths;
  c.say(
      "no network for %td bands and step %td%s at %.0f to %.0f nm comes with the program (unmask train makes one): "
      "spectral TV, with the spectra of %s\n",
      g.bands, g.step, to_the(g.direction).c_str(), at.front(), at.back(), path->c_str());
  return chosen_model{std::move(*spectra), *path};
}

}  // namespace program
