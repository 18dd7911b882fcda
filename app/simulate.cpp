/// unmask simulate: the snapshot that a CASSI camera would take of a cube.

#include <unmask/io/hdf5_writer.hpp>

#include "dispersion_options.hpp"
#include "noise_options.hpp"
#include "scene_files.hpp"

namespace program {

namespace {

struct simulate_options {
  std::string cube, mask, out, noise = "none";
  scene_choice choice;
  dispersion_choice dispersion;
};

result<> simulate(const context& c, const simulate_options& o) {
  auto s = read_scene(o.cube, o.choice);
  if (!s) return s.error();
  say_notes(c, s->notes);
  auto whole = read_checked_mask(o.mask, o.choice.untrusted);
  if (!whole) return whole.error();
  auto mask = mask_for(*whole, s->cube.extent(0), s->cube.extent(1), o.mask);
  if (!mask) return mask.error();
  auto noise = noise_by_name(o.noise);
  if (!noise) return noise.error();
  const auto camera =
      unmask::optics::camera::create(mask->view(), s->cube.extent(2), o.dispersion.step, o.dispersion.way());
  if (!camera) return error(camera.error().code(), o.mask + ": " + camera.error().message());
  if (auto ok = camera->check(s->cube.extents()); !ok)
    return error(ok.error().code(), o.cube + ": " + ok.error().message());
  const auto& g = camera->geometry();
  tensor<float, 2> y(g.measurement_extents());
  camera->forward(c.backend(), y.view(), s->cube.view());
  noise->full_scale =
      static_cast<double>(g.bands) / 2;  // the noise models count in units of the network's input, y 2 / C
  if (o.noise != "none") unmask::optics::add_noise(c.backend(), y.view(), *noise, c.seed);
  unmask::io::hdf5_writer file(o.out);
  file.put("measurement", y.view(),
           {{"unit", "sum of mask * cube"},
            {"step", static_cast<double>(g.step)},
            {"dispersion", o.dispersion.direction},
            {"noise", o.noise}});
  file.put("mask", mask->view()).put("cube", s->cube.view());
  if (!s->wavelengths.empty()) file.put("wavelengths", s->wavelengths, {{"units", "nm"}});
  if (auto saved = file.save(); !saved) return saved;
  c.say("%s: measurement %td x %td from %td x %td x %td, step %td%s, noise %s\n", o.out.c_str(), y.extent(0),
        y.extent(1), g.height, g.width, g.bands, g.step, to_the(g.direction).c_str(), o.noise.c_str());
  c.print({{"out", o.out},
           {"height", y.extent(0)},
           {"width", y.extent(1)},
           {"bands", g.bands},
           {"step", g.step},
           {"dispersion", o.dispersion.direction},
           {"noise", o.noise}});
  return {};
}

}  // namespace

void add_simulate(CLI::App& app, context& c) {
  auto o = std::make_shared<simulate_options>();
  auto* command = add_command(app, "simulate", "simulate the coded snapshot of a cube",
                              "unmask simulate --cube scene.h5 --mask mask.mat --noise camera --out snapshot.h5");
  command->add_option("--cube", o->cube, "cube [H, W, bands], HDF5 or MATLAB")->required();
  command->add_option("--mask", o->mask, "coded mask [H, W], 1 = light passes; its top left part is used")->required();
  command->add_option("--out", o->out, "HDF5 file with measurement, mask, cube, wavelengths")->required();
  add_dispersion(command, o->dispersion);
  add_noise_option(command, o->noise);
  add_scene_options(command, o->choice);
  command->callback([&c, o] { c.run = [&c, o] { return simulate(c, *o); }; });
}

}  // namespace program
