/// unmask declouds: satellite images without clouds, from the dates of a manifest.

#include "clouds_checks.hpp"
#include "clouds_guard.hpp"
#include "clouds_network.hpp"
#include "clouds_report.hpp"
#include "clouds_tell.hpp"
#include "clouds_windows.hpp"

namespace program {

namespace {

namespace clouds = unmask::clouds;

struct declouds_options {
  std::string manifest, out, method = "stack", target, report, weights;
  index_t references = 8, tile = 0;
  hiding how;
  double memory_limit = 0;  ///< bytes of the process; 0: none
  bool opaque = false, keep_shadows = false, fill = false, untrusted = false;
};

/// The other dates that are used: the nearest in time of those that see anything.
result<std::vector<date_files*>> chosen_dates(stack_files& s, index_t target, const declouds_options& o) {
  std::vector<date_files*> dates, chosen;
  const date_files& y = s.dates[static_cast<std::size_t>(target)];
  for (date_files& d : s.dates)
    if (&d != &y) dates.push_back(&d);
  std::stable_sort(dates.begin(), dates.end(), [&](const date_files* a, const date_files* b) {
    return std::abs(a->day - y.day) < std::abs(b->day - y.day);
  });
  for (date_files* d : dates) {
    if (static_cast<index_t>(chosen.size()) == o.references) break;
    const auto sees = sees_anything(*d, o.how);
    if (!sees) return sees.error();
    if (*sees) chosen.push_back(d);
  }
  return chosen;
}

clouds::options options_of(const declouds_options& o, const date_files& y) {
  clouds::options options;
  const auto& names = clouds::method_names;
  if (o.method != "network")  // which comes after the stack
    options.how = static_cast<clouds::method>(std::find(names.begin(), names.end(), o.method) - names.begin());
  options.hidden_below = o.how.below;
  options.see_through = !o.opaque;
  options.find_shadows = !o.keep_shadows;
  options.fill_no_data = o.fill;
  if (y.sun_azimuth) options.sun.azimuth = *y.sun_azimuth;
  if (y.sun_elevation) options.sun.elevation = *y.sun_elevation;
  if (y.image.file().place && y.image.file().place->width >= 1) options.sun.pixel = y.image.file().place->width;
  return options;
}

/// Before any work: no result is a file of the stack, another result or somebody else's.
result<> check_results(const context& c, const declouds_options& o, const stack_files& s,
                       const std::vector<index_t>& targets) {
  std::vector<std::string> outputs;
  for (const index_t t : targets)
    for (const std::string& path : result_files::paths(stem_of(o.out, s, t), s.dates[static_cast<std::size_t>(t)]))
      outputs.push_back(path);
  return check_folder_outputs(o.out, outputs, files_of(s, o.manifest), c.force);
}

/// Reconstructs a date into its files. What the report shows is kept where there is one.
result<declouded> reconstruct(const context& c, const declouds_options& o, stack_files& s, index_t target,
                              std::optional<clouds_network>& learnt, nlohmann::json& files) {
  date_files& y = s.dates[static_cast<std::size_t>(target)];
  const auto dates = chosen_dates(s, target, o);
  if (!dates) return dates.error();
  const auto tiles = plan_tiles(c.backend(), y, *dates, o.tile, o.memory_limit, o.method == "network");
  if (!tiles) return tiles.error();
  auto out = result_files::create(stem_of(o.out, s, target), y);
  if (!out) return out.error();
  const index_t H = s.height(), W = s.width(), C = s.bands();
  declouded d;
  d.references = static_cast<index_t>(dates->size()), d.pixels = H * W;
  if (!o.report.empty()) {
    d.image = tensor<float, 3>({H, W, C}), d.deviation = tensor<float, 3>({H, W, C});
    d.origin = tensor<std::uint8_t, 2>({H, W});
  }
  file_windows from(y, *dates, o.how);
  const auto take = [&](const clouds::finished_rows& rows) -> result<> {
    if (!o.report.empty()) {
      std::copy_n(rows.origin.data(), rows.origin.size(), d.origin.data() + rows.first * W);
      std::copy_n(rows.image.data(), rows.image.size(), d.image.data() + rows.first * W * C);
      std::copy_n(rows.deviation.data(), rows.deviation.size(), d.deviation.data() + rows.first * W * C);
    }
    return out->write(rows);
  };
  auto options = options_of(o, y);
  if (learnt) options.learnt = *learnt;
  const auto found = clouds::run_rows(c.backend(), {H, W, C, d.references}, options, *tiles, from, take, &d.bytes);
  if (!found) {
    const std::string& what = found.error().message();
    return error(found.error().code(),
                 what.find(": ") == what.npos || what.starts_with("declouder") ? y.file + ": " + what : what);
  }
  d.found = *found;
  if (auto ok = out->commit(); !ok) return ok.error();
  files = {{"image", out->image}, {"origin", out->origin}, {"deviation", out->deviation}};
  return d;
}

/// The numbers of the dates that are asked for.
result<std::vector<index_t>> targets_of(const declouds_options& o, const stack_files& s) {
  std::vector<index_t> targets;
  const index_t count = static_cast<index_t>(s.dates.size());
  if (o.target.empty() && !s.target)
    return error(errc::bad_argument,
                 o.manifest + ": no \"target\": say --target 0 to " + std::to_string(count - 1) + ", a date, or all");
  for (index_t t = 0; t < count; ++t)
    if (o.target == "all" || (o.target.empty() && t == *s.target) || o.target == std::to_string(t) ||
        o.target == s.dates[static_cast<std::size_t>(t)].date)
      targets.push_back(t);
  if (targets.empty())
    return error(errc::bad_argument, "--target " + o.target + ": expected 0 to " + std::to_string(count - 1) +
                                         ", a date of the manifest, or all");
  return targets;
}

/// The page shows whole images.
result<> write_report(const declouds_options& o, stack_files& s, index_t target, bool numbered, declouded& d) {
  const auto images = read_window(s, s.whole(), o.how);
  if (!images) return images.error();
  const dated_image& y = images->images[static_cast<std::size_t>(target)];
  const index_t C = s.bands();
  for (index_t i = 0; i < d.pixels; ++i)
    if (d.origin.data()[i] < static_cast<std::uint8_t>(clouds::provenance::reconstructed))
      std::copy_n(y.values.data() + i * C, C, d.image.data() + i * C);
  std::string path = o.report;
  if (numbered)
    path.insert(path.rfind('.') == std::string::npos ? path.size() : path.rfind('.'), "-" + std::to_string(target));
  return write_clouds_report(path, *images, target, d);
}

result<> declouds(const context& c, const declouds_options& o) {
  auto s = open_stack(o.manifest, o.untrusted);
  if (!s) return s.error();
  const auto targets = targets_of(o, *s);
  if (!targets) return targets.error();
  const double whole =
      static_cast<double>(s->height() * s->width() * s->bands()) * (6. * static_cast<double>(s->dates.size()) + 16);
  if (!o.report.empty() && o.memory_limit > 0 && whole > o.memory_limit)
    return error(errc::bad_argument,
                 "--report: the page shows whole images, which take more than --memory-limit: leave "
                 "one of them out");
  if (auto ok = check_results(c, o, *s, *targets); !ok) return ok;
  if (auto ok = check_scales(*s, o.how); !ok) return ok;
  say_notes(c, s->notes);
  auto learnt = network_of(c, o.method, o.weights, s->bands());
  if (!learnt) return learnt.error();
  nlohmann::json report = nlohmann::json::array();
  for (const index_t t : *targets) {
    const auto lines = suspicious(*s, t, o.how);
    if (!lines) return lines.error();
    for (const std::string& line : *lines) std::fprintf(stderr, "unmask: warning: %s\n", line.c_str());
    nlohmann::json files;
    auto d = reconstruct(c, o, *s, t, *learnt, files);
    if (!d) return d.error();
    const date_files& y = s->dates[static_cast<std::size_t>(t)];
    tell(c, y, *d, o.method);
    report.push_back(to_json(y, *d, o.method));
    report.back()["warnings"] = *lines;
    report.back()["files"] = files;
    if (!o.report.empty())
      if (auto ok = write_report(o, *s, t, targets->size() > 1, *d); !ok) return ok;
  }
  if (o.memory_limit > 0) {
    const double peak = memory_in_use().peak;
    c.say("memory: %.0f MB at most\n", peak / 1e6);
    report.back()["peak_bytes"] = std::llround(peak);
  }
  c.print(report);
  return {};
}

}  // namespace

void add_declouds(CLI::App& app, context& c) {
  auto o = std::make_shared<declouds_options>();
  auto* command = add_command(app, "declouds", "satellite images without clouds, from other dates of the same place",
                              "unmask declouds --manifest stack.json --target all --out clear --report clear.html");
  command->add_option("--manifest", o->manifest, "dates, files, masks, scales (docs/clouds.md)")->required();
  command->add_option("--out", o->out, "folder for the results")->required();
  std::vector<std::string> names(clouds::method_names.begin(), clouds::method_names.end());
  names.insert(names.begin() + 1, "network");
  command->add_option("--method", o->method, "how hidden pixels are estimated")
      ->check(CLI::IsMember(names))
      ->capture_default_str();
  command->add_option("--weights", o->weights,
                      "network of --method network (default: the one that comes with the program)");
  command->add_option("--target", o->target,
                      "which date: its number, its date, or all (default: the manifest's target)");
  command->add_option("--margin", o->how.margin, "pixels around what a mask hides that are hidden too")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  command->add_option("--hidden-below", o->how.below, "visibility below which a pixel is hidden")
      ->check(CLI::Range(1e-6, 1.))
      ->capture_default_str();
  command->add_option("--references", o->references, "other dates at most, the nearest first")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  command
      ->add_option("--tile", o->tile,
                   "pixels of a tile's side (default: 512, or the largest that keeps --memory-limit)")
      ->check(CLI::Range(64, 8192));
  command
      ->add_option_function<double>(
          "--memory-limit", [o](double megabytes) { o->memory_limit = megabytes * 1e6; },
          "MB of the whole process: smaller tiles where these take more")
      ->check(CLI::PositiveNumber);
  command->add_flag("--opaque", o->opaque, "take nothing from what is seen through cloud and in shadow");
  command->add_flag("--keep-shadows", o->keep_shadows, "do not look for shadows that no mask marks");
  command->add_flag("--fill-no-data", o->fill, "reconstruct pixels without data too");
  command->add_option("--report", o->report, "HTML page with before and after, visibility, deviation, all dates");
  add_untrusted(command, o->untrusted);
  command->callback([&c, o] { c.run = [&c, o] { return declouds(c, *o); }; });
}

}  // namespace program
