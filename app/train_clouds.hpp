#pragma once

/// The data of `unmask train --task clouds`: clear dates of manifests, and maps of cloud probability.

#include <unmask/clouds/network_correction.hpp>
#include <unmask/train/cloud_source.hpp>

#include "clouds_open.hpp"
#include "clouds_range.hpp"
#include "train_run.hpp"

namespace program {

/// A manifest's dates as a place to learn from.
inline result<unmask::train::cloud_scene> read_cloud_scene(const context& c, const std::string& path, bool untrusted) {
  auto files = open_stack(path, untrusted);
  if (!files) return files.error();
  const auto stack = read_window(*files, files->whole(), {});
  if (!stack) return stack.error();
  say_notes(c, files->notes);
  if (stack->wavelengths.empty())
    return error(errc::bad_argument, path + ": no \"wavelengths\": thin cloud and shadow depend on them");
  const index_t T = static_cast<index_t>(stack->images.size()), H = files->height(), W = files->width(),
                C = files->bands();
  unmask::train::cloud_scene s{
      unmask::tensor<float, 4>({T, H, W, C}), unmask::tensor<std::uint8_t, 3>({T, H, W}), {}, stack->wavelengths};
  for (index_t t = 0; t < T; ++t) {
    const dated_image& image = stack->images[static_cast<std::size_t>(t)];
    if (const std::string wrong = off_scale(image.values.data(), image.values.size()); !wrong.empty())
      return error(errc::wrong_value, image.file + ": " + wrong);
    std::copy(image.values.begin(), image.values.end(), &s.dates(t, 0, 0, 0));
    for (index_t i = 0; i < H * W; ++i)
      s.clear.data()[t * H * W + i] = image.hidden.data()[i] == 0 && std::isfinite(image.values.data()[i * C]);
    s.days.push_back(image.day);
  }
  return s;
}

/// A map of cloud probability [H, W], 0..1.
inline result<tensor<float, 2>> read_probability(const std::string& path) {
  const auto r = unmask::io::read_npy(path);
  if (!r) return r.error();
  if (r->bands != 1) return error(errc::wrong_shape, path + ": has " + std::to_string(r->bands) + " bands, expected 1");
  tensor<float, 2> p({r->height, r->width});
  for (index_t i = 0; i < p.size(); ++i) {
    const double v = r->digit(i);
    if (!(v >= 0 && v <= 1))
      return error(errc::wrong_value,
                   path + ": found " + unmask::io::detail::number_text(v) + ", expected a cloud probability of 0 to 1");
    p.data()[i] = static_cast<float>(v);
  }
  return p;
}

inline result<unmask::train::cloud_cases> cases_of(const context& c, const train_config& config,
                                                   const std::vector<std::string>& manifests, bool untrusted) {
  std::vector<unmask::train::cloud_scene> scenes;
  for (const std::string& path : manifests) {
    auto s = read_cloud_scene(c, path, untrusted);
    if (!s) return s.error();
    scenes.push_back(std::move(*s));
  }
  std::vector<tensor<float, 2>> maps;
  for (const std::string& path : config.mask) {
    auto p = read_probability(path);
    if (!p) return p.error();
    maps.push_back(std::move(*p));
  }
  return unmask::train::cloud_cases::create(std::move(scenes), std::move(maps),
                                            {.side = std::max<index_t>(config.crop, 96)});
}

/// Twelve cases that no training step sees: their dice are others.
inline std::vector<unmask::train::cloud_case> validation_cases(const context& c,
                                                               const unmask::train::cloud_cases& cases) {
  std::vector<unmask::train::cloud_case> all(12);
  unmask::parallel_for(c.backend(), static_cast<index_t>(all.size()), [&](index_t i, int) {
    all[static_cast<std::size_t>(i)] = cases.make(0x76616c6964u, static_cast<std::uint64_t>(i));
  });
  return all;
}

result<> train_for_clouds(const context& c, const train_options& o);

}  // namespace program
