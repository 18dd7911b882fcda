/// unmask reconstruct: a cube from one snapshot, by a network, by spectral TV or by GAP-TV.

#include <unmask/io/cube.hpp>

#include "camera_file.hpp"
#include "chosen_model.hpp"
#include "cube_output.hpp"
#include "device.hpp"
#include "methods.hpp"
#include "reconstruct_options.hpp"
#include "reconstruct_summary.hpp"
#include "reports.hpp"
#include "scene_files.hpp"
#include "tiles.hpp"

namespace program {

namespace {

class reconstruction {
 public:
  reconstruction(const context& c, const reconstruct_options& o) : c_(c), o_(o) {}

  result<> run() {
    if (auto ok = check_cube_output(o_.out, false); !ok) return ok;
    if (c_.device == "cuda")
      if (auto ok = check_cuda(); !ok) return ok;
    if (o_.method != "gap-tv")
      if (auto ok = find_model(); !ok) return ok;
    if (!files_)
      if (auto ok = open_files(model_ ? model_->config.bands : o_.bands); !ok) return ok;
    if (auto ok = choose_method(); !ok) return ok;
    if (auto ok = read_truth(); !ok) return ok;
    auto s = read_snapshot();
    if (!s) return s.error();
    give_back_freed_memory();
    const double used = memory_in_use().now;
    unmask::reconstruct_options options = options_;
    const auto solving = method_bytes(c_, s->camera, *model_, options);
    if (!solving) return solving.error();
    const double planned = used + std::max(*solving, writing_bytes(s->geometry()));
    if (o_.tile > 0 || (o_.memory_limit > 0 && planned > o_.memory_limit)) return by_tiles(std::move(*s), used);
    return at_once(std::move(*s), planned);
  }

 private:
  result<> open_files(index_t bands) {
    auto files = snapshot_files::open({o_.measurement, o_.mask, bands, o_.step, o_.untrusted});
    if (!files) return files.error();
    files_ = std::move(*files);
    if (o_.wavelengths.empty()) return {};
    auto nm = even_wavelengths(o_.wavelengths, files_->geometry.bands);
    if (!nm) return nm.error();
    auto& known = files_->wavelengths.nm;
    if (!known.empty() && unmask::detail::other_wavelength(known, *nm) >= 0)
      return error(errc::bad_argument, "--wavelengths " + o_.wavelengths + ": " + path() + " has others of its own");
    known = std::move(*nm);
    return {};
  }

  result<> find_model() {
    if (o_.weights.empty())
      if (auto ok = open_files(o_.bands); !ok) return ok;
    const bool quiet = o_.tile > 0 || o_.memory_limit > 0;
    auto chosen = choose_model(c_, {o_.weights, o_.method, quiet}, files_ ? &*files_ : nullptr);
    if (!chosen) return chosen.error();
    model_ = std::move(chosen->model);
    model_name_ = chosen->name;
    return {};
  }

  result<> fits_measurement() const {
    return fits_snapshot(*model_, files_->geometry, model_name_, files_->wavelengths.nm);
  }

  /// Model and options of the method; the model that comes back always says what to start from.
  result<> choose_method() {
    const auto& g = files_->geometry;
    if (model_ && o_.bands != 0 && o_.bands != model_->config.bands)
      return error(errc::bad_argument, "--band-count " + std::to_string(o_.bands) + ": the weights are for " +
                                           std::to_string(model_->config.bands) + " bands");
    if (model_)
      if (auto ok = fits_measurement(); !ok) return ok;
    if (model_) model_wavelengths_ = model_->wavelengths;
    if (!files_->wavelengths.note.empty()) c_.say("note: %s\n", files_->wavelengths.note.c_str());
    auto settings = read_camera(o_.mask, g, o_.untrusted);
    if (!settings) return settings.error();
    camera_settings_ = std::move(*settings);
    options_.noise_weight = camera_settings_.noise_weight;
    options_.refinements = o_.refinements;
    options_.check_rows = o_.check_rows;
    if (o_.method == "spectral-tv") {
      if (!model_ || model_->initial.kind != initial_kind::spectral_tv)
        return error(errc::bad_argument, "--method spectral-tv: no weights that know these spectra (--weights)");
      options_.network = false;
    } else if (!model_) {
      model_ = without_network({initial_kind::gap_tv, {}}, g.bands);
    }
    return {};
  }

  /// Before anything is computed: a truth that cannot be read, or of another size.
  result<> read_truth() {
    if (o_.truth.empty()) return {};
    auto truth = read_scene_of(o_.truth, files_->geometry.cube_extents(), o_.untrusted);
    if (!truth) return truth.error();
    truth_ = std::move(*truth);
    return {};
  }

  /// Mask and measurement in the cube's units.
  result<snapshot> read_snapshot() {
    auto y = files_->measurement.read();
    if (!y) return y.error();
    const tensor<float, 2> mask = std::move(files_->mask);
    const auto range = unmask::io::range_of(y->data(), y->size());
    auto how = files_->expose(o_.exposure, o_.measurement, range);
    if (!how) return how.error();
    exposure_ = std::move(*how);
    if (y->size() >= 1000) summary_.judge_exposure(o_.measurement, saturated_share(*y, range.largest));
    exposure_.apply(y->view());
    if (exposure_.camera && model_->initial.kind == initial_kind::gap_tv && model_->parameters.empty())
      model_->initial.kind = initial_kind::gap_tv_camera;
    const auto& g = files_->geometry;
    auto camera = unmask::optics::camera::create(mask.view(), g.bands, g.step, g.direction,
                                                 std::move(camera_settings_.positions));
    if (!camera) return error(camera.error().code(), o_.mask + ": " + camera.error().message());
    return snapshot{std::move(*y), std::move(*camera)};
  }

  result<> at_once(snapshot s, double planned) {
    summary_.announce(c_, o_.measurement, files_->geometry, exposure_.text);
    summary_.plan(c_, planned);
    const initial_spec start = model_->initial;
    const bool chooses = options_.network && !model_->parameters.empty() && start.kind == initial_kind::spectral_tv;
    auto e = run_method(c_, s, std::move(*model_), options_);
    if (!e) return of_measurement(e.error(), o_.measurement);
    if (auto saved = write_cube_output(o_.out, e->cube.view(), wavelengths(),
                                       {{"method", e->name},
                                        {"exposure", exposure_.text},
                                        {"reprojection_error", e->reprojection},
                                        {"mask_trace", e->trace}});
        !saved)
      return saved;
    if (chooses) summary_.tell_steps(c_, e->taken, options_.refinements);
    if (e->trace > 0)  // else too small or too dark to tell
      c_.say("%.1f %% of the brightness follows the mask's pattern, %.1f %% a mask that it has never seen\n",
             100 * e->trace, 100 * e->chance);
    summary_.json["mask_trace"] = e->trace;
    summary_.json["chance_trace"] = e->chance;
    summary_.conclude(c_, o_.out, files_->geometry, {e->name, e->seconds, e->reprojection});
    summary_.judge(o_.out, e->reprojection, most_left(e->name, start.kind, options_.refinements), e->trace, e->chance);
    summary_.judge_range(o_.out, e->cube);
    if (!o_.report.empty())
      if (auto ok = report(s, start, std::move(*e)); !ok) return ok;
    c_.print(summary_.json);
    return {};
  }

  result<> by_tiles(snapshot s, double used) {
    if (auto ok = check_cube_output(o_.out, true); !ok) return ok;
    if (!o_.report.empty())
      return error(errc::bad_argument, "--report needs the whole cube in memory, not tiles of it");
    options_.tile = o_.tile, options_.halo = o_.halo;
    auto tiles = tile_run::create(c_, std::move(s), *model_, options_, std::max(0., o_.memory_limit - used));
    if (!tiles) return tiles.error();
    summary_.announce(c_, o_.measurement, files_->geometry, exposure_.text);
    summary_.plan(c_, used + tiles->bytes(), tiles->text());
    const bool exact = tiles->describe_exactness(c_, *model_, o_.halo);
    auto e = tiles->run(c_, o_.out, wavelengths(), exposure_.text);
    if (!e) return of_measurement(e.error(), o_.measurement);
    summary_.conclude(c_, o_.out, files_->geometry, {method_name(initial_kind::hm, true), e->seconds, e->reprojection});
    summary_.judge(o_.out, e->reprojection, most_smoothed, 0, 0);
    summary_.json["tiles"] = tiles->summary();
    summary_.json["tiles"]["halo"] = model_->config.padded(o_.halo);
    summary_.json["tiles"]["exact"] = exact;
    c_.print(summary_.json);
    return {};
  }

  /// The result and, beside a network's, each step that leads to it.
  result<> report(const snapshot& s, const initial_spec& start, estimate e) {
    report_builder page("Reconstruction of " + std::filesystem::path(path()).filename().string(), wavelengths(), s);
    page.input.rotate180 = o_.rotate;
    page.fact("Exposure", exposure_.text);
    if (e.name != method_name(start.kind, false)) {
      auto steps = run_steps(c_, s, start, exposure_.camera, options_.noise_weight);
      if (!steps) return steps.error();
      for (auto& step : *steps) page.add(std::move(step));
    }
    page.add(std::move(e));
    if (!o_.truth.empty()) {
      if (auto ok = page.compare(std::move(*truth_)); !ok) return ok;
    }
    if (auto ok = page.write(o_.report); !ok) return ok;
    c_.say("%s written\n", o_.report.c_str());
    summary_.json["report"] = o_.report;
    return {};
  }

  /// The measurement's own, else the model's; none where neither knows.
  const std::vector<double>& wavelengths() const {
    return files_->wavelengths.nm.empty() ? model_wavelengths_ : files_->wavelengths.nm;
  }
  std::string path() const { return unmask::io::parse_source(o_.measurement).path; }

  const context& c_;
  const reconstruct_options& o_;
  std::optional<snapshot_files> files_;
  std::optional<unmask::model> model_;
  std::string model_name_;
  std::vector<double> model_wavelengths_;
  unmask::reconstruct_options options_;
  camera_settings camera_settings_;
  exposure exposure_;
  std::optional<tensor<float, 3>> truth_;
  reconstruct_summary summary_;
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
