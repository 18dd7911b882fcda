/// unmask samples: scenes and a mask to try the other commands with.

#include <unmask/io/hdf5_writer.hpp>
#include <unmask/io/output_checks.hpp>
#include <unmask/optics/spectral.hpp>
#include <unmask/scenes/generate.hpp>

#include "context.hpp"

namespace program {

namespace {

struct samples_options {
  std::string out;
  index_t size = 128, scenes = 4;
};

result<> make_samples(const context& c, const samples_options& o) {
  const std::filesystem::path folder(o.out);
  std::vector<std::string> scenes;
  for (index_t i = 1; i <= o.scenes; ++i) scenes.push_back(folder / "scenes" / ("scene" + std::to_string(i) + ".h5"));
  const std::string mask = folder / "mask.h5";
  std::vector<unmask::io::output_file> outputs{{mask, "--out", unmask::io::output_kind::hdf5}};
  for (const auto& path : scenes) outputs.push_back({path, "--out", unmask::io::output_kind::hdf5});
  std::error_code failure;
  std::filesystem::create_directories(folder / "scenes", failure);
  if (failure) return error(errc::not_writable, o.out + ": cannot make the folder (" + failure.message() + ")");
  if (auto ok = unmask::io::check_outputs(outputs, {}, c.force); !ok) return ok;
  const auto nm = unmask::optics::benchmark_wavelength_list();
  if (auto ok = unmask::io::write_plane(mask, "mask", unmask::scenes::grey_mask(o.size, o.size, c.seed).view()); !ok)
    return ok;
  std::uint64_t seed = c.seed;
  for (const auto& path : scenes)
    if (auto ok = unmask::io::write_cube(path, unmask::scenes::generate(o.size, o.size, nm, seed++).view(), nm); !ok)
      return ok;
  c.say("%s: mask %td x %td, %td scenes of %zu bands in %s/scenes\n", mask.c_str(), o.size, o.size, o.scenes, nm.size(),
        o.out.c_str());
  c.print({{"out", o.out}, {"mask", mask}, {"scenes", scenes}});
  return {};
}

}  // namespace

void add_samples(CLI::App& app, context& c) {
  auto o = std::make_shared<samples_options>();
  auto* command = add_command(app, "samples", "generate scenes and a coded mask, to try the other commands with",
                              "unmask samples --out samples\n  unmask simulate --cube samples/scenes/scene1.h5 --mask "
                              "samples/mask.h5 --out snapshot.h5");
  command->add_option("--out", o->out, "folder for mask.h5 and scenes/scene1.h5, scene2.h5, ...")->required();
  command->add_option("--size", o->size, "side of mask and scenes, pixels")
      ->check(CLI::Range(16, 4096))
      ->capture_default_str();
  command->add_option("--scenes", o->scenes, "how many")->check(CLI::Range(1, 10000))->capture_default_str();
  command->callback([&c, o] { c.run = [&c, o] { return make_samples(c, *o); }; });
}

}  // namespace program
