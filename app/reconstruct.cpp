/// unmask reconstruct: a cube from one snapshot, by a network, by spectral TV or by GAP-TV.

#include <unmask/io/cube.hpp>
#include <unmask/io/hdf5_writer.hpp>

#include <cmath>

#include "camera_file.hpp"
#include "device.hpp"
#include "memory.hpp"
#include "methods.hpp"
#include "models.hpp"
#include "reconstruct_options.hpp"
#include "reports.hpp"

namespace program {

namespace {

/// The measurement's own wavelengths, those the weights were trained for, or the benchmark's for 28 bands.
std::vector<double> wavelengths_of(const std::string& path, index_t bands) {
  if (const auto list = unmask::io::read_tensor<double, 1>({path, "wavelengths"}); list && list->size() == bands)
    return {list->begin(), list->end()};
  return bands == 28 ? unmask::optics::benchmark_wavelength_list() : std::vector<double>();
}

/// The report shows the whole cube; everything else works by tiles.
result<> check_tiled(const context& c, const reconstruct_options& o, bool network) {
  if (c.device == "cuda")
    return error(errc::bad_argument, "--tile and --memory-limit are for --device cpu: a device takes the whole image");
  if (!network)
    return error(errc::bad_argument,
                 "--tile and --memory-limit need --method s2: GAP-TV and spectral TV have no tiles");
  if (!o.report.empty()) return error(errc::bad_argument, "--report needs the whole cube in memory, not tiles of it");
  return {};
}

class reconstruction {
 public:
  reconstruction(const context& c, const reconstruct_options& o) : c_(c), o_(o) {}

  result<> run() {
    if (c_.device == "cuda")
      if (auto ok = check_cuda(); !ok) return ok;
    if (o_.method != "gap-tv")
      if (auto ok = find_weights(); !ok) return ok;
    if (!files_)
      if (auto ok = open_files(weights_ ? weights_->config.bands : o_.bands); !ok) return ok;
    const auto& g = files_->geometry;
    if (weights_ && o_.bands != 0 && o_.bands != weights_->config.bands)
      return error(errc::bad_argument, "--band-count " + std::to_string(o_.bands) + ": the weights are for " +
                                           std::to_string(weights_->config.bands) + " bands");
    if (weights_) {
      auto initial = described_initial(weights_->description, weights_->config.bands);
      if (!initial) return initial.error();
      initial_ = std::move(*initial);
    }
    auto camera = read_camera(o_.mask, g);
    if (!camera) return camera.error();
    camera_ = std::move(*camera);
    initial_.noise_weight = camera_.noise_weight;
    if (o_.method == "spectral-tv") {
      if (!weights_ || initial_.kind != initial_kind::spectral_tv)
        return error(errc::bad_argument, "--method spectral-tv: no weights that know these spectra (--weights)");
      weights_.reset();
    } else if (!weights_) {
      initial_.kind = initial_kind::gap_tv;
    }
    give_back_freed_memory();
    const double used = memory_in_use().now,
                 planes = static_cast<double>(g.height * (g.width + g.measurement_width())) * sizeof(float),
                 solving = weights_ ? network_bytes(c_, g, *weights_, !camera_.positions.empty(), o_.refinements)
                                    : initial_bytes(g, initial_, !camera_.positions.empty()),
                 whole = used + planes + std::max(solving, writing_bytes(g));
    const bool tiled = o_.tile.side > 0 || (o_.tile.memory_limit > 0 && whole > o_.tile.memory_limit);
    return tiled ? by_tiles(*files_, used) : at_once(std::move(*files_), whole);
  }

 private:
  result<> open_files(index_t bands) {
    auto files = snapshot_files::open(o_.measurement, o_.mask, bands, o_.step);
    if (!files) return files.error();
    files_ = std::move(*files);
    return {};
  }

  /// The network that was asked for, or the one that comes with the program; none where that does not fit. What nobody
  /// chose is said.
  result<> find_weights() {
    std::string path = o_.weights;
    if (path.empty()) {
      if (auto ok = open_files(o_.bands); !ok) return ok;
      const auto& g = files_->geometry;
      const auto general = g.bands == 28 && g.step == 2 ? model_path(general_model) : std::nullopt;
      if (!general && !o_.method.empty())
        return error(errc::bad_argument, "--method " + o_.method + " needs --weights FILE (unmask train makes one): " +
                                             "no network for " + std::to_string(g.bands) + " bands and step " +
                                             std::to_string(g.step) + " comes with the program");
      if (!general) {
        if (o_.tile.side == 0 && o_.tile.memory_limit == 0)  // else the refusal is the one line
          c_.say("no network for %td bands and step %td comes with the program: GAP-TV (--weights takes one)\n",
                 g.bands, g.step);
        return {};
      }
      path = *general;
      c_.say("%s: %s, which comes with the program (--weights takes another, --method gap-tv none)\n",
             o_.method == "spectral-tv" ? "spectra" : "network", path.c_str());
    }
    auto read = unmask::io::read_weights(path, c_.backend());
    if (!read) return read.error();
    weights_ = std::move(*read);
    return {};
  }

  result<> at_once(snapshot_files files, double planned) {
    auto y = files.measurement.read();
    if (!y) return y.error();
    auto mask = files.mask.read();
    if (!mask) return mask.error();
    const auto how = files.expose(o_.exposure, o_.measurement, *std::max_element(y->begin(), y->end()));
    if (!how) return how.error();
    how->apply(*y);
    announce(files, *how, planned, "");
    const auto wavelengths = wavelengths_of(path(), files.geometry.bands);
    auto camera = unmask::optics::camera::create(mask->view(), files.geometry.bands, files.geometry.step,
                                                 unmask::dispersion_direction::right, camera_.positions);
    if (!camera) return error(camera.error().code(), o_.mask + ": " + camera.error().message());
    *mask = {};
    const snapshot s{std::move(*y), std::move(*camera), camera_.noise_weight};
    const bool network = weights_.has_value();
    if (how->camera && initial_.kind == initial_kind::gap_tv) initial_.kind = initial_kind::gap_tv_camera;
    if (auto ok = unmask::optics::check_initial(initial_, s.camera); !ok)
      return error(ok.error().code(), o_.mask + ": " + ok.error().message());
    auto e = network ? run_network(c_, s, std::move(*weights_), o_.refinements)
                     : result<estimate>(run_initial(c_, s, initial_));
    if (!e) return e.error();
    if (auto saved = unmask::io::write_cube(o_.out, e->cube.view(), wavelengths,
                                            {{"method", e->name},
                                             {"exposure", how->text},
                                             {"reprojection_error", e->reprojection},
                                             {"mask_trace", e->trace}});
        !saved)
      return saved;
    if (e->trace > 0)  // else too small or too dark to tell
      c_.say("%.1f %% of the brightness follows the mask's pattern, %.1f %% a mask that it has never seen\n",
             100 * e->trace, 100 * e->chance);
    summary_["mask_trace"] = e->trace;
    summary_["chance_trace"] = e->chance;
    conclude(files, e->name, e->seconds, e->reprojection);
    if (!o_.report.empty())
      if (auto ok = report(s, *how, wavelengths, std::move(*e)); !ok) return ok;
    c_.print(summary_);
    return {};
  }

  result<> by_tiles(const snapshot_files& files, double used) {
    if (auto ok = check_tiled(c_, o_, weights_.has_value()); !ok) return ok;
    if (initial_.kind != initial_kind::hm)
      return error(errc::bad_argument, "--tile and --memory-limit: the network starts from " +
                                           std::string(initial_name(initial_.kind)) +
                                           ", which needs the whole image; give --weights that start from hm");
    const auto plan = plan_tiles(c_, files, weights_->config, o_.tile, used);
    if (!plan) return plan.error();
    const auto top = largest_value(files.measurement);
    if (!top) return top.error();
    if (const auto mask = largest_value(files.mask); !mask) return mask.error();
    const auto how = files.expose(o_.exposure, o_.measurement, *top);
    if (!how) return how.error();
    const auto& t = plan->tiles;
    char text[120];
    std::snprintf(text, sizeof text, ", %td x %td tiles, each reads at most %td x %td",
                  static_cast<index_t>(t.rows.size()), static_cast<index_t>(t.columns.size()), t.height(), t.width());
    announce(files, *how, used + plan->bytes, text);
    const bool exact = describe_exactness(t);
    const auto e = run_tiles(c_, files, *how, *weights_, *plan, o_.out, wavelengths_of(path(), files.geometry.bands));
    if (!e) return e.error();
    conclude(files, "S2-Transformer", e->seconds, e->reprojection);
    summary_["tiles"] = {{"rows", t.rows.size()},
                         {"columns", t.columns.size()},
                         {"height", t.height()},
                         {"width", t.width()},
                         {"halo", weights_->config.padded(o_.tile.halo)},
                         {"exact", exact}};
    c_.print(summary_);
    return {};
  }

  /// Whether inner pixels are those of the untiled network; one line where they are not.
  bool describe_exactness(const unmask::tiling& t) const {
    if (t.count() == 1) return true;
    const auto& config = weights_->config;
    const bool near = config.padded(o_.tile.halo) >= unmask::reach(config), image = unmask::spans_image(config);
    if (image)
      c_.say("note: this network's spectral attention spans the image, here it spans a tile: the result is another\n");
    else if (!near)
      c_.say("note: the network reaches %td pixels, the halo is %td: close to the untiled result, not equal\n",
             unmask::reach(config), config.padded(o_.tile.halo));
    return near && !image;
  }

  void announce(const snapshot_files& files, const exposure& how, double planned, const char* tiles) {
    const auto& g = files.geometry;
    c_.say("%s: %td x %td, %td bands, step %td; %s\n", o_.measurement.c_str(), g.height, g.measurement_width(), g.bands,
           g.step, how.text.c_str());
    c_.say("memory: %.1f MB planned%s\n", planned / 1e6, tiles);
    summary_["memory"]["planned_bytes"] = std::llround(planned);
  }

  void conclude(const snapshot_files& files, const std::string& method, double seconds, double reprojection) {
    const auto& g = files.geometry;
    const double peak = memory_in_use().peak;
    c_.say("%s: %td x %td x %td by %s in %.2f s; re-projection error |A x - y| / |y| = %.4f; %.1f MB at most\n",
           o_.out.c_str(), g.height, g.width, g.bands, method.c_str(), seconds, reprojection, peak / 1e6);
    summary_["memory"]["peak_bytes"] = std::llround(peak);
    summary_.update({{"out", o_.out},
                     {"method", method},
                     {"seconds", seconds},
                     {"reprojection_error", reprojection},
                     {"height", g.height},
                     {"width", g.width},
                     {"bands", g.bands}});
  }

  result<> report(const snapshot& s, const exposure& how, const std::vector<double>& wavelengths, estimate e) {
    report_builder page("Reconstruction of " + std::filesystem::path(path()).filename().string(), wavelengths, s);
    page.input.rotate180 = o_.rotate;
    page.fact("Exposure", how.text);
    const bool baseline = e.name == "GAP-TV";
    page.add(std::move(e));
    // GAP-TV takes bands at multiples of the step: with a calibrated camera's mask it would only look worse than it is
    if (!baseline && !s.camera.placed()) page.add(run_gap_tv(c_, s, how.camera));
    if (!o_.truth.empty()) {
      auto truth = unmask::io::read_cube(unmask::io::parse_source(o_.truth));
      if (!truth) return truth.error();
      if (auto ok = page.compare(std::move(truth->cube)); !ok) return ok;
    }
    if (auto ok = page.write(o_.report); !ok) return ok;
    c_.say("%s written\n", o_.report.c_str());
    summary_["report"] = o_.report;
    return {};
  }

  std::string path() const { return unmask::io::parse_source(o_.measurement).path; }

  const context& c_;
  const reconstruct_options& o_;
  std::optional<snapshot_files> files_;
  std::optional<unmask::io::weights> weights_;  ///< none: the initial estimate is the result
  initial_estimate initial_;
  camera_settings camera_;  ///< beside the mask
  nlohmann::json summary_;
};

}  // namespace

void add_reconstruct(CLI::App& app, context& c) {
  auto o = std::make_shared<reconstruct_options>();
  auto* command = add_command(
      app, "reconstruct", "a cube from one coded snapshot",
      "unmask reconstruct --measurement snapshot.h5 --mask mask.mat --weights weights.safetensors --out cube.h5");
  add_options(command, o);
  add_device(command, c);
  command->callback([&c, o] { c.run = [&c, o] { return reconstruction(c, *o).run(); }; });
}

}  // namespace program
