/// unmask simulate-clouds: clouds and shadows over clear images, with the truth kept, as a stack that `declouds` reads.

#include "clouds_guard.hpp"
#include "clouds_open.hpp"
#include "clouds_place.hpp"
#include "clouds_range.hpp"

namespace program {

namespace {

namespace clouds = unmask::clouds;

struct simulate_clouds_options {
  std::string manifest, probability, kind = "thick", out;
  index_t size = 192, dates = 5, target = 2;
  double cover = .3;
  bool no_shadow = false, untrusted = false;
};

raster plane(const tensor<float, 2>& v) {
  raster r(unmask::io::sample_type::f32, v.extent(0), v.extent(1), 1);
  for (index_t i = 0; i < v.size(); ++i) r.set(i, static_cast<double>(v.data()[i]));
  return r;
}

raster sixteen_bit(const tensor<float, 3>& v) {
  raster r(unmask::io::sample_type::u16, v.extent(0), v.extent(1), v.extent(2));
  for (index_t i = 0; i < v.size(); ++i) r.set(i, std::max(1., static_cast<double>(v.data()[i]) * 1e4));
  return r;
}

/// What a stack of so many dates consists of.
std::vector<std::string> outputs_of(const simulate_clouds_options& o, std::size_t dates) {
  std::vector<std::string> paths;
  const std::filesystem::path folder(o.out);
  for (std::size_t t = 0; t < dates; ++t)
    for (const char* what : {".npy", "_visibility.npy", "_hidden.npy", "_shadow.npy"})
      paths.push_back(folder / ("date" + std::to_string(t) + what));
  for (const char* name : {"truth.npy", "stack.json"}) paths.push_back(folder / name);
  return paths;
}

/// Clear dates: the manifest's, or a generated place.
result<dated_stack> clear_dates(const context& c, const simulate_clouds_options& o) {
  if (!o.manifest.empty()) {
    auto files = open_stack(o.manifest, o.untrusted);
    if (!files) return files.error();
    auto inputs = files_of(*files, o.manifest);
    inputs.push_back(o.probability);
    if (auto ok = check_folder_outputs(o.out, outputs_of(o, files->dates.size()), inputs, c.force); !ok)
      return ok.error();
    auto stack = read_window(*files, files->whole(), {});
    if (!stack) return stack;
    say_notes(c, files->notes);
    for (const dated_image& image : stack->images)
      if (const std::string wrong = off_scale(image.values.data(), image.values.size()); !wrong.empty())
        return error(errc::wrong_value, image.file + ": " + wrong);
    return stack;
  }
  if (auto ok = check_folder_outputs(o.out, outputs_of(o, static_cast<std::size_t>(o.dates)), {o.probability}, c.force);
      !ok)
    return ok.error();
  dated_stack s;
  s.wavelengths = place_wavelengths();
  s.target = std::min(o.target, o.dates - 1);
  for (index_t t = 0; t < o.dates; ++t) {
    dated_image image;
    const int day = 110 + static_cast<int>(25 * t);
    const std::chrono::year_month_day date(std::chrono::sys_days(std::chrono::year(2023) / 1 / 1) +
                                           std::chrono::days(day));
    char text[16];
    std::snprintf(text, sizeof text, "%04d-%02u-%02u", int(date.year()), unsigned(date.month()), unsigned(date.day()));
    image.date = text, image.day = day;
    image.values = place_on(o.size, day, c.seed);
    s.images.push_back(std::move(image));
  }
  return s;
}

result<> simulate(const context& c, const simulate_clouds_options& o) {
  auto s = clear_dates(c, o);
  if (!s) return s.error();
  if (s->wavelengths.empty())
    return error(errc::bad_argument, o.manifest + ": no \"wavelengths\": thin cloud and shadow depend on them");
  if (!s->target) return error(errc::bad_argument, o.manifest + ": no \"target\": which date is to be clouded?");
  const std::filesystem::path folder(o.out);
  nlohmann::json list = nlohmann::json::array();
  double hidden_share = 0;
  for (std::size_t t = 0; t < s->images.size(); ++t) {
    const dated_image& clear = s->images[t];
    const index_t H = clear.values.extent(0), W = clear.values.extent(1);
    const bool target = static_cast<index_t>(t) == *s->target;
    tensor<float, 2> p;
    if (target && !o.probability.empty()) {
      auto v = read_visibility({o.probability, clouds::mask_kind::probability, {}, {}, o.untrusted}, H, W);
      if (!v) return v.error();
      p = std::move(*v);
      for (float& x : p) x = std::isnan(x) ? 0.f : 1 - x;
    } else {
      // other dates have clouds too, fewer
      p = clouds::generate_probability(H, W, target ? o.cover : .12, c.seed + 31 * t);
    }
    clouds::simulation how;
    how.kind = target && o.kind == "thin" ? clouds::cloud_kind::thin : clouds::cloud_kind::thick;
    how.shadow = !o.no_shadow;
    how.seed = c.seed + 1009 * t;
    const auto y = clouds::simulate_clouds(clear.values.view(), p.view(), s->wavelengths, how);
    const double least = how.kind == clouds::cloud_kind::thin ? .03 : .08;
    raster hidden(unmask::io::sample_type::u8, H, W, 1);
    for (index_t i = 0; i < H * W; ++i)
      hidden.set(i, static_cast<double>(y.opacity.data()[i]) > least || static_cast<double>(y.shadow.data()[i]) > least
                        ? 1
                        : 0);
    const std::string name = "date" + std::to_string(t);
    const auto path = [&](const char* what) { return (folder / (name + what)).string(); };
    if (auto ok = unmask::io::write_npy(path(".npy"), sixteen_bit(y.image)); !ok) return ok;
    if (auto ok = unmask::io::write_npy(path("_visibility.npy"), plane(y.visibility), true); !ok) return ok;
    if (auto ok = unmask::io::write_npy(path("_hidden.npy"), hidden, true); !ok) return ok;
    list.push_back({{"file", name + ".npy"},
                    {"date", clear.date},
                    {"visibility", name + "_visibility.npy"},
                    {"hidden", {{"file", name + "_hidden.npy"}, {"kind", "binary"}, {"hides", 1}}}});
    if (!target) continue;
    if (auto ok = unmask::io::write_npy(path("_shadow.npy"), plane(y.shadow), true); !ok) return ok;
    if (auto ok = unmask::io::write_npy((folder / "truth.npy").string(), sixteen_bit(clear.values)); !ok) return ok;
    for (index_t i = 0; i < H * W; ++i) hidden_share += hidden.digit(i) / static_cast<double>(H * W);
  }
  const nlohmann::json manifest{{"images", list}, {"target", *s->target}, {"scale", 1e-4},
                                {"offset", 0},    {"nodata", 0},          {"wavelengths", s->wavelengths}};
  if (auto ok = unmask::io::write_file((folder / "stack.json").string(), manifest.dump(2) + "\n"); !ok) return ok;
  c.say("%s: %zu dates, %.1f %% of the target hidden; truth.npy holds what is under the clouds\n",
        (folder / "stack.json").string().c_str(), s->images.size(), 100 * hidden_share);
  c.print({{"manifest", (folder / "stack.json").string()},
           {"truth", (folder / "truth.npy").string()},
           {"hidden", hidden_share}});
  return {};
}

}  // namespace

void add_simulate_clouds(CLI::App& app, context& c) {
  auto o = std::make_shared<simulate_clouds_options>();
  auto* command = add_command(
      app, "simulate-clouds", "clouds and shadows over clear dates, for training and for measuring",
      "unmask simulate-clouds --kind thin --out stack && unmask declouds --manifest stack/stack.json --out clear");
  command->add_option("--manifest", o->manifest, "clear dates (default: a place that a generator makes)");
  command->add_option("--probability", o->probability,
                      "cloud probability [H, W] in 0..1 of the target (default: generated)");
  command->add_option("--kind", o->kind, "of the target's cloud")
      ->check(CLI::IsMember({"thick", "thin"}))
      ->capture_default_str();
  command->add_option("--cover", o->cover, "share of the target under generated cloud")
      ->check(CLI::Range(0., 1.))
      ->capture_default_str();
  command->add_option("--size", o->size, "pixels of a generated place")
      ->check(CLI::Range(16, 4096))
      ->capture_default_str();
  command->add_option("--dates", o->dates, "of a generated place")->check(CLI::Range(1, 32))->capture_default_str();
  command->add_flag("--no-shadow", o->no_shadow, "clouds without shadows");
  command->add_option("--out", o->out, "folder for the stack")->required();
  add_untrusted(command, o->untrusted);
  command->callback([&c, o] { c.run = [&c, o] { return simulate(c, *o); }; });
}

}  // namespace program
