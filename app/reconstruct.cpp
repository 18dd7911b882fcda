/// unmask reconstruct: a cube from one snapshot, by a network, by spectral TV or by GAP-TV.

#include <unmask/io/cube.hpp>

#include "camera_file.hpp"
#include "chosen_model.hpp"
#include "cube_output.hpp"
#include "device.hpp"
#include "methods.hpp"
#include "ranks.hpp"
#include "reconstruct_list.hpp"
#include "reconstruct_options.hpp"
#include "reconstruct_page.hpp"
#include "reconstruct_summary.hpp"
#include "scene_files.hpp"
#include "tiles.hpp"

namespace program {

namespace {

class reconstruction {
 public:
  reconstruction(const context& c, const reconstruct_options& o) : c_(c), o_(o) {}

  result<> run() {
    const auto ready = prepare();
    if (auto ok = agree(c_, ready); !ok) return ok;
    return by_tiles_ ? by_tiles() : at_once();
  }

 private:
  /// Everything before the first output.
  result<> prepare() {
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
    const auto solving = method_bytes(c_, s->camera, *model_, options_);
    if (!solving) return solving.error();
    planned_ = used + std::max(*solving, writing_bytes(s->geometry()));
    snapshot_.emplace(std::move(*s));
    by_tiles_ = o_.tile > 0 || (o_.memory_limit > 0 && planned_ > o_.memory_limit);
    return by_tiles_ ? plan_tiles(used) : result<>();
  }

  result<> open_files(index_t bands) {
    auto files = snapshot_files::open({o_.measurement, o_.mask, bands, o_.dispersion, o_.untrusted});
    if (!files) return files.error();
    files_ = std::move(*files);
    if (o_.wavelengths.empty()) return {};
    auto nm = known_wavelengths(o_.wavelengths, files_->geometry.bands, o_.untrusted);
    if (!nm) return nm.error();
    auto& known = files_->wavelengths.nm;
    if (!known.empty() && unmask::detail::other_wavelength(known, *nm) >= 0)
      return error(errc::bad_argument,
                   "--wavelengths " + o_.wavelengths + ": " + o_.measurement + " has others of its own");
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
    if (o_.effort == "fast") options_ = unmask::fast_reconstruction();
    options_.noise_weight = camera_settings_.noise_weight;
    options_.refinements = o_.refinements.value_or(options_.refinements);
    options_.check_rows = o_.check_rows.value_or(options_.check_rows);
    if (o_.method == "spectral-tv") {
      if (!model_ || model_->initial.kind != initial_kind::spectral_tv)
        return error(errc::bad_argument, "--method spectral-tv: no weights that know these spectra (--weights)");
      options_.network = false;
    } else if (!model_) {
      model_ = without_network({initial_kind::gap_tv, {}}, g.bands);
    }
    if (o_.effort == "fast" && model_->initial.kind != initial_kind::spectral_tv)
      c_.say("note: --effort fast is for what starts from spectral TV, and changes nothing here\n");
    return {};
  }

  /// Before anything is computed: a truth that cannot be read, or of another size.
  result<> read_truth() {
    if (o_.truth.empty()) return {};
    auto truth = read_scene_of(c_, o_.truth, files_->geometry.cube_extents(), wavelengths(), o_.untrusted);
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

  result<> at_once() {
    const snapshot& s = *snapshot_;
    summary_.announce(c_, o_.measurement, files_->geometry, exposure_.text);
    summary_.plan(c_, planned_);
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
    summary_.json["effort"] = o_.effort;
    if (chooses) summary_.tell_steps(c_, e->taken, options_.refinements);
    if (!wavelengths().empty() && !cube_format_of(o_.out).wavelengths)
      c_.say("note: %s has no place for wavelengths (.npz has)\n", o_.out.c_str());
    summary_.trace(c_, e->trace, e->chance);
    summary_.conclude(c_, o_.out, files_->geometry, {e->name, e->seconds, e->reprojection});
    summary_.judge(o_.out, e->reprojection, most_left(e->name, start.kind, options_.refinements), e->trace, e->chance);
    summary_.judge_range(o_.out, e->cube);
    if (!o_.report.empty()) {
      page_parts parts{wavelengths(), exposure_, start, options_.noise_weight, std::move(truth_)};
      if (auto ok = write_page(c_, o_, s, std::move(parts), std::move(*e)); !ok) return ok;
      summary_.json["report"] = o_.report;
    }
    c_.print(summary_.json);
    return {};
  }

  result<> plan_tiles(double used) {
    if (auto ok = check_cube_output(o_.out, true); !ok) return ok;
    if (!o_.report.empty())
      return error(errc::bad_argument, "--report needs the whole cube in memory, not tiles of it");
    options_.tile = o_.tile, options_.halo = o_.halo;
    auto tiles = tile_run::create(c_, std::move(*snapshot_), *model_, options_, std::max(0., o_.memory_limit - used));
    if (!tiles) return tiles.error();
    tiles_.emplace(std::move(*tiles));
    planned_ = used + tiles_->bytes();
    return {};
  }

  result<> by_tiles() {
    summary_.announce(c_, o_.measurement, files_->geometry, exposure_.text);
    summary_.plan(c_, planned_, tiles_->text());
    const bool exact = tiles_->describe_exactness(c_, *model_, o_.halo);
    auto e = tiles_->run(c_, o_.out, wavelengths(), exposure_.text);
    if (!e) return of_measurement(e.error(), o_.measurement);
    if (!c_.ranks->first()) return {};
    summary_.conclude(c_, o_.out, files_->geometry, {method_name(initial_kind::hm, true), e->seconds, e->reprojection});
    summary_.judge(o_.out, e->reprojection, most_smoothed, 0, 0);
    summary_.json["tiles"] = tiles_->summary();
    summary_.json["tiles"]["halo"] = model_->config.padded(o_.halo);
    summary_.json["tiles"]["exact"] = exact;
    c_.print(summary_.json);
    return {};
  }

  /// The measurement's own, else the model's; none where neither knows.
  const std::vector<double>& wavelengths() const {
    return files_->wavelengths.nm.empty() ? model_wavelengths_ : files_->wavelengths.nm;
  }

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
  std::optional<snapshot> snapshot_;
  std::optional<tile_run> tiles_;
  double planned_ = 0;  ///< bytes
  bool by_tiles_ = false;
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
  command->callback([&c, o] {
    c.run = [&c, o] { return one_or_many(c, *o, [](auto&... of) { return reconstruction(of...).run(); }); };
  });
}

}  // namespace program
