/// How far tiles are from the untiled result, by halo: the network of the paper with windowed spectral attention and
/// the tile-safe embedding, one vertical cut through the middle of an image.
/// The outer fifths of the columns are left out: there the image's own edges act (docs/architecture.md).
///   build/release/bench/halo [SIDE] [SIGMA]    default 160; 0: initial values, else normal noise of deviation SIGMA
///   more

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <unmask/models/tiled.hpp>
#include <unmask/scenes/generate.hpp>
#include <unmask/unmask.hpp>

using namespace unmask;

int main(int argc, char** argv) {
  s2_config config;
  config.scope = spectral_scope::window;
  config.embedding = mask_embedding_kind::tile_safe;
  const index_t n = argc > 1 ? std::atoi(argv[1]) : 160, bands = config.bands, step = 2;
  const double sigma = argc > 2 ? std::atof(argv[2]) : 0;
  const cpu backend{.threads = 2};
  const manifest m = make_manifest(config);
  std::vector<float> parameters(static_cast<std::size_t>(m.size));
  initialise(parameters.data(), m, 1);
  unmask::random draw(5);
  for (float& p : parameters) p += static_cast<float>(sigma * draw.normal());

  const auto truth = scenes::generate(n, n, optics::benchmark_wavelength_list(), 3);
  const auto mask = scenes::grey_mask(n, n, 3);
  const auto camera = optics::camera::create(mask.view(), bands, step).value();
  tensor<float, 2> y(camera.geometry().measurement_extents());
  camera.forward(backend, y.view(), truth.view());
  tensor<float, 3> input({n, n, bands}), whole(input.extents());
  camera.input(backend, input.view(), y.view());
  session<s2_network<float, cpu>>::create(backend, config, parameters, n, n, mask.view())
      .value()
      .run(whole.view(), input.view());
  float largest = 0;
  for (const float v : whole) largest = std::max(largest, std::abs(v));
  std::printf("%td x %td, sigma %g: reach %td pixels, largest value %.3g\n", n, n, sigma, reach(config),
              static_cast<double>(largest));

  for (const index_t halo : {0, 8, 16, 24, 32, 48, 64}) {
    const tiling t{tile_spans(config, n, n, halo), tile_spans(config, n, n / 2, halo)};
    double worst = 0, squares = 0, count = 0;
    const auto done =
        tiled_session<s2_network<float, cpu>>::create(backend, config, parameters, t)
            .value()
            .run(
                [&](const tile_span& rows, const tile_span& columns, auto x, auto part) -> result<> {
                  for (index_t h = rows.from; h < rows.to; ++h) {
                    std::copy_n(&mask(h, columns.from), columns.size(), &part(h - rows.from, 0));
                    std::copy_n(&input(h, columns.from, 0), columns.size() * bands, &x(h - rows.from, 0, 0));
                  }
                  return {};
                },
                [&](const tile_span& rows, const tile_span& columns, auto cube) -> result<> {
                  const index_t from = std::max(columns.begin, n / 5), to = std::min(columns.end, n - n / 5);
                  for (index_t h = rows.begin; h < rows.end; ++h)
                    for (index_t i = 0; i < (to - from) * bands; ++i) {
                      const double d = (&cube(h - rows.begin, from - columns.begin, 0))[i] - (&whole(h, from, 0))[i];
                      worst = std::max(worst, std::abs(d));
                      squares += d * d;
                      ++count;
                    }
                  return {};
                });
    if (!done) return 1;
    std::printf("halo %3td: largest error %.2g, root mean square %.2g of the largest value\n", halo,
                worst / static_cast<double>(largest), std::sqrt(squares / count) / static_cast<double>(largest));
  }
  return 0;
}
