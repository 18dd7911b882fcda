/// unmask evaluate: quality of an estimated cube by a named definition.

#include <unmask/metrics/mask_trace.hpp>
#include <unmask/metrics/quality.hpp>

#include <cmath>

#include "clouds_evaluate.hpp"
#include "quality_json.hpp"
#include "scene_files.hpp"

namespace program {

namespace {

struct evaluate_options {
  scene_choice choice;
  region_evaluation clouds;
  double estimate_scale = 0;
  std::string truth, estimate, mask, definition{unmask::metrics::name(unmask::metrics::definition::official_8bit)};
};

/// With a scale that was given nothing is left to doubt: a result that has blown up may be judged too.
constexpr float any_overshoot = 1e30f;

/// An estimate whose wavelengths are the truth's in the other order is turned round, with a note.
void turn_bands(const scene& truth, scene& estimate) {
  std::vector<double> turned(estimate.wavelengths.rbegin(), estimate.wavelengths.rend());
  const auto near = [](double a, double b) { return std::abs(a - b) <= 1e-3; };
  const auto fits = [&](const std::vector<double>& list) {
    return std::equal(list.begin(), list.end(), truth.wavelengths.begin(), truth.wavelengths.end(), near);
  };
  if (turned.size() < 2 || static_cast<index_t>(turned.size()) != estimate.cube.extent(2) ||
      fits(estimate.wavelengths) || !fits(turned))
    return;
  const index_t C = estimate.cube.extent(2);
  for (index_t i = 0; i < estimate.cube.size(); i += C)
    std::reverse(estimate.cube.data() + i, estimate.cube.data() + i + C);
  estimate.wavelengths = std::move(turned);
  estimate.notes.push_back(
      "the estimate's bands run the other way than the truth's by their wavelengths: turned round");
}

/// A note where the two seem to be on different scales, or are one file.
std::vector<std::string> doubtful_pair(const evaluate_options& o, const scene& truth, const scene& estimate) {
  std::vector<std::string> notes;
  const auto mean = [](const tensor<float, 3>& x) {
    double sum = 0;
    for (const float v : x) sum += static_cast<double>(v);
    return sum / static_cast<double>(x.size());
  };
  const double ratio = mean(estimate.cube) / mean(truth.cube);
  char text[160];
  std::snprintf(text, sizeof text,
                "the estimate is %.3g times as bright as the truth: is it on another scale (--estimate-full-scale)?",
                ratio);
  if (!(ratio > .2 && ratio < 5)) notes.push_back(text);
  if (o.truth == o.estimate) notes.push_back("truth and estimate are the same variable of the same file");
  return notes;
}

result<> evaluate(const context& c, const evaluate_options& o) {
  const auto d = unmask::metrics::definition_from_name(o.definition);
  if (!d) return d.error();
  const auto truth = read_scene(o.truth, o.choice);
  if (!truth) return truth.error();
  scene_choice choice = o.choice;
  if (o.estimate_scale > 0) choice.full_scale = o.estimate_scale;
  auto estimate = read_scene(o.estimate, choice, o.estimate_scale > 0 ? any_overshoot : unmask::io::estimate_slack);
  if (!estimate) return estimate.error();
  turn_bands(*truth, *estimate);
  say_notes(c, truth->notes);
  say_notes(c, estimate->notes);
  say_notes(c, differing_bands(truth->wavelengths, "truth", estimate->wavelengths, "estimate"));
  say_notes(c, doubtful_pair(o, *truth, *estimate));
  nlohmann::json report;
  const auto fail = [&](const error& e) {
    return error(e.code(), o.estimate + " against " + o.truth + ": " + e.message());
  };
  if (o.mask.empty()) {
    const auto q = unmask::metrics::evaluate(truth->cube.view(), estimate->cube.view(), *d);
    if (!q) return fail(q.error());
    report = to_json(*q);
  } else {
    const auto mask = read_checked_mask(o.mask, o.choice.untrusted);
    if (!mask) return mask.error();
    const auto q = unmask::metrics::evaluate_regions(truth->cube.view(), estimate->cube.view(), mask->view(), *d);
    if (!q) return fail(q.error());
    report = to_json(*q);
    for (const auto& [name, cube] :
         {std::pair{"truth", &std::as_const(truth->cube)}, std::pair{"estimate", &std::as_const(estimate->cube)}})
      report["mask_trace"][name] =
          unmask::metrics::mask_trace(c.backend(), unmask::in<float, 3>(cube->view()), mask->view());
  }
  report["definition"] = o.definition;
  const auto line = [&](const char* name, const nlohmann::json& q) {
    if (!q.is_null())
      c.say("%-8s %8.3f %8.4f %8.3f %8.3f\n", name, q["psnr"].get<double>(), q["ssim"].get<double>(),
            q["sam"].get<double>(), q["ergas"].get<double>());
  };
  c.say("%-8s %8s %8s %8s %8s   definition: %s\n", "pixels", "PSNR dB", "SSIM", "SAM deg", "ERGAS",
        o.definition.c_str());
  line("all", report);
  if (report.contains("hidden")) line("hidden", report["hidden"]);
  if (report.contains("open")) line("open", report["open"]);
  if (report.contains("mask_trace"))
    c.say("%.1f %% of the brightness follows the mask's pattern, %.1f %% of the truth's\n",
          100 * report["mask_trace"]["estimate"].get<double>(), 100 * report["mask_trace"]["truth"].get<double>());
  c.print(report);
  return {};
}

void add_clouds_options(CLI::App* command, const std::shared_ptr<evaluate_options>& o) {
  region_evaluation& r = o->clouds;
  const std::string group = "Clouds (with --visibility)";
  command
      ->add_option("--visibility", r.visibility,
                   "mask of an image under clouds [H, W]: PSNR (peak 1) and SAM of hidden, thin, shadow, open and rim; "
                   "files may be .npy, .tif, or .h5:NAME")
      ->group(group);
  std::vector<std::string> names(unmask::clouds::mask_kind_names.begin(), unmask::clouds::mask_kind_names.end());
  command->add_option("--kind", r.kind, "what the mask says")
      ->check(CLI::IsMember(names))
      ->capture_default_str()
      ->group(group);
  command->add_option("--hides", r.hides, "binary: the value that hides")->check(CLI::Range(0., 65535.))->group(group);
  command->add_option("--mask-scale", r.mask_scale, "factor of a mask to 0..1 (0.01 for per cent)")
      ->check(CLI::Range(1e-9, 1.))
      ->group(group);
  command->add_option("--shadow", r.shadow, "shadow [H, W] in 0..1, from 0.08 on")->group(group);
  command->add_option("--deviation", r.deviation, "deviation that declouds wrote: share of errors within it")
      ->group(group);
  command->add_option("--scale", r.scale, "reflectance = digit x scale + offset; default: as the file says")
      ->check(CLI::PositiveNumber)
      ->group(group);
  command->add_option("--offset", r.offset, "with --scale")->group(group);
  command->add_option("--hidden-below", r.regions.hidden_below, "visibility below which a pixel is hidden")
      ->check(CLI::Range(1e-6, 1.))
      ->capture_default_str()
      ->group(group);
  command->add_option("--rim", r.regions.rim, "pixels")->check(CLI::Range(1, 100))->capture_default_str()->group(group);
}

}  // namespace

void add_evaluate(CLI::App& app, context& c) {
  auto o = std::make_shared<evaluate_options>();
  auto* command = add_command(app, "evaluate", "PSNR, SSIM, SAM and ERGAS of a cube, by a named definition",
                              "unmask evaluate --truth scene.h5 --estimate cube.h5 --mask mask.mat --json");
  command->add_option("--truth", o->truth, "true cube [H, W, bands]")->required();
  command->add_option("--estimate", o->estimate, "estimated cube of the same shape")->required();
  command->add_option("--mask", o->mask,
                      "coded mask [H, W]: adds hidden (mask < 0.5) and open pixels, and how "
                      "much of the brightness follows its pattern");
  add_axes_and_scale(command, o->choice);
  command->add_option("--estimate-full-scale", o->estimate_scale, "of the estimate, where it has another")
      ->check(CLI::PositiveNumber);
  std::vector<std::string> names(unmask::metrics::definition_names.begin(), unmask::metrics::definition_names.end());
  command->add_option("--definition", o->definition, "of PSNR and SSIM: " + CLI::detail::join(names, ", "))
      ->capture_default_str();
  add_clouds_options(command, o);
  command->callback([&c, o] {
    c.run = [&c, o]() -> result<> {
      if (o->clouds.visibility.empty()) return evaluate(c, *o);
      if (!o->mask.empty())
        return error(errc::bad_argument, "--mask is of a snapshot, --visibility of clouds: say one");
      o->clouds.truth = o->truth, o->clouds.estimate = o->estimate, o->clouds.untrusted = o->choice.untrusted;
      return evaluate_by_region(c, o->clouds);
    };
  });
}

}  // namespace program
