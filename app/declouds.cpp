/// unmask declouds: satellite images without clouds, from the dates of a manifest.

#include <unmask/clouds/tiles.hpp>

#include "clouds_checks.hpp"
#include "clouds_report.hpp"

namespace program {

namespace {

namespace clouds = unmask::clouds;

struct declouds_options {
  std::string manifest, out, method = "stack", target, report;
  index_t margin = 3, references = 8, tile = 512;
  double below = .5;
  bool detail = false, keep_shadows = false, fill = false;
};

/// The other dates that are used: the nearest in time of those that see anything.
std::vector<const dated_image*> chosen_dates(const dated_stack& s, index_t target, index_t most) {
  std::vector<const dated_image*> dates;
  const dated_image& y = s.images[static_cast<std::size_t>(target)];
  for (const dated_image& image : s.images)
    if (&image != &y && std::find(image.hidden.begin(), image.hidden.end(), 0) != image.hidden.end())
      dates.push_back(&image);
  std::stable_sort(dates.begin(), dates.end(), [&](const dated_image* a, const dated_image* b) {
    return std::abs(a->day - y.day) < std::abs(b->day - y.day);
  });
  if (static_cast<index_t>(dates.size()) > most) dates.resize(static_cast<std::size_t>(most));
  return dates;
}

/// Digits of the result: the input's own where observed, the nearest digit that is not the no-data value elsewhere.
raster digits_of(const dated_image& y, const declouded& d) {
  raster r = y.digits;
  const bool whole = r.type != unmask::io::sample_type::f32 && r.type != unmask::io::sample_type::f64;
  for (index_t i = 0; i < d.origin.size(); ++i) {
    if (d.origin.data()[i] < static_cast<std::uint8_t>(clouds::provenance::reconstructed)) continue;
    for (index_t c = 0; c < r.bands; ++c) {
      const float v = d.image.data()[i * r.bands + c];
      const double digit = (static_cast<double>(v) - y.offset) / y.scale;
      const index_t at = i * r.bands + c;
      if (!std::isfinite(v)) {
        r.set(at, y.nodata.value_or(whole ? 0 : static_cast<double>(v)));
        continue;
      }
      r.set(at, digit);
      const double reserved = y.nodata.value_or(whole ? 0 : std::nan(""));
      if (r.digit(at) == reserved) r.set(at, reserved + 1);
    }
  }
  return r;
}

result<declouded> reconstruct(const context& c, const declouds_options& o, const dated_stack& s, index_t target) {
  const dated_image& y = s.images[static_cast<std::size_t>(target)];
  const auto dates = chosen_dates(s, target, o.references);
  const index_t H = y.digits.height, W = y.digits.width, C = y.digits.bands, K = static_cast<index_t>(dates.size());
  tensor<float, 4> references({K, H, W, C});
  tensor<float, 3> seen({K, H, W});
  std::vector<double> days;
  for (index_t k = 0; k < K; ++k) {
    const dated_image& image = *dates[static_cast<std::size_t>(k)];
    std::copy(image.values.begin(), image.values.end(), references.data() + k * H * W * C);
    for (index_t i = 0; i < H * W; ++i) seen.data()[k * H * W + i] = image.hidden.data()[i] != 0 ? 0.f : 1.f;
    days.push_back(image.day);
  }
  clouds::options options;
  const auto& names = clouds::method_names;
  options.how = static_cast<clouds::method>(std::find(names.begin(), names.end(), o.method) - names.begin());
  options.hidden_below = o.below;
  options.detail = o.detail ? clouds::detail_use::visible : clouds::detail_use::off;
  options.find_shadows = !o.keep_shadows;
  options.fill_no_data = o.fill;
  declouded d{tensor<float, 3>({H, W, C}), tensor<float, 3>({H, W, C}), tensor<std::uint8_t, 2>({H, W}), {}, K, 0};
  clouds::scene scene{y.values.view(),   y.visibility.view(), y.hidden.view(), y.day,
                      references.view(), seen.view(),         days.data()};
  auto found = clouds::run_tiled(c.backend(), scene, {d.image.view(), d.deviation.view(), d.origin.view()}, options,
                                 {.tile = o.tile}, &d.bytes);
  if (!found) return error(found.error().code(), y.file + ": " + found.error().message());
  d.found = *found;
  return d;
}

/// result, provenance and deviation beside each other in the folder; what was written.
result<nlohmann::json> write_all(const declouds_options& o, const dated_image& y, const declouded& d) {
  const std::filesystem::path source(y.file), folder(o.out);
  std::error_code ignored;
  std::filesystem::create_directories(folder, ignored);
  const std::string stem = (folder / source.stem()).string();
  const std::string image = stem + "_declouded" + source.extension().string();
  if (std::filesystem::weakly_canonical(image, ignored) == std::filesystem::weakly_canonical(source, ignored))
    return error(errc::bad_argument, image + " is the input: choose another --out");
  tensor<std::uint8_t, 2> changed(d.origin.extents());
  raster origin(unmask::io::sample_type::u8, y.digits.height, y.digits.width, 1);
  raster deviation(unmask::io::sample_type::f32, y.digits.height, y.digits.width, y.digits.bands);
  for (index_t i = 0; i < d.origin.size(); ++i) {
    changed.data()[i] = d.origin.data()[i] >= static_cast<std::uint8_t>(clouds::provenance::reconstructed);
    origin.set(i, d.origin.data()[i]);
  }
  for (index_t i = 0; i < d.deviation.size(); ++i) deviation.set(i, static_cast<double>(d.deviation.data()[i]));
  if (auto ok = write_image(image, y.file, digits_of(y, d), changed); !ok) return ok.error();
  if (auto ok = unmask::io::write_npy(stem + "_origin.npy", origin, true); !ok) return ok.error();
  if (auto ok = unmask::io::write_npy(stem + "_deviation.npy", deviation); !ok) return ok.error();
  return nlohmann::json{{"image", image}, {"origin", stem + "_origin.npy"}, {"deviation", stem + "_deviation.npy"}};
}

nlohmann::json to_json(const dated_image& y, const declouded& d) {
  const auto& f = d.found;
  nlohmann::json j{{"file", y.file},       {"date", y.date},     {"open", f.open},       {"hidden", f.hidden},
                   {"no_data", f.no_data}, {"unseen", f.unseen}, {"shadows", f.shadows}, {"references", d.references},
                   {"bytes", d.bytes}};
  if (f.held_out > 0) {
    j["held_out"] = {{"pixels", f.held_out}, {"rmse", f.held_out_rmse}};
    for (std::size_t m = 0; m < clouds::candidates; ++m) {
      const std::string name(clouds::candidate_names[m]);
      j["weights"][name] = f.weight[m];
      j["held_out"]["by_candidate"][name] = f.rmse[m];
    }
  }
  return j;
}

void tell(const context& c, const dated_image& y, const declouded& d, const std::string& method) {
  const auto& f = d.found;
  const double all = static_cast<double>(d.origin.size()) / 100;
  c.say("%s (%s): %.1f %% hidden, %.1f %% no data, %lld other dates\n", y.file.c_str(), y.date.c_str(),
        static_cast<double>(f.hidden) / all, static_cast<double>(f.no_data) / all,
        static_cast<long long>(d.references));
  if (f.shadows > 0)
    c.say("  %lld of the hidden pixels are shadow that the mask did not mark\n", static_cast<long long>(f.shadows));
  if (f.unseen > 0)
    c.say("  %lld hidden pixels no other date saw: filled from around\n", static_cast<long long>(f.unseen));
  if (f.held_out > 0)
    c.say("  error on %lld open pixels hidden on purpose: %.5f (best single candidate %.5f)\n",
          static_cast<long long>(f.held_out), f.held_out_rmse, *std::min_element(f.rmse.begin(), f.rmse.end()));
  if (f.few_open) c.say("  hardly anything is open: fitted on the most visible pixels, expect errors\n");
  if (f.unfitted && !f.one_image) c.say("  nothing is open: interpolated in time, not adapted to this date\n");
  if (f.one_image && method != "nearest") c.say("  no other date sees anything: filled from around, expect errors\n");
}

result<> declouds(const context& c, const declouds_options& o) {
  auto s = read_stack(o.manifest);
  if (!s) return s.error();
  std::vector<index_t> targets;
  const index_t count = static_cast<index_t>(s->images.size());
  if (o.target == "all") {
    for (index_t t = 0; t < count; ++t) targets.push_back(t);
  } else if (o.target.empty()) {
    if (!s->target)
      return error(errc::bad_argument,
                   o.manifest + ": no \"target\": say --target 0 to " + std::to_string(count - 1) + ", a date, or all");
    targets.push_back(*s->target);
  } else {
    for (index_t t = 0; t < count; ++t)
      if (o.target == std::to_string(t) || o.target == s->images[static_cast<std::size_t>(t)].date)
        targets.push_back(t);
    if (targets.empty())
      return error(errc::bad_argument, "--target " + o.target + ": expected 0 to " + std::to_string(count - 1) +
                                           ", a date of the manifest, or all");
  }
  hide(*s, o.below, o.margin);
  nlohmann::json report = nlohmann::json::array();
  for (const index_t t : targets) {
    const dated_image& y = s->images[static_cast<std::size_t>(t)];
    const auto lines = suspicious(*s, t);
    for (const std::string& line : lines) std::fprintf(stderr, "unmask: warning: %s\n", line.c_str());
    const auto d = reconstruct(c, o, *s, t);
    if (!d) return d.error();
    const auto files = write_all(o, y, *d);
    if (!files) return files.error();
    tell(c, y, *d, o.method);
    report.push_back(to_json(y, *d));
    report.back()["warnings"] = lines;
    report.back()["files"] = *files;
    if (!o.report.empty()) {
      std::string path = o.report;
      if (targets.size() > 1)
        path.insert(path.rfind('.') == std::string::npos ? path.size() : path.rfind('.'), "-" + std::to_string(t));
      if (auto ok = write_clouds_report(path, *s, t, *d); !ok) return ok;
    }
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
  command->add_option("--method", o->method, "how hidden pixels are estimated")
      ->check(CLI::IsMember(names))
      ->capture_default_str();
  command->add_option("--target", o->target,
                      "which date: its number, its date, or all (default: the manifest's target)");
  command->add_option("--margin", o->margin, "pixels around what a mask hides that are hidden too")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  command->add_option("--hidden-below", o->below, "visibility below which a pixel is hidden")
      ->check(CLI::Range(1e-6, 1.))
      ->capture_default_str();
  command->add_option("--references", o->references, "other dates at most, the nearest first")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  command->add_option("--tile", o->tile, "pixels of a tile")->check(CLI::Range(64, 8192))->capture_default_str();
  command->add_flag("--detail", o->detail, "thin cloud: keep the fine detail that is visible through it");
  command->add_flag("--keep-shadows", o->keep_shadows, "do not look for shadows that no mask marks");
  command->add_flag("--fill-no-data", o->fill, "reconstruct pixels without data too");
  command->add_option("--report", o->report, "HTML page with before and after, visibility, deviation, all dates");
  command->callback([&c, o] { c.run = [&c, o] { return declouds(c, *o); }; });
}

}  // namespace program
