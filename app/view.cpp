/// unmask view: a page with a cube's true colour, bands and spectra.

#include <unmask/io/cube.hpp>
#include <unmask/render/report.hpp>

#include "scene_files.hpp"

namespace program {

namespace {

struct view_options {
  std::string file, out;
  scene_choice choice;
  bool rotate = false;
};

result<> view_cube(const context& c, const view_options& o) {
  const auto s = read_scene(o.file, o.choice, unmask::io::estimate_slack);
  if (!s) return s.error();
  say_notes(c, s->notes);
  unmask::render::report_input input;
  input.title = s->name;
  input.wavelengths = s->wavelengths;
  input.methods.push_back({s->name, s->cube.view()});
  input.rotate180 = o.rotate;
  if (auto done = unmask::render::write_report(o.out, input); !done) return done;
  c.say("%s written\n", o.out.c_str());
  c.print({{"out", o.out}});
  return {};
}

}  // namespace

void add_view(CLI::App& app, context& c) {
  auto o = std::make_shared<view_options>();
  auto* command = add_command(app, "view", "a page with a cube's true colour, bands and spectra",
                              "unmask view cube.h5 --out report.html");
  command->add_option("file", o->file, "cube [H, W, bands]: a file, or a folder of pictures of its bands")->required();
  command->add_option("--out", o->out, "HTML file")->required();
  command->add_flag("--rotate180", o->rotate, "show pictures rotated");
  add_scene_options(command, o->choice);
  command->callback([&c, o] { c.run = [&c, o] { return view_cube(c, *o); }; });
}

}  // namespace program
