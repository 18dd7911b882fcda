/// unmask reconstruct: a cube from one snapshot, by the network or by GAP-TV.

#include <unmask/io/cube.hpp>
#include <unmask/io/hdf5_writer.hpp>

#include "methods.hpp"
#include "reports.hpp"

namespace program {

namespace {

struct reconstruct_options {
  std::string measurement, mask, method, weights, out, report, truth, exposure = "auto";
  index_t step = 2, bands = 0;
  double full_scale = .8;
  bool rotate = false;
};

/// Brings a measurement to the units of the network and says what it did. Simulated files say their unit; a camera's
/// counts are brought to the field's scale for real snapshots: negative values to 0, divided by the maximum, times 0.8.
result<std::string> expose(tensor<float, 2>& y, const reconstruct_options& o, bool known_unit, index_t bands) {
  if (o.exposure == "none" || (o.exposure == "auto" && known_unit)) return std::string("as stored");
  float top = 0;
  for (float v : y) top = std::max(top, v);
  if (!(top > 0)) return error(errc::wrong_value, o.measurement + ": no value above 0");
  // the network's input is y 2 / C: full scale there is C / 2 here
  const float gain = static_cast<float>(o.full_scale * static_cast<double>(bands) / 2) / top;
  for (float& v : y) v = std::max(v, 0.f) * gain;
  char text[128];
  std::snprintf(text, sizeof text, "clipped at 0, divided by its maximum %g, times %g (full scale = C/2)",
                static_cast<double>(top), o.full_scale);
  return std::string(text);
}

/// The measurement's own wavelengths, those the weights were trained for, or the benchmark's for 28 bands.
std::vector<double> wavelengths_of(const std::string& path, index_t bands) {
  if (const auto list = unmask::io::read_tensor<double, 1>({path, "wavelengths"}); list && list->size() == bands)
    return {list->begin(), list->end()};
  return bands == 28 ? unmask::optics::benchmark_wavelength_list() : std::vector<double>();
}

bool has_unit(const unmask::io::source& from) {
  const auto file = unmask::io::list_variables(from.path);
  if (!file) return false;
  for (const auto& v : file->variables)
    if (from.variable.empty() || v.name == from.variable)
      for (const auto& [name, text] : v.attributes)
        if (name == "unit" && text.find("mask * cube") != std::string::npos) return true;
  return false;
}

result<> reconstruct(const context& c, const reconstruct_options& o) {
  const auto from = unmask::io::parse_source(o.measurement);
  auto y = unmask::io::read_measurement(from);
  if (!y) return y.error();
  auto mask = unmask::io::read_mask(unmask::io::parse_source(o.mask));
  if (!mask) return mask.error();
  const std::string method = !o.method.empty() ? o.method : o.weights.empty() ? "gap-tv" : "s2";
  std::optional<unmask::io::weights> weights;
  if (method == "s2") {
    if (o.weights.empty())
      return error(errc::bad_argument, "--method s2 needs --weights FILE (unmask train makes one)");
    auto read = unmask::io::read_weights(o.weights);
    if (!read) return read.error();
    weights = std::move(*read);
  }
  index_t bands = o.bands ? o.bands : weights ? weights->config.bands : 0;
  if (bands == 0) {
    const auto inferred = unmask::optics::infer_bands(y->extent(1), mask->extent(1), o.step);
    if (!inferred) return error(inferred.error().code(), o.measurement + ": " + inferred.error().message());
    bands = *inferred;
  }
  const auto g = unmask::optics::check_cassi(y->extents(), mask->extents(), bands, o.step);
  if (!g) return error(g.error().code(), o.measurement + " with " + o.mask + ": " + g.error().message());
  const auto exposure = expose(*y, o, has_unit(from), bands);
  if (!exposure) return exposure.error();
  const snapshot s{std::move(*y), std::move(*mask), *g};
  c.say("%s: %td x %td, %td bands, step %td; %s\n", o.measurement.c_str(), g->height, g->measurement_width(), bands,
        o.step, exposure->c_str());
  if (weights)
    c.say("network needs %.0f MB for %td x %td\n",
          static_cast<double>(
              unmask::session<float, unmask::cpu>::bytes(weights->config, g->height, g->width, c.threads)) /
              1e6,
          g->height, g->width);

  const bool camera = *exposure != "as stored";
  auto e = weights ? run_network(c, s, *weights) : result<estimate>(run_gap_tv(c, s, camera));
  if (!e) return e.error();
  const auto wavelengths = wavelengths_of(from.path, bands);
  if (auto saved = unmask::io::write_cube(
          o.out, e->cube.view(), wavelengths,
          {{"method", e->name}, {"exposure", *exposure}, {"reprojection_error", e->reprojection}});
      !saved)
    return saved;
  c.say("%s: %td x %td x %td by %s in %.2f s; re-projection error |A x - y| / |y| = %.4f\n", o.out.c_str(), g->height,
        g->width, bands, e->name.c_str(), e->seconds, e->reprojection);
  nlohmann::json summary{
      {"out", o.out},        {"method", e->name}, {"seconds", e->seconds}, {"reprojection_error", e->reprojection},
      {"height", g->height}, {"width", g->width}, {"bands", bands}};
  if (!o.report.empty()) {
    report_builder report("Reconstruction of " + std::filesystem::path(from.path).filename().string(), wavelengths, s);
    report.input.rotate180 = o.rotate;
    report.fact("Exposure", *exposure);
    report.add(std::move(*e));
    if (weights) report.add(run_gap_tv(c, s, camera));  // the training-free baseline beside it
    if (!o.truth.empty()) {
      auto truth = unmask::io::read_cube(unmask::io::parse_source(o.truth));
      if (!truth) return truth.error();
      if (auto ok = report.compare(std::move(truth->cube)); !ok) return ok;
    }
    if (auto ok = report.write(o.report); !ok) return ok;
    c.say("%s written\n", o.report.c_str());
    summary["report"] = o.report;
  }
  c.print(summary);
  return {};
}

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
  command->add_option("--method", o->method, "s2 (the network, needs --weights) or gap-tv (needs no training)")
      ->check(CLI::IsMember({"s2", "gap-tv"}));
  command->add_option("--weights", o->weights, "safetensors file of `unmask train`");
  command->add_option("--band-count", o->bands, "bands (default: from the weights, or from the two widths)")
      ->check(CLI::Range(1, 4096));
  command
      ->add_option("--exposure", o->exposure,
                   "auto: as stored if the file says its unit, else camera; camera: clip at 0, divide by the maximum, "
                   "times --full-scale; none")
      ->check(CLI::IsMember({"auto", "camera", "none"}))
      ->capture_default_str();
  command->add_option("--full-scale", o->full_scale, "of a camera's measurement, in units of the network's input")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--report", o->report, "also write an HTML report (GAP-TV beside the network)");
  command->add_option("--truth", o->truth, "true cube, for the report's numbers");
  command->add_flag("--rotate180", o->rotate, "show pictures rotated (some cameras store snapshots upside down)");
  command->callback([&c, o] { c.run = [&c, o] { return reconstruct(c, *o); }; });
}

}  // namespace program
