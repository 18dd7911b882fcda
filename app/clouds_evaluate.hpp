#pragma once

/// Quality of a declouded image by region: what `unmask evaluate --visibility` says.

#include <unmask/clouds/regions.hpp>
#include <unmask/metrics/quality.hpp>

#include "clouds_mask.hpp"
#include "clouds_range.hpp"

namespace program {

struct region_evaluation {
  std::string truth, estimate, visibility, kind = "visibility", shadow, deviation;
  double hides = -1, mask_scale = -1, scale = 0, offset = 0;
  bool untrusted = false;
  unmask::clouds::region_options regions;
};

namespace detail {

/// Reflectance [H, W, C], NaN without data. `scale` 0: as the file says, or 1 for floating numbers.
inline result<tensor<float, 3>> read_reflectance(const std::string& path, const region_evaluation& o) {
  auto file = image_file::open(path, false, o.untrusted);
  if (!file) return file.error();
  const auto r = file->read({0, 0, file->height(), file->width()});
  if (!r) return r.error();
  if (!(o.scale > 0) && !file->scale && is_whole(r->type))
    return error(errc::bad_argument, path + ": whole numbers without a scale: say --scale (0.0001) and --offset");
  const double scale = o.scale > 0 ? o.scale : file->scale.value_or(1);
  const double offset = o.scale > 0 ? o.offset : file->offset.value_or(0);
  tensor<float, 3> v({r->height, r->width, r->bands});
  for (index_t i = 0; i < r->height * r->width; ++i) {
    bool missing = false, zero = is_whole(r->type);
    for (index_t c = 0; c < r->bands; ++c) {
      const double d = r->digit(i * r->bands + c);
      missing = missing || !std::isfinite(d) || (file->nodata && d == *file->nodata);
      zero = zero && d == 0;
      v.data()[i * r->bands + c] = static_cast<float>(d * scale + offset);
    }
    if (missing || zero) std::fill_n(v.data() + i * r->bands, r->bands, std::numeric_limits<float>::quiet_NaN());
  }
  if (const std::string wrong = off_scale(v.data(), v.size()); !wrong.empty())
    return error(errc::wrong_value, path + ": " + wrong + " (--scale, --offset)");
  return v;
}

inline result<tensor<float, 2>> read_region_plane(const std::string& path, const region_evaluation& o, bool shadow,
                                                  const tensor<float, 3>& truth) {
  const auto& names = unmask::clouds::mask_kind_names;
  mask_source m{path, unmask::clouds::mask_kind::visibility, {}, {}, o.untrusted};
  if (!shadow) {
    m.kind = static_cast<unmask::clouds::mask_kind>(std::find(names.begin(), names.end(), o.kind) - names.begin());
    if (o.hides >= 0) m.hides = o.hides;
    if (o.mask_scale > 0) m.scale = o.mask_scale;
  }
  return read_visibility(m, truth.extent(0), truth.extent(1));
}

}  // namespace detail

/// PSNR with peak 1 over all bands and pixels of a region, its spectral angle, the share of errors within one
/// deviation where there is one. Pixels without data in any of the files count nowhere and are told.
inline result<> evaluate_by_region(const context& c, const region_evaluation& o) {
  namespace clouds = unmask::clouds;
  namespace metrics = unmask::metrics;
  auto truth = detail::read_reflectance(o.truth, o);
  if (!truth) return truth.error();
  auto estimate = detail::read_reflectance(o.estimate, o);
  if (!estimate) return estimate.error();
  if (truth->extents() != estimate->extents())
    return error(errc::wrong_shape, o.estimate + ": found [" + unmask::io::detail::shape_text(estimate->extents()) +
                                        "], expected [" + unmask::io::detail::shape_text(truth->extents()) + "] as " +
                                        o.truth);
  const auto visibility = detail::read_region_plane(o.visibility, o, false, *truth);
  if (!visibility) return visibility.error();
  tensor<float, 2> shadow;
  if (!o.shadow.empty()) {
    auto read = detail::read_region_plane(o.shadow, o, true, *truth);
    if (!read) return read.error();
    shadow = std::move(*read);
  }
  tensor<float, 3> deviation;
  if (!o.deviation.empty()) {
    region_evaluation own = o;
    own.scale = 1, own.offset = 0;
    auto read = detail::read_reflectance(o.deviation, own);
    if (!read) return read.error();
    if (read->extents() != truth->extents())
      return error(errc::wrong_shape, o.deviation + ": is not of the truth's size");
    deviation = std::move(*read);
  }
  auto regions = clouds::find_regions(
      visibility->view(), shadow.size() > 0 ? unmask::in<float, 2>(shadow.view()) : unmask::in<float, 2>(), o.regions);
  const index_t n = visibility->size(), C = truth->extent(2);
  index_t missing = 0;
  for (index_t i = 0; i < n; ++i) {
    bool data = !std::isnan(visibility->data()[i]);
    for (index_t b = 0; b < C; ++b)
      data = data && std::isfinite(truth->data()[i * C + b]) && std::isfinite(estimate->data()[i * C + b]);
    if (data) continue;
    ++missing;
    for (auto& plane : regions) plane.data()[i] = 0;
  }
  nlohmann::json report;
  c.say("%-8s %10s %8s %8s%s\n", "pixels", "number", "PSNR dB", "SAM deg",
        deviation.size() > 0 ? "  within one deviation" : "");
  for (std::size_t k = 0; k < regions.size(); ++k) {
    const metrics::region where(regions[k].begin(), regions[k].end());
    const auto count = std::count(where.begin(), where.end(), 1);
    const std::string name(clouds::region_names[k]);
    report[name]["pixels"] = count;
    if (count == 0) continue;
    const auto d = metrics::definition::global_mse;
    const double psnr = metrics::psnr(truth->view(), estimate->view(), d, where),
                 sam = metrics::sam(truth->view(), estimate->view(), d, where);
    report[name]["psnr"] = psnr, report[name]["sam"] = sam;
    char text[48] = "";
    if (deviation.size() > 0 && name != "open") {
      double within = 0, known = 0;
      for (index_t i = 0; i < n * C; ++i) {
        if (where[static_cast<std::size_t>(i / C)] == 0 || !std::isfinite(deviation.data()[i])) continue;
        within += std::abs(estimate->data()[i] - truth->data()[i]) <= deviation.data()[i], ++known;
      }
      if (known > 0) {
        report[name]["within_deviation"] = within / known;
        std::snprintf(text, sizeof text, "  %.1f %%", 100 * within / known);
      }
    }
    c.say("%-8s %10td %8.3f %8.3f%s\n", name.c_str(), count, psnr, sam, text);
  }
  report["no_data"] = missing;
  if (missing > 0) c.say("%td pixels without data count nowhere\n", missing);
  c.print(report);
  return {};
}

}  // namespace program
