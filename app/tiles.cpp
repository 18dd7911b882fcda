#include "tiles.hpp"

#include <chrono>
#include <cmath>
#include <unmask/io/cube_stream.hpp>
#include <unmask/train/progress.hpp>

#include "methods.hpp"

namespace program {

namespace {

using unmask::tile_span;
using unmask::tiling;
using network = unmask::tiled_session<float, unmask::cpu>;

/// A row of tiles: its rows of measurement and mask, and of A x as far as it is known.
class tile_row {
 public:
  tile_row(const context& c, const snapshot_files& files, const exposure& how) : c_(c), files_(files), how_(how) {}

  static double bytes(const tiling& t, const unmask::optics::cassi_geometry& g) {
    const index_t v = g.measurement_width(), answers = t.rows[0].end;
    const index_t slices = t.height() * (t.width() + v - g.width) + answers * (t.columns[0].end + v - g.width);
    return static_cast<double>(t.height() * (g.width + v) + answers * v + slices) * sizeof(float);
  }

  /// Input HM and mask of a tile.
  result<> read(const tile_span& rows, const tile_span& columns, unmask::array_view<float, 3> input,
                unmask::array_view<float, 2> mask) {
    if (columns.begin == 0)
      if (auto done = load(rows); !done) return done;
    cut(mask, mask_, 0, columns.from);
    tensor<float, 2> y({rows.size(), columns.size() + spread()});
    cut(y.view(), measurement_, 0, columns.from);
    const auto camera = unmask::optics::camera::create(mask, files_.geometry.bands, files_.geometry.step);
    if (!camera) return camera.error();
    camera->input(c_.backend(), input, y.view());
    return {};
  }

  /// Adds a tile's part of A x; the last tile of a row compares.
  void check(const tile_span& rows, const tile_span& columns, unmask::in<float, 3> cube) {
    const index_t h = cube.extent(0), w = cube.extent(1);
    tensor<float, 2> mask({h, w}), part({h, w + spread()});
    cut(mask.view(), mask_, rows.begin - rows.from, columns.begin);
    const auto& g = files_.geometry;
    unmask::optics::camera::create(mask.view(), g.bands, g.step).value().forward(c_.backend(), part.view(), cube);
    for (index_t r = 0; r < h; ++r)
      for (index_t v = 0; v < part.extent(1); ++v) again_(r, columns.begin + v) += part(r, v);
    if (columns.end < files_.geometry.width) return;
    for (index_t r = 0; r < h; ++r)
      for (index_t v = 0; v < again_.extent(1); ++v) {
        const double y = measurement_(rows.begin - rows.from + r, v), d = again_(r, v) - y;
        difference_ += d * d;
        energy_ += y * y;
      }
  }

  double reprojection() const { return energy_ > 0 ? std::sqrt(difference_ / energy_) : 0; }

 private:
  index_t spread() const { return files_.geometry.measurement_width() - files_.geometry.width; }

  result<> load(const tile_span& rows) {
    for (tensor<float, 2>* last : {&measurement_, &mask_, &again_}) *last = {};  // gone before the next comes
    auto y = files_.measurement.read(rows.from, rows.size());
    if (!y) return y.error();
    measurement_ = std::move(*y);
    how_.apply(measurement_);
    auto m = files_.mask.read(rows.from, rows.size());
    if (!m) return m.error();
    mask_ = std::move(*m);
    again_ = tensor<float, 2>({rows.end - rows.begin, measurement_.extent(1)});
    return {};
  }

  static void cut(unmask::array_view<float, 2> to, const tensor<float, 2>& from, index_t row, index_t column) {
    for (index_t r = 0; r < to.extent(0); ++r) std::copy_n(&from(row + r, column), to.extent(1), &to(r, 0));
  }

  const context& c_;
  const snapshot_files& files_;
  const exposure& how_;
  tensor<float, 2> measurement_, mask_, again_;
  double difference_ = 0, energy_ = 0;
};

tile_plan tiles_of(const context& c, const unmask::optics::cassi_geometry& g, const unmask::s2_config& config,
                   index_t side, index_t halo) {
  const index_t width = unmask::spans_rows(config) ? g.width : side;
  tile_plan p;
  p.tiles = {unmask::tile_spans(config, g.height, side, halo), unmask::tile_spans(config, g.width, width, halo)};
  constexpr double packing = 3e6;  // HDF5: caches of three datasets, one chunk before and after deflate
  p.bytes = static_cast<double>(network::bytes(config, p.tiles, c.threads)) + tile_row::bytes(p.tiles, g) + packing;
  return p;
}

}  // namespace

result<tile_plan> plan_tiles(const context& c, const snapshot_files& files, const unmask::s2_config& config,
                             const tile_choice& choice, double used) {
  const auto& g = files.geometry;
  if (choice.side > 0) return tiles_of(c, g, config, choice.side, choice.halo);
  tile_plan p;
  for (const index_t side : {1024, 768, 512, 448, 384, 320, 256, 192, 128, 64, 32, 16, 8}) {
    if (side >= std::max(g.height, g.width) || side % config.pad_multiple != 0) continue;
    p = tiles_of(c, g, config, side, choice.halo);
    if (used + p.bytes <= choice.memory_limit) return p;
  }
  char text[200];
  std::snprintf(text, sizeof text, "--memory-limit %g: the smallest tiles with a halo of %td need %.0f MB",
                choice.memory_limit / 1e6, choice.halo, (used + p.bytes) / 1e6);
  return error(errc::bad_argument, text);
}

result<tiled_estimate> run_tiles(const context& c, const snapshot_files& files, const exposure& how,
                                 const unmask::io::weights& weights, const tile_plan& plan, const std::string& out,
                                 std::span<const double> wavelengths) {
  const auto& g = files.geometry;
  const auto& t = plan.tiles;
  auto tiles = network::create(c.backend(), weights.config, weights.parameters, t);
  if (!tiles) return tiles.error();
  auto file = unmask::io::cube_stream::create(out, {g.height, g.width, g.bands}, {t.rows[0].end, t.columns[0].end});
  if (!file) return file.error();
  tile_row row(c, files, how);
  unmask::train::progress bar(static_cast<index_t>(t.count()), 0, {.label = "tiles"});
  index_t finished = 0;
  const auto start = std::chrono::steady_clock::now();
  const auto done = tiles->run([&](const tile_span& rows, const tile_span& columns, auto input,
                                   auto mask) { return row.read(rows, columns, input, mask); },
                               [&](const tile_span& rows, const tile_span& columns, auto cube) -> result<> {
                                 row.check(rows, columns, cube);
                                 if (auto written = file->write(rows.begin, columns.begin, cube); !written)
                                   return written;
                                 bar.update(++finished, "");
                                 return {};
                               });
  if (!done) return done.error();
  const tiled_estimate e{row.reprojection(), seconds_since(start)};
  if (auto saved = file->commit(
          wavelengths,
          {{"method", std::string("S2-Transformer")}, {"exposure", how.text}, {"reprojection_error", e.reprojection}});
      !saved)
    return saved.error();
  return e;
}

}  // namespace program
