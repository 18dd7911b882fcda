/// A cloudy image and two other dates of the same place, in memory: the whole of embedding it. Memory is planned once,
/// `run` takes none; open pixels keep their bits.

#include <cmath>
#include <cstdio>
#include <unmask/clouds/declouder.hpp>
#include <unmask/core/tensor.hpp>

namespace {

/// A scene without data: fields that brighten with the days.
float ground(unmask::index_t h, unmask::index_t w, unmask::index_t c, double day) {
  const double field = static_cast<double>((h / 12 * 5 + w / 15 * 3) % 7);
  return static_cast<float>(.1 + .02 * field + .03 * std::sin(.05 * day + field) * static_cast<double>(c + 1));
}

}  // namespace

int main() {
  namespace clouds = unmask::clouds;
  constexpr unmask::index_t H = 128, W = 96, C = 4, K = 2;

  // What a product would read: the cloudy date, the others, and how far each pixel is to be trusted (1 = trust).
  unmask::tensor<float, 3> image({H, W, C}), result({H, W, C}), deviation({H, W, C});
  unmask::tensor<float, 2> visibility({H, W}, 1.f);
  unmask::tensor<float, 4> others({K, H, W, C});
  unmask::tensor<float, 3> others_visibility({K, H, W}, 1.f);
  const double day = 20, days[K] = {5, 45};
  for (unmask::index_t h = 0; h < H; ++h)
    for (unmask::index_t w = 0; w < W; ++w) {
      const bool cloud = std::hypot(static_cast<double>(h - 60), static_cast<double>(w - 40)) < 25;
      visibility(h, w) = cloud ? 0.f : 1.f;
      for (unmask::index_t c = 0; c < C; ++c) {
        image(h, w, c) = cloud ? .8f : ground(h, w, c, day);
        for (unmask::index_t k = 0; k < K; ++k) others(k, h, w, c) = ground(h, w, c, days[k]);
      }
    }

  // Once: sizes and options are checked, memory is taken.
  auto declouder = clouds::declouder<unmask::cpu>::create({.threads = 2}, {H, W, C, K});
  if (!declouder) {
    std::fprintf(stderr, "%s\n", declouder.error().message().c_str());
    return 1;
  }
  std::printf("%zu KB for a scene of %td x %td x %td with %td other dates\n", declouder->bytes() / 1000, H, W, C, K);

  // For every image: no heap.
  const clouds::scene scene{image.view(), visibility.view(), {}, day, others.view(), others_visibility.view(), days};
  const auto found = declouder->run(scene, {result.view(), deviation.view(), {}});
  if (!found) {
    std::fprintf(stderr, "%s\n", found.error().message().c_str());
    return 1;
  }
  double worst = 0;
  for (unmask::index_t h = 0; h < H; ++h)
    for (unmask::index_t w = 0; w < W; ++w)
      for (unmask::index_t c = 0; c < C; ++c)
        worst = std::max(worst, std::abs(static_cast<double>(result(h, w, c) - ground(h, w, c, day))));
  std::printf("%td pixels reconstructed, error at most %.4f; expected about %.4f\n", found->hidden, worst,
              found->held_out_rmse);
  return worst < .1 ? 0 : 1;
}
