/// unmask view: a page to look at a cube, or at two side by side.

#include <unmask/io/cube.hpp>
#include <unmask/render/viewer.hpp>

#include <cmath>

#include "scene_files.hpp"

namespace program {

namespace {

struct view_options {
  std::string file, with, out;
  scene_choice choice;
  int page_mb = 64;
  bool rotate = false;
};

/// Wavelengths are written with one decimal, or stored as float: less than this is no difference.
constexpr double same_nm = .05;

/// What keeps two cubes from being compared pixel by pixel and band by band.
result<> check_pair(const view_options& o, const scene& a, const scene& b) {
  using unmask::io::detail::shape_text;
  const auto refused = [&](errc code, const std::string& what) {
    return error(code, "--with " + o.with + ": " + what);
  };
  if (a.cube.extents() != b.cube.extents())
    return refused(errc::wrong_shape, "the cube is [" + shape_text(b.cube.extents()) + "], expected [" +
                                          shape_text(a.cube.extents()) + "] as in " + o.file);
  if (a.wavelengths.empty() != b.wavelengths.empty())
    return refused(errc::bad_argument, "wavelengths are " + std::string(b.wavelengths.empty() ? "unknown" : "known") +
                                           " and those of " + o.file + " are not" +
                                           (b.wavelengths.empty() ? " unknown" : "") +
                                           " (--bands benchmark takes 28 bands of unknown wavelength for the field's)");
  for (std::size_t c = 0; c < a.wavelengths.size(); ++c)
    if (!(std::abs(a.wavelengths[c] - b.wavelengths[c]) <= same_nm))
      return refused(errc::bad_argument, "band " + std::to_string(c + 1) + " is at " +
                                             unmask::render::fixed(b.wavelengths[c], 2) + " nm, expected " +
                                             unmask::render::fixed(a.wavelengths[c], 2) + " nm as in " + o.file +
                                             " (--bands benchmark interpolates both)");
  return {};
}

result<> view_cube(const context& c, const view_options& o) {
  std::vector<scene> scenes;
  for (const std::string& file : {o.file, o.with}) {
    if (file.empty()) continue;
    auto s = read_scene(file, o.choice, unmask::io::estimate_slack);
    if (!s) return s.error();
    say_notes(c, s->notes);
    scenes.push_back(std::move(*s));
  }
  const bool two = scenes.size() > 1;
  if (two) {
    if (auto fine = check_pair(o, scenes[0], scenes[1]); !fine) return fine;
    if (scenes[0].name == scenes[1].name) scenes[0].name = o.file, scenes[1].name = o.with;
  }
  unmask::render::viewer_input input;
  input.title = two ? scenes[0].name + " and " + scenes[1].name : scenes[0].name;
  input.wavelengths = scenes[0].wavelengths;
  for (const scene& s : scenes) input.cubes.push_back({s.name, s.cube.view()});
  input.rotate180 = o.rotate;
  input.most_bytes = static_cast<std::size_t>(o.page_mb) * 1024 * 1024;
  const auto mean_over = unmask::render::write_viewer(o.out, input);
  if (!mean_over) return mean_over.error();
  if (*mean_over > 1)
    c.say("note: the page shows means over %d x %d pixels, as the whole is larger than --page-mb %d\n",
          static_cast<int>(*mean_over), static_cast<int>(*mean_over), o.page_mb);
  c.say("%s written\n", o.out.c_str());
  c.print({{"out", o.out}, {"mean_over", *mean_over}});
  return {};
}

}  // namespace

void add_view(CLI::App& app, context& c) {
  auto o = std::make_shared<view_options>();
  auto* command =
      add_command(app, "view", "a page to look at a cube: its colours, bands, and the spectrum of any pixel",
                  "unmask view cube.h5 --with truth.h5 --out view.html");
  command->add_option("file", o->file, "cube [H, W, bands]: a file, or a folder of pictures of its bands")->required();
  command->add_option("--with", o->with, "a second cube of the same size and wavelengths, to compare");
  command->add_option("--out", o->out, "HTML file")->required();
  command->add_flag("--rotate180", o->rotate, "show the picture rotated; rows and columns stay the file's");
  command->add_option("--page-mb", o->page_mb, "most MB of values in the page, 2 bytes each; larger cubes are reduced")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  add_scene_options(command, o->choice);
  command->callback([&c, o] { c.run = [&c, o] { return view_cube(c, *o); }; });
}

}  // namespace program
