#pragma once

/// A large image tile by tile, read by windows and handed out by rows, so that none of it has to be in memory as a
/// whole. Each tile is reconstructed with a margin around it, and tiles are mixed linearly over what they share.
/// Regressions are the tile's own, as they would be in a window.

#include <vector>

#include "../core/tensor.hpp"
#include "declouder.hpp"

namespace unmask::inline UNMASK_ABI::clouds {

struct tiling {
  index_t tile = 512;    ///< pixels that a tile answers for
  index_t overlap = 64;  ///< that it reads more on each side
};

/// First pixel and number of pixels of each direction.
struct tile_window {
  std::array<index_t, 2> rows{}, columns{};
};

/// The part of a scene that a tile reads, with memory of its own.
struct scene_window {
  tensor<float, 3> image;
  tensor<float, 2> visibility;
  tensor<std::uint8_t, 2> hidden;
  tensor<float, 4> references;
  tensor<float, 3> reference_visibility;

  static index_t bytes_per_pixel(index_t C, index_t K) { return 4 * C + 5 + K * (4 * C + 4); }
};

/// Rows [first, first + H) that no later tile changes. Image and deviation [H, W, C] hold values where origin [H, W] is
/// at least `provenance::reconstructed`, and zeros elsewhere.
struct finished_rows {
  index_t first = 0;
  array_view<const float, 3> image, deviation;
  array_view<const std::uint8_t, 2> origin;
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

/// Sums of tiles for the rows that are not finished.
class tile_sums {
 public:
  tile_sums(index_t W, index_t C) : W_(W), C_(C) {}

  static index_t bytes_per_pixel(index_t C) { return 8 * C + 5; }

  /// Makes room for rows up to `end`.
  void extend(index_t end) {
    const auto pixels = static_cast<std::size_t>((end - first_) * W_), values = pixels * static_cast<std::size_t>(C_);
    if (pixels <= weight_.size()) return;
    weight_.resize(pixels), origin_.resize(pixels), image_.resize(values), deviation_.resize(values);
  }

  void add(index_t row, index_t column, float mix, std::uint8_t p, const float* image, const float* deviation) {
    const index_t at = (row - first_) * W_ + column;
    auto& origin = origin_[static_cast<std::size_t>(at)];
    origin = std::max(origin, p);
    if (p < static_cast<std::uint8_t>(provenance::reconstructed)) return;
    weight_[static_cast<std::size_t>(at)] += mix;
    for (index_t c = 0; c < C_; ++c) {
      image_[static_cast<std::size_t>(at * C_ + c)] += mix * image[c];
      deviation_[static_cast<std::size_t>(at * C_ + c)] += mix * deviation[c];
    }
  }

  /// Hands out the rows before `end` and forgets them.
  template <class Sink>
  result<> finish(index_t end, Sink& to) {
    const index_t rows = end - first_, pixels = rows * W_;
    for (index_t i = 0; i < pixels; ++i) {
      const float w = weight_[static_cast<std::size_t>(i)];
      if (!(w > 0)) continue;
      for (index_t c = 0; c < C_; ++c) {
        image_[static_cast<std::size_t>(i * C_ + c)] /= w;
        deviation_[static_cast<std::size_t>(i * C_ + c)] /= w;
      }
    }
    const finished_rows done{first_, array_view<const float, 3>(image_.data(), rows, W_, C_),
                             array_view<const float, 3>(deviation_.data(), rows, W_, C_),
                             array_view<const std::uint8_t, 2>(origin_.data(), rows, W_)};
    if (auto ok = to(done); !ok) return ok;
    weight_.erase(weight_.begin(), weight_.begin() + pixels);
    origin_.erase(origin_.begin(), origin_.begin() + pixels);
    image_.erase(image_.begin(), image_.begin() + pixels * C_);
    deviation_.erase(deviation_.begin(), deviation_.begin() + pixels * C_);
    first_ = end;
    return {};
  }

 private:
  index_t W_, C_, first_ = 0;
  std::vector<float> weight_, image_, deviation_;
  std::vector<std::uint8_t> origin_;
};

/// What is observed, missing or hidden in a window; nothing is asked for where it says so.
inline outcome count_pixels(const scene_window& s, const options& o, bool& asked, std::uint8_t* origin) {
  outcome found;
  const index_t n = s.hidden.size(), C = s.image.extent(2);
  for (index_t i = 0; i < n; ++i) {
    bool data = true;
    for (index_t c = 0; c < C; ++c) data = data && std::isfinite(s.image.data()[i * C + c]);
    const bool hides = s.hidden.data()[i] != 0;
    found.no_data += !data, found.open += data && !hides;
    asked = asked || (data ? hides : o.fill_no_data);
    origin[i] = static_cast<std::uint8_t>(data ? provenance::observed : provenance::no_data);
  }
  found.fitted = found.open;
  return found;
}

}  // namespace detail

/// Reconstructs an image of `size`. `from` reads windows:
///   from.day(), from.days()                      of the image, and of the K references
///   result<> from.image(window, scene_window&)   image, visibility, hidden
///   result<> from.references(window, scene_window&)
/// `to(finished_rows)` takes the rows, in order. Tiles that hide nothing read no references. `peak`, where given, gets
/// the largest declouder's bytes. Errors: those of `from`, `to`, `declouder`.
template <class Backend, class Source, class Sink>
result<outcome> run_rows(const Backend& be, scene_size size, const options& o, const tiling& t, Source& from, Sink&& to,
                         std::size_t* peak = nullptr) {
  const auto [H, W, C, K] = size;
  const auto tall = detail::windows(H, t), wide = detail::windows(W, t);
  outcome all;
  detail::tile_sums sums(W, C);
  for (std::size_t i = 0; i < tall.size(); ++i) {
    sums.extend(tall[i][0] + tall[i][1]);
    for (const auto& columns : wide) {
      const tile_window window{tall[i], columns};
      const index_t h = tall[i][1], w = columns[1];
      scene_window s{tensor<float, 3>({h, w, C}), tensor<float, 2>({h, w}), tensor<std::uint8_t, 2>({h, w}), {}, {}};
      if (auto ok = from.image(window, s); !ok) return ok.error();
      tensor<float, 3> image({h, w, C}), deviation({h, w, C});
      tensor<std::uint8_t, 2> origin({h, w});
      bool asked = false;
      outcome found = detail::count_pixels(s, o, asked, origin.data());
      if (asked) {
        s.references = tensor<float, 4>({K, h, w, C});
        s.reference_visibility = tensor<float, 3>({K, h, w});
        if (auto ok = from.references(window, s); !ok) return ok.error();
        auto d = declouder<Backend>::create(be, {h, w, C, K}, o);
        if (!d) return d.error();
        if (peak) *peak = std::max(*peak, d->bytes());
        const scene part{s.image.view(),      s.visibility.view(),           s.hidden.view(), from.day(),
                         s.references.view(), s.reference_visibility.view(), from.days()};
        const auto run = d->run(part, {image.view(), deviation.view(), origin.view()});
        if (!run) return run.error();
        found = *run;
      }
      all.add(found);
      for (index_t y = 0; y < h; ++y)
        for (index_t x = 0; x < w; ++x) {
          const float mix = detail::ramp(y, tall[i], H, t.overlap) * detail::ramp(x, columns, W, t.overlap);
          const index_t at = y * w + x;
          sums.add(tall[i][0] + y, columns[0] + x, mix, origin.data()[at], image.data() + at * C,
                   deviation.data() + at * C);
        }
    }
    if (auto ok = sums.finish(i + 1 < tall.size() ? tall[i + 1][0] : H, to); !ok) return ok.error();
  }
  return all;
}

}  // namespace unmask::inline UNMASK_ABI::clouds
