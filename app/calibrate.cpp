/// unmask calibrate: where a camera's mask and bands really lie, from its own snapshots.

#include <unmask/io/weights.hpp>

#include "camera_file.hpp"
#include "methods.hpp"
#include "models.hpp"
#include "snapshot_files.hpp"

namespace program {

namespace {

struct calibrate_options {
  std::vector<std::string> measurements;
  std::string mask, weights, out;
  dispersion_choice dispersion;
  bool untrusted = false;
  unmask::optics::calibration_options search;
};

/// What spectral TV has to know of spectra: from the weights that were named, or those that come with the program.
result<initial_spec> spectra_for(const context& c, const calibrate_options& o, index_t bands) {
  const auto path = o.weights.empty() ? model_path(general_model) : o.weights;
  if (!path) return error(errc::not_found, "calibrate: no weights that know spectra (--weights)");
  const auto weights = unmask::io::read_weights(*path, c.backend());
  if (!weights) return weights.error();
  if (weights->initial.kind != initial_kind::spectral_tv || weights->config.bands != bands)
    return error(errc::bad_argument, *path + ": no spectra of " + std::to_string(bands) +
                                         " bands to start from (weights of a network that starts from spectral-tv)");
  return weights->initial;
}

std::string numbers(const unmask::optics::camera_alignment& a) {
  char text[160];
  std::snprintf(text, sizeof text,
                "right %.1f down %.1f tall %.1f wide %.1f blur %.1f edge blur %.1f stretch %.1f bend %.1f",
                static_cast<double>(a.right), static_cast<double>(a.down), static_cast<double>(a.tall),
                static_cast<double>(a.wide), static_cast<double>(a.blur), static_cast<double>(a.edge_blur),
                static_cast<double>(a.stretch), static_cast<double>(a.bend));
  return text;
}

result<> calibrate(const context& c, const calibrate_options& o) {
  std::vector<tensor<float, 2>> snapshots;
  tensor<float, 2> mask;
  unmask::optics::cassi_geometry geometry;
  const dispersion_direction way = o.dispersion.way();
  for (const std::string& name : o.measurements) {
    auto files = snapshot_files::open(
        {name, o.mask, geometry.bands, o.dispersion, o.untrusted});  // the bands of the first for all
    if (!files) return files.error();
    auto y = files->measurement.read();
    if (!y) return y.error();
    const auto how = files->expose({"camera"}, name, unmask::io::range_of(y->data(), y->size()));
    if (!how) return how.error();
    how->apply(y->view());
    if (snapshots.empty()) {
      mask = turned(files->mask, way, turn::to_right);
      geometry = files->geometry.canonical();
    }
    snapshots.push_back(turned(*y, way, turn::to_right));
  }
  const auto spectra = spectra_for(c, o, geometry.bands);
  if (!spectra) return spectra.error();
  std::vector<unmask::in<float, 2>> views;
  for (const auto& y : snapshots) views.push_back(y.view());
  const auto stored = unmask::optics::camera::create(mask.view(), geometry.bands, geometry.step);
  if (!stored) return error(stored.error().code(), o.mask + ": " + stored.error().message());
  if (auto ok = unmask::optics::calibrator::check(*stored, views, spectra->spectral_basis.view(), o.search); !ok)
    return ok;
  const unmask::optics::calibrator search(*stored, views, spectra->spectral_basis.view(), o.search);
  unmask::progress_line bar(o.search.trials, 0, {.label = "calibration"});
  const auto found = search.run(c.backend(), [&](index_t tried, double error, const auto& a) {
    char text[200];
    std::snprintf(text, sizeof text, "error %.4f  %s", error, numbers(a).c_str());
    bar.update(tried, text);
  });
  bar.pause();
  const auto& a = found.alignment;
  if (!unmask::is_finite(found.after))
    return error(errc::not_finite,
                 "calibrate: the error of the values kept back is NaN or infinite for every "
                 "alignment; nothing was written");
  if (auto saved = write_camera(o.out, found, o.dispersion.direction); !saved) return saved;
  c.say("%s: %s (pixels%s); noise weight %.2f\n", o.out.c_str(), numbers(a).c_str(),
        way == dispersion_direction::right ? "" : ", as if the bands landed to the right",
        static_cast<double>(found.noise_weight));
  c.say("values kept back are predicted with an error of %.4f, %.4f without calibration\n", found.after, found.before);
  c.print({{"out", o.out},
           {"right", a.right},
           {"down", a.down},
           {"tall", a.tall},
           {"wide", a.wide},
           {"blur", a.blur},
           {"edge_blur", a.edge_blur},
           {"stretch", a.stretch},
           {"bend", a.bend},
           {"noise_weight", found.noise_weight},
           {"error_before", found.before},
           {"error", found.after},
           {"trials", found.tried}});
  return {};
}

}  // namespace

void add_calibrate(CLI::App& app, context& c) {
  auto o = std::make_shared<calibrate_options>();
  auto* command = add_command(
      app, "calibrate", "where a camera's mask and bands really lie, from its own snapshots",
      "unmask calibrate --measurement a.mat --measurement b.mat --mask mask.mat --out camera.h5\n  unmask reconstruct "
      "--measurement a.mat --mask camera.h5 --out cube.h5");
  command->add_option("--measurement", o->measurements, "snapshots of one camera; more than one is better")->required();
  command->add_option("--mask", o->mask, "its coded mask [H, W] as measured or designed")->required();
  command->add_option("--out", o->out, "HDF5 file, a --mask of `unmask reconstruct`")->required();
  add_dispersion(command, o->dispersion, 1);
  add_untrusted(command, o->untrusted);
  command->add_option("--weights", o->weights, "weights whose spectra are taken (default: those with the program)");
  command->add_option("--rows", o->search.rows, "rows of each snapshot that the first search looks at")
      ->check(CLI::Range(8, 4096))
      ->capture_default_str();
  command->add_option("--trials", o->search.trials, "at most so many alignments")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command->callback([&c, o] { c.run = [&c, o] { return calibrate(c, *o); }; });
}

}  // namespace program
