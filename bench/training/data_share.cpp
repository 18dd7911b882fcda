/// How much of a training's time goes into making its samples: crops of simulated snapshots against steps of a network
/// of E 32 (2 x 2 blocks) on 64 x 64 x 28, batch 4. Interleaved, medians of `rounds`.
///   bench/data_share [threads] [rounds]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <unmask/scenes/generate.hpp>
#include <unmask/train/all.hpp>
#include <unmask/unmask.hpp>

using unmask::index_t;
namespace ut = unmask::train;

namespace {

template <class Work>
double seconds(Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<index_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const unmask::cpu backend{.threads = argc > 1 ? std::atoi(argv[1]) : 2};
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 15;
  const auto nm = unmask::optics::benchmark_wavelength_list();
  const std::vector<unmask::tensor<float, 3>> scenes{unmask::scenes::generate(256, 256, nm, 1),
                                                     unmask::scenes::generate(256, 256, nm, 2)};
  const std::vector<unmask::tensor<float, 2>> masks{unmask::scenes::grey_mask(256, 256, 1)};
  ut::sample_options given, noisy, fresh;
  noisy.noise = unmask::optics::camera_noise();
  fresh.random_masks = 1;
  const std::pair<const char*, ut::sample_options> kinds[] = {
      {"given mask", given}, {"fresh masks", fresh}, {"camera noise", noisy}};
  const unmask::s2_config network{.channels = 32,
                                  .stages = 2,
                                  .depths = {2, 2},
                                  .heads = {4, 4},
                                  .spectral_head_width = 8,
                                  .hidden = 128,
                                  .embedding = unmask::mask_embedding_kind::tile_safe};
  auto net = ut::trainer<unmask::s2_network<float, unmask::cpu>>::create(backend, network, {}).value();
  for (const auto& [name, options] : kinds) {
    const auto source = ut::sample_source::create(scenes, masks, options).value();
    auto batch = source.make_batch<float>();
    std::vector<double> data, step;
    for (index_t i = 0; i < rounds; ++i) {
      data.push_back(seconds([&] { source.fill(backend, batch, 1, i); }));
      step.push_back(seconds([&] { net.step(batch, {.kind = ut::stage::mask_aware}); }));
    }
    const double d = median(data), s = median(step);
    std::printf("%-14s %d threads: samples %6.2f ms, step %7.1f ms, share %.1f %%\n", name, backend.threads, 1e3 * d,
                1e3 * s, 100 * d / (d + s));
  }
  return 0;
}
