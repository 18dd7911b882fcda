#pragma once

/// The pages that commands write: estimates of one snapshot side by side, with truth and numbers where there is a
/// truth.

#include <deque>
#include <unmask/optics/spectral.hpp>
#include <unmask/render/report.hpp>

#include "methods.hpp"
#include "quality_json.hpp"

namespace program {

class report_builder {
 public:
  unmask::render::report_input input;

  report_builder(const std::string& title, const std::vector<double>& wavelengths, const snapshot& s) : snapshot_(s) {
    input.title = title;
    input.wavelengths = wavelengths;
    input.snapshot = snapshot_.measurement.view();
    input.mask = snapshot_.camera.mask();
    const auto& g = s.geometry();
    fact("Dispersion", std::to_string(g.step) + " pixels a band");
  }

  void fact(const std::string& name, const std::string& value) { input.facts.emplace_back(name, value); }

  void add(estimate e) {
    estimates_.push_back(std::move(e));
    const estimate& kept = estimates_.back();
    input.methods.push_back({kept.name, kept.cube.view()});
    char text[64];
    std::snprintf(text, sizeof text, "%.4f", kept.reprojection);
    if (kept.reprojection > 0) fact("|A x - y| / |y|, " + kept.name, text);
    std::snprintf(text, sizeof text, "%.1f %%", 100 * kept.trace);
    if (kept.trace > 0) fact("Brightness that follows the mask, " + kept.name, text);
  }

  /// A picture beside the cubes; the plane must outlive `write`.
  void add_image(const std::string& name, const std::string& caption, const tensor<float, 2>& plane) {
    input.images.push_back({.name = name, .caption = caption, .values = plane.view()});
  }

  /// Numbers against the truth, as a table by the official definition.
  result<> compare(tensor<float, 3> truth) {
    truth_ = std::move(truth);
    input.truth = truth_.view();
    using unmask::render::better;
    input.scores.definition = std::string(unmask::metrics::name(unmask::metrics::definition::official_8bit));
    for (const char* group : {"all pixels", "hidden (mask < 0.5)"})
      for (const auto& [name, decimals, best] :
           {std::tuple{"PSNR dB", 2, better::higher}, std::tuple{"SSIM", 3, better::higher},
            std::tuple{"SAM deg", 2, better::lower}})
        input.scores.columns.push_back({group, name, decimals, best});
    for (const estimate& e : estimates_) {
      const auto q = unmask::metrics::evaluate_regions(truth_.view(), e.cube.view(), snapshot_.camera.mask());
      if (!q) return q.error();
      qualities.emplace_back(e.name, *q);
      input.scores.rows.push_back({e.name, table_values(*q)});
    }
    return {};
  }

  result<> write(const std::string& path) const { return unmask::render::write_report(path, input); }

  std::vector<std::pair<std::string, unmask::metrics::regional_quality>> qualities;

 private:
  snapshot snapshot_;
  std::deque<estimate> estimates_;  // views into them must stay valid
  tensor<float, 3> truth_;
};

}  // namespace program
