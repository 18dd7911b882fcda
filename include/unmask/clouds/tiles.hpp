#pragma once

/// A large scene in memory, tile by tile: working memory grows with a tile, not with the image.

#include "tile_rows.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

namespace detail {

/// A scene in memory as `run_rows` reads it.
class scene_windows {
 public:
  scene_windows(const scene& s, const options& o) : scene_(s), below_(o.hidden_below) {}

  double day() const { return scene_.day; }
  const double* days() const { return scene_.days; }

  result<> image(const tile_window& w, scene_window& to) const {
    cut(to.image.data(), scene_.image.data(), w, scene_.image.extent(2));
    cut(to.visibility.data(), scene_.visibility.data(), w, 1);
    if (scene_.hidden.data())
      cut(to.hidden.data(), scene_.hidden.data(), w, 1);
    else
      for (index_t i = 0; i < to.hidden.size(); ++i)
        to.hidden.data()[i] = !(static_cast<double>(to.visibility.data()[i]) >= below_);
    return {};
  }

  result<> references(const tile_window& w, scene_window& to) const {
    const index_t C = scene_.image.extent(2), all = scene_.image.extent(0) * scene_.image.extent(1);
    const index_t K = to.references.extent(0), part = w.rows[1] * w.columns[1];
    for (index_t k = 0; k < K; ++k) {
      cut(to.references.data() + k * part * C, scene_.references.data() + k * all * C, w, C);
      cut(to.reference_visibility.data() + k * part, scene_.reference_visibility.data() + k * all, w, 1);
    }
    return {};
  }

 private:
  /// [H, W, ...] values of a window, `per` a pixel.
  template <class T>
  void cut(T* to, const T* from, const tile_window& w, index_t per) const {
    const index_t width = scene_.image.extent(1);
    for (index_t h = 0; h < w.rows[1]; ++h)
      std::copy_n(from + ((w.rows[0] + h) * width + w.columns[0]) * per, w.columns[1] * per,
                  to + h * w.columns[1] * per);
  }

  const scene& scene_;
  double below_;
};

}  // namespace detail

/// As declouder::run; deviation and origin may be without data. Memory beside the arguments: one window's (bytes of its
/// declouder and its scene) and 8 C + 5 bytes for each pixel of a row of tiles. `peak`, where given, gets the largest
/// declouder's bytes. Errors: those of `create` and `run`.
template <class Backend>
result<outcome> run_tiled(const Backend& be, const scene& s, const estimate& to, const options& o, const tiling& t = {},
                          std::size_t* peak = nullptr) {
  const index_t H = s.image.extent(0), W = s.image.extent(1), C = s.image.extent(2);
  const index_t K = s.references.data() ? s.references.extent(0) : 0;
  std::copy_n(s.image.data(), H * W * C, to.image.data());
  if (to.deviation.data()) std::fill_n(to.deviation.data(), to.deviation.size(), 0.f);
  detail::scene_windows from(s, o);
  const auto keep = [&](const finished_rows& rows) -> result<> {
    for (index_t i = 0; i < rows.origin.size(); ++i) {
      const index_t at = rows.first * W + i;
      if (to.origin.data()) to.origin.data()[at] = rows.origin.data()[i];
      if (rows.origin.data()[i] < static_cast<std::uint8_t>(provenance::reconstructed)) continue;
      std::copy_n(rows.image.data() + i * C, C, to.image.data() + at * C);
      if (to.deviation.data()) std::copy_n(rows.deviation.data() + i * C, C, to.deviation.data() + at * C);
    }
    return {};
  };
  return run_rows(be, {H, W, C, K}, o, t, from, keep, peak);
}

}  // namespace unmask::inline UNMASK_ABI::clouds
