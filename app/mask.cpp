/// unmask mask: any source of cloud information to visibility, 1 = trust, with a picture.

#include <unmask/render/png.hpp>

#include "clouds_open.hpp"

namespace program {

namespace {

struct mask_options {
  std::string source, kind, out, picture;
  double hides = -1, scale = -1, below = .5;
  index_t margin = 3, height = 0, width = 0;
  bool untrusted = false;
};

result<> make_mask(const context& c, const mask_options& o) {
  namespace clouds = unmask::clouds;
  namespace render = unmask::render;
  const auto& names = clouds::mask_kind_names;
  const auto kind = static_cast<clouds::mask_kind>(std::find(names.begin(), names.end(), o.kind) - names.begin());
  mask_source m{o.source, kind, {}, {}, o.untrusted};
  if (o.hides >= 0) m.hides = o.hides;
  if (o.scale > 0) m.scale = o.scale;
  index_t H = o.height, W = o.width;
  if (H == 0 || W == 0) {
    const auto file = image_file::open(o.source, false, o.untrusted);
    if (!file) return file.error();
    H = file->height(), W = file->width();
  }
  auto v = read_visibility(m, H, W);
  if (!v) return v.error();
  tensor<std::uint8_t, 2> hidden({H, W}), hard({H, W});
  clouds::hide_with_margin(v->data(), {H, W}, o.below, o.margin, hidden.data(), hard.data());
  index_t marked = 0, all = 0, missing = 0;
  raster r(unmask::io::sample_type::f32, H, W, 1);
  render::image8 picture(H, W, 3);
  for (index_t i = 0; i < H * W; ++i) {
    const float seen = v->data()[i];
    missing += std::isnan(seen), marked += hard.data()[i], all += hidden.data()[i];
    // the margin is written into the file: it hides, whatever was visible there
    const bool margin = hidden.data()[i] != 0 && hard.data()[i] == 0 && !std::isnan(seen);
    r.set(i, margin ? 0. : static_cast<double>(seen));
    const std::uint8_t grey = std::isnan(seen) ? std::uint8_t{0} : render::to_byte(static_cast<double>(seen));
    picture.set(i / W, i % W,
                margin             ? render::rgb8{214, 120, 30}
                : std::isnan(seen) ? render::rgb8{60, 60, 60}
                                   : render::rgb8{grey, grey, grey});
  }
  if (auto ok = unmask::io::write_npy(o.out, r, true); !ok) return ok;
  if (!o.picture.empty())
    if (auto ok = render::write_png(o.picture, picture); !ok) return ok;
  const double share = 100 / static_cast<double>(H * W);
  c.say("%s: %.1f %% hidden by the mask, %.1f %% with the margin, %.1f %% no data\n", o.out.c_str(),
        static_cast<double>(marked) * share, static_cast<double>(all - missing) * share,
        static_cast<double>(missing) * share);
  if (m.kind == clouds::mask_kind::qa60 && marked == 0)
    std::fprintf(stderr,
                 "unmask: warning: %s: QA60 is 0 everywhere; products of 2022-01 to 2024-02 carry an empty one\n",
                 o.source.c_str());
  if (10 * (all - missing) > 9 * (H * W - missing))
    std::fprintf(stderr, "unmask: warning: %s: hides nearly everything: is its polarity right?\n", o.source.c_str());
  c.print({{"marked", marked}, {"hidden", all - missing}, {"no_data", missing}, {"pixels", H * W}});
  return {};
}

}  // namespace

void add_mask(CLI::App& app, context& c) {
  auto o = std::make_shared<mask_options>();
  auto* command = add_command(app, "mask", "a cloud mask, classification or probability to visibility (1 = trust)",
                              "unmask mask --source scl.npy --kind scl --out visibility.npy --picture visibility.png");
  command->add_option("--source", o->source, "mask [H, W] (.npy, .tif)")->required();
  std::vector<std::string> names(unmask::clouds::mask_kind_names.begin(), unmask::clouds::mask_kind_names.end());
  command->add_option("--kind", o->kind, "what the source says")->required()->check(CLI::IsMember(names));
  command->add_option("--hides", o->hides, "binary: the value that hides")->check(CLI::Range(0., 65535.));
  command->add_option("--scale", o->scale, "probability, visibility: factor to 0..1 (0.01 for per cent)")
      ->check(CLI::Range(1e-9, 1.));
  command->add_option("--hidden-below", o->below, "visibility below which a pixel gets a margin")
      ->check(CLI::Range(1e-6, 1.))
      ->capture_default_str();
  command->add_option("--margin", o->margin, "pixels")->check(CLI::Range(0, 100))->capture_default_str();
  command->add_option("--height", o->height, "of the image, where the mask is coarser or finer")
      ->check(CLI::Range(1, 100000));
  command->add_option("--width", o->width, "of the image")->check(CLI::Range(1, 100000));
  command->add_option("--out", o->out, "visibility [H, W], float32 .npy")->required();
  command->add_option("--picture", o->picture, "PNG: white = trust, orange = margin");
  add_untrusted(command, o->untrusted);
  command->callback([&c, o] { c.run = [&c, o] { return make_mask(c, *o); }; });
}

}  // namespace program
