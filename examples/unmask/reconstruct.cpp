/// unmask reconstruct: a cube from one snapshot, by the network or by GAP-TV.

#include <unmask/io/cube.hpp>
#include <unmask/io/hdf5_writer.hpp>

#include <cmath>

#include "memory.hpp"
#include "methods.hpp"
#include "models.hpp"
#include "reports.hpp"
#include "tiles.hpp"

namespace program {

namespace {

struct reconstruct_options {
  std::string measurement, mask, method, weights, out, report, truth;
  exposure_choice exposure;
  tile_choice tile;
  index_t step = 2, bands = 0;
  bool rotate = false;
};

/// The measurement's own wavelengths, those the weights were trained for, or the benchmark's for 28 bands.
std::vector<double> wavelengths_of(const std::string& path, index_t bands) {
  if (const auto list = unmask::io::read_tensor<double, 1>({path, "wavelengths"}); list && list->size() == bands)
    return {list->begin(), list->end()};
  return bands == 28 ? unmask::optics::benchmark_wavelength_list() : std::vector<double>();
}

/// The report shows the whole cube; everything else works by tiles.
result<> check_tiled(const reconstruct_options& o, bool network) {
  if (!network) return error(errc::bad_argument, "--tile and --memory-limit need --method s2: GAP-TV has no tiles");
  if (!o.report.empty()) return error(errc::bad_argument, "--report needs the whole cube in memory, not tiles of it");
  return {};
}

class reconstruction {
 public:
  reconstruction(const context& c, const reconstruct_options& o) : c_(c), o_(o) {}

  result<> run() {
    index_t bands = o_.bands;
    const auto weights = choose_weights();
    if (!weights) return weights.error();
    const bool network = !weights->empty();
    if (network) {
      auto read = unmask::io::read_weights(*weights, c_.backend());
      if (!read) return read.error();
      weights_ = std::move(*read);
      if (bands == 0) bands = weights_->config.bands;
      if (bands != weights_->config.bands)
        return error(errc::bad_argument, "--band-count " + std::to_string(bands) + ": the weights are for " +
                                             std::to_string(weights_->config.bands) + " bands");
    }
    auto files = snapshot_files::open(o_.measurement, o_.mask, bands, o_.step);
    if (!files) return files.error();
    const auto& g = files->geometry;
    give_back_freed_memory();
    const double used = memory_in_use().now,
                 planes = static_cast<double>(g.height * (g.width + g.measurement_width())) * sizeof(float),
                 whole = used + planes + (network ? network_bytes(c_, g, *weights_) : gap_tv_bytes(g));
    const bool tiled = o_.tile.side > 0 || (o_.tile.memory_limit > 0 && whole > o_.tile.memory_limit);
    return tiled ? by_tiles(*files, used) : at_once(std::move(*files), whole);
  }

 private:
  /// The file of the network; empty for GAP-TV. What nobody chose is said.
  result<std::string> choose_weights() const {
    if (o_.method == "gap-tv") return std::string();
    if (!o_.weights.empty()) return o_.weights;
    const auto files = snapshot_files::open(o_.measurement, o_.mask, o_.bands, o_.step);
    if (!files) return files.error();
    const auto& g = files->geometry;
    const auto how = files->expose(o_.exposure, o_.measurement, 1);
    if (!how) return how.error();
    if (how->camera && o_.method.empty()) {
      c_.say(
          "a camera's snapshot: GAP-TV (the network that comes with the program learnt simulated ones; --method s2)\n");
      return std::string();
    }
    const auto general = model_path(general_model);
    if (general && g.bands == 28 && g.step == 2) {
      c_.say("network: %s, which comes with the program (--weights takes another, --method gap-tv none)\n",
             general->c_str());
      return *general;
    }
    if (o_.method == "s2")
      return error(errc::bad_argument, "--method s2 needs --weights FILE (unmask train makes one): no network for " +
                                           std::to_string(g.bands) + " bands and step " + std::to_string(g.step) +
                                           " comes with the program");
    if (o_.tile.side == 0 && o_.tile.memory_limit == 0)  // else the refusal is the one line
      c_.say("no network for %td bands and step %td comes with the program: GAP-TV (--weights takes one)\n", g.bands,
             g.step);
    return std::string();
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
    const snapshot s{std::move(*y), std::move(*mask), files.geometry};
    const bool network = weights_.has_value();
    auto e = network ? run_network(c_, s, std::move(*weights_)) : result<estimate>(run_gap_tv(c_, s, how->camera));
    if (!e) return e.error();
    if (auto saved = unmask::io::write_cube(
            o_.out, e->cube.view(), wavelengths,
            {{"method", e->name}, {"exposure", how->text}, {"reprojection_error", e->reprojection}});
        !saved)
      return saved;
    conclude(files, e->name, e->seconds, e->reprojection);
    if (!o_.report.empty())
      if (auto ok = report(s, *how, wavelengths, std::move(*e), network); !ok) return ok;
    c_.print(summary_);
    return {};
  }

  result<> by_tiles(const snapshot_files& files, double used) {
    if (auto ok = check_tiled(o_, weights_.has_value()); !ok) return ok;
    const auto initial = described_initial(weights_->description);
    if (!initial) return initial.error();
    if (*initial != initial_estimate::hm)
      return error(errc::bad_argument, "--tile and --memory-limit: the network starts from " +
                                           std::string(initial_name(*initial)) +
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

  result<> report(const snapshot& s, const exposure& how, const std::vector<double>& wavelengths, estimate e,
                  bool network) {
    report_builder page("Reconstruction of " + std::filesystem::path(path()).filename().string(), wavelengths, s);
    page.input.rotate180 = o_.rotate;
    page.fact("Exposure", how.text);
    page.add(std::move(e));
    if (network) page.add(run_gap_tv(c_, s, how.camera));  // the training-free baseline beside it
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
  std::optional<unmask::io::weights> weights_;
  nlohmann::json summary_;
};

}  // namespace

void add_reconstruct(CLI::App& app, context& c) {
  auto o = std::make_shared<reconstruct_options>();
  auto* command = add_command(
      app, "reconstruct", "a cube from one coded snapshot",
      "unmask reconstruct --measurement snapshot.h5 --mask mask.mat --weights weights.safetensors --out cube.h5");
  command->add_option("--measurement", o->measurement, "snapshot [H, W + step (bands - 1)]")->required();
  command->add_option("--mask", o->mask, "coded mask [H, W], 1 = light passes")->required();
  command->add_option("--out", o->out, "HDF5 file with cube and wavelengths")->required();
  command->add_option("--step", o->step, "dispersion, pixels a band")->check(CLI::Range(0, 64))->capture_default_str();
  command->add_option("--method", o->method, "s2 (a network) or gap-tv (needs no training)")
      ->check(CLI::IsMember({"s2", "gap-tv"}));
  command->add_option(
      "--weights", o->weights,
      "safetensors file of `unmask train` (default for 28 bands and step 2: the network that comes with the program)");
  command->add_option("--band-count", o->bands, "bands (default: from the weights, or from the two widths)")
      ->check(CLI::Range(1, 4096));
  command
      ->add_option("--exposure", o->exposure.mode,
                   "auto: as stored if the file says its unit, else camera; camera: clip at 0, divide by the maximum, "
                   "times --full-scale; none")
      ->check(CLI::IsMember({"auto", "camera", "none"}))
      ->capture_default_str();
  command
      ->add_option("--full-scale", o->exposure.full_scale, "of a camera's measurement, in units of the network's input")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--report", o->report, "also write an HTML report (GAP-TV beside the network)");
  command->add_option("--truth", o->truth, "true cube, for the report's numbers");
  command->add_flag("--rotate180", o->rotate, "show pictures rotated (some cameras store snapshots upside down)");
  command
      ->add_option("--tile", o->tile.side,
                   "pixels of a tile's side: reconstruct and write tile by tile, in memory that does not grow with the "
                   "image (strips of that height where the mask embedding spans rows)")
      ->check(CLI::Range(1, 65536));
  command->add_option("--halo", o->tile.halo, "pixels that a tile reads on each side beyond its own")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  command
      ->add_option_function<double>(
          "--memory-limit", [o](double megabytes) { o->tile.memory_limit = megabytes * 1e6; },
          "MB of the whole process: tiles where more is planned")
      ->check(CLI::PositiveNumber);
  command->callback([&c, o] { c.run = [&c, o] { return reconstruction(c, *o).run(); }; });
}

}  // namespace program
