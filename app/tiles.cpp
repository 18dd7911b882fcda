#include "tiles.hpp"

#include <unmask/io/cube_stream.hpp>

#include "ranks.hpp"
#include "run_method.hpp"

namespace program {

namespace {

constexpr double packing = 3e6;  // HDF5: caches of three datasets, one chunk before and after deflate

/// A x as far as tiles are known, to compare with y when all are: one pass, because the cube is not kept.
class reprojection {
 public:
  explicit reprojection(const snapshot& s) : snapshot_(s), sum_(s.measurement.extents()) {}

  static double bytes(const unmask::optics::cassi_geometry& g) {
    return static_cast<double>(g.height * g.measurement_width()) * sizeof(float);
  }

  void add(index_t row, index_t column, unmask::in<float, 3> part) {
    const auto& camera = snapshot_.camera;
    for (index_t h = 0; h < part.extent(0); ++h)
      for (index_t w = 0; w < part.extent(1); ++w)
        camera.add_light(&sum_(row + h, 0), column + w, camera.mask()(row + h, column + w), &part(h, w, 0));
  }

  double error() const { return reprojection_error(sum_, snapshot_); }

 private:
  const snapshot& snapshot_;
  tensor<float, 2> sum_;
};

}  // namespace

struct tile_run::parts {
  snapshot s;
  unmask::reconstructor<unmask::cpu> network;
};

tile_run::tile_run(std::unique_ptr<parts> p) : parts_(std::move(p)) {}
tile_run::tile_run(tile_run&&) noexcept = default;
tile_run::~tile_run() = default;

result<tile_run> tile_run::create(const context& c, snapshot s, const unmask::model& m,
                                  unmask::reconstruct_options options, double memory) {
  const auto refuse = [](const std::string& why) {
    return error(errc::bad_argument, "--tile and --memory-limit " + why);
  };
  if (c.device == "cuda") return refuse("are for --device cpu: a device takes the whole image");
  if (m.parameters.empty() || !options.network) return refuse("need --method s2: GAP-TV and spectral TV have no tiles");
  if (m.initial.kind != initial_kind::hm)
    return refuse("need --weights of a network that starts from hm: this one starts from " +
                  std::string(initial_name(m.initial.kind)) + ", which needs the whole image");
  if (options.tile == 0)  // 1 at least: 0 would be no limit
    options.memory_limit = static_cast<std::size_t>(std::max(1., memory - packing - reprojection::bytes(s.geometry())));
  auto network = unmask::reconstructor<unmask::cpu>::create(c.backend(), m, s.camera, options);
  if (!network) return error(network.error().code(), "--memory-limit: " + network.error().message());
  return tile_run(std::unique_ptr<parts>(new parts{std::move(s), std::move(*network)}));
}

double tile_run::bytes() const {
  return static_cast<double>(parts_->network.bytes()) + reprojection::bytes(parts_->s.geometry()) + packing;
}

std::string tile_run::text() const {
  const auto& t = parts_->network.tiles();
  char line[120];
  std::snprintf(line, sizeof line, ", %td x %td tiles, each reads at most %td x %td",
                static_cast<index_t>(t.rows.size()), static_cast<index_t>(t.columns.size()), t.height(), t.width());
  return line;
}

nlohmann::json tile_run::summary() const {
  const auto& t = parts_->network.tiles();
  return {{"rows", t.rows.size()}, {"columns", t.columns.size()}, {"height", t.height()}, {"width", t.width()}};
}

bool tile_run::describe_exactness(const context& c, const unmask::model& m, index_t halo) const {
  if (parts_->network.tiles().count() == 1) return true;
  const bool near = m.config.padded(halo) >= unmask::reach(m.config), image = unmask::spans_image(m.config);
  if (image)
    c.say("note: this network's spectral attention spans the image, here it spans a tile: the result is another\n");
  else if (!near)
    c.say("note: the network reaches %td pixels, the halo is %td: close to the untiled result, not equal\n",
          unmask::reach(m.config), m.config.padded(halo));
  return near && !image;
}

result<tiled_estimate> tile_run::run(const context& c, const std::string& out, std::span<const double> wavelengths,
                                     const std::string& exposure) {
  const auto& s = parts_->s;
  const auto& t = parts_->network.tiles();
  const auto& g = s.geometry();
  auto created = [&]() -> result<std::optional<unmask::io::cube_stream>> {
    if (!c.ranks->first()) return std::optional<unmask::io::cube_stream>();
    auto stream = unmask::io::cube_stream::create(out, g.cube_extents(), {t.rows[0].end, t.columns[0].end});
    if (!stream) return stream.error();
    return std::optional(std::move(*stream));
  }();
  if (auto ok = agree_on(c, created); !ok) return ok.error();
  auto& file = *created;  // the first rank's
  reprojection compared(s);
  const auto start = std::chrono::steady_clock::now();
  const auto done = parts_->network.run_tiles(
      s.measurement.view(),
      [&](index_t row, index_t column, unmask::in<float, 3> part) -> result<> {
        compared.add(row, column, part);
        return file->write(row, column, part);
      },
      reconstruction_progress(initial_kind::hm, c.quiet), *c.ranks);
  if (!done) return done.error();
  c.ranks->sent();
  const tiled_estimate e{compared.error(), seconds_since(start)};
  if (!file) return e;
  if (auto saved = file->commit(wavelengths, {{"method", method_name(initial_kind::hm, true)},
                                              {"exposure", exposure},
                                              {"reprojection_error", e.reprojection}});
      !saved)
    return saved.error();
  return e;
}

}  // namespace program
