#pragma once

/// A date and its references as the tiles read them, and how large tiles may be.

#include <unmask/clouds/tile_rows.hpp>

#include "clouds.hpp"
#include "clouds_output.hpp"
#include "memory.hpp"

namespace program {

/// The source of `clouds::run_rows`: windows out of files.
class file_windows {
 public:
  file_windows(date_files& y, std::vector<date_files*> dates, const hiding& how)
      : y_(&y), dates_(std::move(dates)), how_(how) {
    for (const date_files* d : dates_) days_.push_back(d->day);
  }

  double day() const { return y_->day; }
  const double* days() const { return days_.data(); }
  index_t references() const { return static_cast<index_t>(dates_.size()); }

  result<> image(const unmask::clouds::tile_window& t, unmask::clouds::scene_window& to) {
    auto y = read_date(*y_, pixels(t), how_);
    if (!y) return y.error();
    to.image = std::move(y->values), to.visibility = std::move(y->visibility), to.hidden = std::move(y->hidden);
    return {};
  }

  result<> references(const unmask::clouds::tile_window& t, unmask::clouds::scene_window& to) {
    float *values = to.references.data(), *seen = to.reference_visibility.data();
    for (date_files* d : dates_) {
      const auto image = read_date(*d, pixels(t), how_);
      if (!image) return image.error();
      values = std::copy(image->values.begin(), image->values.end(), values);
      for (const std::uint8_t hidden : image->hidden) *seen++ = hidden != 0 ? 0.f : 1.f;
    }
    return {};
  }

 private:
  static pixel_window pixels(const unmask::clouds::tile_window& t) {
    return {t.rows[0], t.columns[0], t.rows[1], t.columns[1]};
  }

  date_files* y_;
  std::vector<date_files*> dates_;
  std::vector<double> days_;
  hiding how_;
};

/// Bytes that a run with tiles of this size takes beside what the process has; learnt: with a network, its own apart.
inline double planned_bytes(const unmask::cpu& be, const date_files& y, const std::vector<date_files*>& dates,
                            const unmask::clouds::tiling& t, bool learnt) {
  namespace clouds = unmask::clouds;
  const index_t H = y.image.height(), W = y.image.width(), C = y.image.bands();
  const index_t K = static_cast<index_t>(dates.size());
  index_t h = 0, w = 0;
  for (const auto& rows : clouds::detail::windows(H, t)) h = std::max(h, rows[1]);
  for (const auto& columns : clouds::detail::windows(W, t)) w = std::max(w, columns[1]);
  double bytes = static_cast<double>(clouds::declouder<unmask::cpu>::bytes_for(be, {h, w, C, K}, learnt));
  // a window's scene and results, one date being read, and what mask files of it hold
  const index_t reading = C * (sample_bytes(y.image.type()) + 4) + 24;
  bytes += static_cast<double>(h * w) *
           static_cast<double>(clouds::scene_window::bytes_per_pixel(C, K) + 8 * C + 1 + reading);
  bytes += static_cast<double>(h * W) * static_cast<double>(clouds::detail::tile_sums::bytes_per_pixel(C));
  bytes += result_files::kept_bytes(y, h) + static_cast<double>(h * W * (4 * C + 1));  // rows that wait to be written
  const auto masks = [&](const date_files& d) {
    double kept = static_cast<double>(d.image.kept_bytes(h));
    for (const auto* m : {&d.visibility, &d.given})
      if (*m) kept += static_cast<double>((*m)->file().kept_bytes(h));
    return kept;
  };
  bytes += masks(y);
  for (const date_files* d : dates) bytes += masks(*d);
  return bytes;
}

/// The tiles of a run: those asked for, or the largest of at most 512 pixels that keep the limit. `limit`: bytes of the
/// process; 0: none. Errors: `bad_argument` where nothing keeps it.
inline result<unmask::clouds::tiling> plan_tiles(const unmask::cpu& be, const date_files& y,
                                                 const std::vector<date_files*>& dates, index_t tile, double limit,
                                                 bool learnt) {
  unmask::clouds::tiling t;
  if (tile > 0) t.tile = tile;
  if (!(limit > 0)) return t;
  const double room = limit - memory_in_use().now - 8e6;  // threads' stacks, libraries, what malloc keeps
  double least = 0;
  for (const index_t side : {512, 384, 256, 192, 128, 96, 64}) {
    if (tile == 0) t.tile = side;
    least = planned_bytes(be, y, dates, t, learnt);
    if (least <= room) return t;
    if (tile > 0) break;
  }
  char text[240];
  std::snprintf(text, sizeof text,
                "--memory-limit %.0f: tiles of %td pixels with %zu other dates take %.0f MB; say fewer --references%s",
                limit / 1e6, t.tile, dates.size(), (limit - room + least) / 1e6,
                y.image.file().kept_bytes(1) > (index_t{1} << 26)
                    ? ", or convert the files to tiles (gdal_translate -co TILED=YES)"
                    : "");
  return error(errc::bad_argument, y.file + ": " + text);
}

}  // namespace program
