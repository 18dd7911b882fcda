#pragma once

/// Metrics as JSON and as rows of the report's table.

#include <limits>
#include <unmask/metrics/quality.hpp>

#include "context.hpp"

namespace program {

inline nlohmann::json to_json(const unmask::metrics::quality& q) {
  return {{"psnr", q.psnr}, {"ssim", q.ssim}, {"sam", q.sam}, {"ergas", q.ergas}};
}

/// `hidden` and `open` are null where the mask has no such pixel.
inline nlohmann::json to_json(const unmask::metrics::regional_quality& q) {
  nlohmann::json j = to_json(q.all);
  j["hidden"] = q.hidden ? to_json(*q.hidden) : nlohmann::json();
  j["open"] = q.open ? to_json(*q.open) : nlohmann::json();
  return j;
}

/// PSNR, SSIM, SAM of all and of hidden pixels: the row of a table; NaN is shown as a dash.
inline std::vector<double> table_values(const unmask::metrics::regional_quality& q) {
  constexpr double none = std::numeric_limits<double>::quiet_NaN();
  return {q.all.psnr,
          q.all.ssim,
          q.all.sam,
          q.hidden ? q.hidden->psnr : none,
          q.hidden ? q.hidden->ssim : none,
          q.hidden ? q.hidden->sam : none};
}

}  // namespace program
