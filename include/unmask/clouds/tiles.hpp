#pragma once

/// Large images tile by tile: each tile is reconstructed with a margin around it, and tiles are mixed linearly over
/// what they share. Regressions are the tile's own, as they would be in a window.

#include <vector>

#include "../core/tensor.hpp"
#include "declouder.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

struct tiling {
  index_t tile = 512;    ///< pixels that a tile answers for
  index_t overlap = 64;  ///< that it reads more on each side
};

namespace detail {

/// The windows of one direction: first pixel and number.
inline std::vector<std::array<index_t, 2>> windows(index_t size, const tiling& t) {
  std::vector<std::array<index_t, 2>> all;
  const index_t count = std::max<index_t>(1, (size + t.tile - 1) / t.tile), side = (size + count - 1) / count;
  for (index_t i = 0; i < count; ++i) {
    const index_t begin = std::max<index_t>(0, i * side - t.overlap), end = std::min(size, (i + 1) * side + t.overlap);
    if (begin < end) all.push_back({begin, end - begin});
  }
  return all;
}

/// Rises from the window's edge over twice the overlap, where the window's edge is not the image's.
inline float ramp(index_t at, const std::array<index_t, 2>& window, index_t size, index_t overlap) {
  const index_t from = window[0] > 0 ? at + 1 : size, to = window[0] + window[1] < size ? window[1] - at : size;
  return std::min(1.f, static_cast<float>(std::min(from, to)) / static_cast<float>(2 * overlap + 1));
}

/// [H, W, ...] values of a window, `per` a pixel.
template <class T>
void cut(T* to, const T* from, index_t width, const std::array<index_t, 2>& rows, const std::array<index_t, 2>& columns,
         index_t per) {
  for (index_t h = 0; h < rows[1]; ++h)
    std::copy_n(from + ((rows[0] + h) * width + columns[0]) * per, columns[1] * per, to + h * columns[1] * per);
}

}  // namespace detail

/// As declouder::run. Memory beside the arguments: one window's (bytes of its declouder and its scene) and 4 bytes a
/// pixel. `peak`, where given, gets the largest declouder's bytes. Errors: those of `create` and `run`.
template <class Backend>
result<outcome> run_tiled(const Backend& be, const scene& s, const estimate& to, const options& o, const tiling& t = {},
                          std::size_t* peak = nullptr) {
  const index_t H = s.image.extent(0), W = s.image.extent(1), C = s.image.extent(2);
  const index_t K = s.references.data() ? s.references.extent(0) : 0;
  const auto tall = detail::windows(H, t), wide = detail::windows(W, t);
  outcome all;
  tensor<float, 2> weight({H, W});
  std::copy_n(s.image.data(), H * W * C, to.image.data());
  std::fill_n(to.deviation.data(), to.deviation.size(), 0.f);
  tensor<float, 3> sum({H, W, C});
  for (const auto& rows : tall)
    for (const auto& columns : wide) {
      const index_t h = rows[1], w = columns[1];
      tensor<float, 3> image({h, w, C}), result_image({h, w, C}), deviation({h, w, C});
      tensor<float, 2> visibility({h, w});
      tensor<std::uint8_t, 2> hidden({h, w}), origin({h, w});
      tensor<float, 4> references({K, h, w, C});
      tensor<float, 3> seen({K, h, w});
      detail::cut(image.data(), s.image.data(), W, rows, columns, C);
      detail::cut(visibility.data(), s.visibility.data(), W, rows, columns, 1);
      if (s.hidden.data()) detail::cut(hidden.data(), s.hidden.data(), W, rows, columns, 1);
      for (index_t k = 0; k < K; ++k) {
        detail::cut(references.data() + k * h * w * C, s.references.data() + k * H * W * C, W, rows, columns, C);
        detail::cut(seen.data() + k * h * w, s.reference_visibility.data() + k * H * W, W, rows, columns, 1);
      }
      auto d = declouder<Backend>::create(be, {h, w, C, K}, o);
      if (!d) return d.error();
      if (peak) *peak = std::max(*peak, d->bytes());
      scene part{image.view(), visibility.view(), {}, s.day, references.view(), seen.view(), s.days};
      if (s.hidden.data()) part.hidden = hidden.view();
      const auto found = d->run(part, {result_image.view(), deviation.view(), origin.view()});
      if (!found) return found.error();
      all.add(*found);
      for (index_t y = 0; y < h; ++y)
        for (index_t x = 0; x < w; ++x) {
          const index_t at = (rows[0] + y) * W + columns[0] + x, from = y * w + x;
          const std::uint8_t p = origin.data()[from];
          if (to.origin.data()) to.origin.data()[at] = std::max(to.origin.data()[at], p);
          if (p < static_cast<std::uint8_t>(provenance::reconstructed)) continue;
          const float mix = detail::ramp(y, rows, H, t.overlap) * detail::ramp(x, columns, W, t.overlap);
          weight.data()[at] += mix;
          for (index_t c = 0; c < C; ++c) {
            sum.data()[at * C + c] += mix * result_image.data()[from * C + c];
            if (to.deviation.data()) to.deviation.data()[at * C + c] += mix * deviation.data()[from * C + c];
          }
        }
    }
  for (index_t i = 0; i < H * W; ++i) {
    if (!(weight.data()[i] > 0)) continue;
    for (index_t c = 0; c < C; ++c) {
      to.image.data()[i * C + c] = sum.data()[i * C + c] / weight.data()[i];
      if (to.deviation.data()) to.deviation.data()[i * C + c] /= weight.data()[i];
    }
  }
  return all;
}

}  // namespace unmask::inline UNMASK_ABI::clouds
