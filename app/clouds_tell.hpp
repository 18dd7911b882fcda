#pragma once

/// What `unmask declouds` says of a date, for people and for machines.

#include "clouds_report.hpp"

namespace program {

inline nlohmann::json to_json(const date_notes& y, const declouded& d, const std::string& method) {
  const auto& f = d.found;
  nlohmann::json j{{"file", y.file},       {"date", y.date},     {"open", f.open},       {"hidden", f.hidden},
                   {"no_data", f.no_data}, {"unseen", f.unseen}, {"shadows", f.shadows}, {"references", d.references},
                   {"bytes", d.bytes}};
  if (f.held_out > 0) {
    j["held_out"] = {{"pixels", f.held_out}, {"rmse", f.held_out_rmse}};
    for (std::size_t m = 0; m < unmask::clouds::candidates; ++m) {
      const std::string name(unmask::clouds::candidate_names[m]);
      j["weights"][name] = f.weight[m];
      j["held_out"]["by_candidate"][name] = f.rmse[m];
    }
    if (method == "network") j["network"] = {{"gain", f.network_gain}, {"pixels", f.mended}};
  }
  return j;
}

inline void tell(const context& c, const date_files& y, const declouded& d, const std::string& method) {
  const auto& f = d.found;
  const double all = static_cast<double>(d.pixels) / 100;
  c.say("%s (%s): %.1f %% hidden, %.1f %% no data, %lld other dates\n", y.file.c_str(), y.date.c_str(),
        static_cast<double>(f.hidden) / all, static_cast<double>(f.no_data) / all,
        static_cast<long long>(d.references));
  if (y.image.file().is_held() && is_tiff(y.file))
    c.say("  results are NPY: tags of a GeoTIFF are not copied with --untrusted\n");
  if (f.shadows > 0)
    c.say("  %lld of the hidden pixels are shadow that the mask did not mark\n", static_cast<long long>(f.shadows));
  if (f.unseen > 0)
    c.say("  %lld hidden pixels no other date saw: filled from around\n", static_cast<long long>(f.unseen));
  if (f.held_out > 0)
    c.say("  error on %lld open pixels hidden on purpose: %.5f (best single candidate %.5f)\n",
          static_cast<long long>(f.held_out), f.held_out_rmse, *std::min_element(f.rmse.begin(), f.rmse.end()));
  if (method == "network" && f.mended > 0)
    c.say("  network: %lld pixels that show some ground\n", static_cast<long long>(f.mended));
  else if (method == "network")
    c.say("  network: left out (nothing to judge it by, or no gain under this cloud where the ground is known)\n");
  const char* where = f.open > unmask::clouds::hardly_any(d.pixels) ? "in some tiles " : "";
  if (f.from_nearest)
    c.say("  %shardly anything is open: the nearest date, and what is seen through the cloud, expect errors\n", where);
  else if (f.few_open)
    c.say("  %shardly anything is open: fitted on the most visible pixels, expect errors\n", where);
  if (f.unfitted && !f.one_image) c.say("  nothing is open: interpolated in time, not adapted to this date\n");
  if (f.one_image && method != "nearest") c.say("  no other date sees anything: filled from around, expect errors\n");
}

}  // namespace program
