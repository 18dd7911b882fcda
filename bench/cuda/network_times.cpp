/// Times of the whole network on a GPU: network_times DIR [PROFILE]
/// Inference of one 256 x 256 x 28 image (windowed spectral attention, the paper's depths) in float, TF32 and bf16, and
/// a training step of 8 crops of 64 x 64. Events around each run on a stream, medians of 30; before each run 256 MB are
/// written, so that nothing of the last run is in L2. DIR gets weights, input, mask and truth for
/// bench/cuda/pytorch.py. With PROFILE there is one run of each and no time, for ncu.

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>
#include <unmask/cuda.cuh>
#include <unmask/io/weights.hpp>
#include <vector>

using namespace unmask;

namespace {

constexpr std::size_t flush_bytes = std::size_t{256} << 20;  // five times the L2 of an H100

struct gpu {
  cudaStream_t stream = nullptr;
  cudaEvent_t begin = nullptr, end = nullptr;
  void* flushed = nullptr;

  bool ready() {
    return cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess &&
           cudaEventCreate(&begin) == cudaSuccess && cudaEventCreate(&end) == cudaSuccess &&
           cudaMalloc(&flushed, flush_bytes) == cudaSuccess;
  }

  /// Milliseconds; the first three runs set up, record and warm up.
  template <class Work>
  std::vector<float> times(int runs, Work&& work) {
    std::vector<float> list;
    for (int i = 0; i < runs + 3; ++i) {
      cudaMemsetAsync(flushed, i, flush_bytes, stream);
      cudaEventRecord(begin, stream);
      work();
      cudaEventRecord(end, stream);
      float ms = 0;
      if (cudaEventSynchronize(end) != cudaSuccess || cudaEventElapsedTime(&ms, begin, end) != cudaSuccess) return {};
      if (i >= 3) list.push_back(ms);
    }
    std::sort(list.begin(), list.end());
    return list;
  }
};

void report(const char* name, const std::vector<float>& times) {
  if (times.empty()) return;
  std::printf("%-28s %9.3f ms   (%.3f to %.3f)\n", name, static_cast<double>(times[times.size() / 2]),
              static_cast<double>(times.front()), static_cast<double>(times.back()));
}

template <class Container>
void write_raw(const std::string& path, const Container& values) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
}

tensor<float, 4> noise(index_t b, index_t h, index_t w, index_t c, std::uint64_t seed) {
  tensor<float, 4> x({b, h, w, c});
  unmask::random draw(seed);
  for (float& v : x) v = static_cast<float>(draw.uniform());
  return x;
}

int failed(const error& e) {
  std::fprintf(stderr, "network_times: %s\n", e.message().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "network_times: expected a folder for weights and images\n");
    return 2;
  }
  gpu g;
  if (!g.ready()) {
    std::printf("skipped: network_times (no CUDA device)\n");
    return 0;
  }
  const std::string folder = argv[1];
  const int runs = argc > 2 ? 1 : 30;
  s2_config config;
  config.scope = spectral_scope::window;
  constexpr index_t side = 256, batch = 8, crop = 64;
  const manifest m = make_manifest(config);
  std::vector<float> parameters(static_cast<std::size_t>(m.size));
  initialise(parameters.data(), m, 1);
  const auto input = noise(1, side, side, config.bands, 2), crops = noise(batch, crop, crop, config.bands, 3);
  tensor<float, 2> mask({side, side});
  unmask::random draw(4);
  for (float& v : mask) v = draw.below(2) ? 1.f : 0.f;
  if (auto ok = io::write_weights(folder + "/weights.safetensors", {config, parameters}); !ok)
    return failed(ok.error());
  write_raw(folder + "/input", input);
  write_raw(folder + "/mask", mask);
  write_raw(folder + "/crops", crops);

  const std::pair<const char*, product_precision> precisions[] = {
      {"float", product_precision::full}, {"tf32", product_precision::tf32}, {"bf16", product_precision::bf16}};
  for (const auto& [name, products] : precisions) {
    const cuda be{.stream = g.stream, .products = products};
    auto s = session<s2_network<float, cuda>>::create(be, config, parameters, side, side, mask.view());
    if (!s) return failed(s.error());
    auto image = device_block::allocate(be, static_cast<std::size_t>(input.size()) * sizeof(float));
    if (!image) return failed(image.error());
    float* const x = reinterpret_cast<float*>(image->data());
    upload(be, x, input.data(), input.size());
    const array_view<float, 4> view(x, index_t{1}, side, side, index_t{config.bands});
    report((std::string("inference, ") + name).c_str(), g.times(runs, [&] { s->run_where_it_lies(view, view); }));
    if (auto ok = finish(be); !ok) return failed(ok.error());
  }
  for (const auto& [name, products] : precisions) {
    const cuda be{.stream = g.stream, .products = products};
    auto t =
        train::trainer<s2_network<float, cuda>>::create(be, config, {.batch = batch, .height = crop, .width = crop});
    if (!t) return failed(t.error());
    train::batch<float> samples(batch, crop, crop, config.bands);
    std::copy(crops.begin(), crops.end(), samples.input.begin());
    std::copy(crops.begin(), crops.end(), samples.truth.begin());
    for (index_t b = 0; b < batch; ++b)
      for (index_t h = 0; h < crop; ++h) std::copy_n(&mask(h, 0), crop, &samples.mask(b, h, 0));
    const train::loss_spec loss{.kind = train::stage::mask_aware};
    report((std::string("training step, ") + name).c_str(), g.times(runs, [&] { t->step(samples, loss); }));
    if (auto ok = finish(be); !ok) return failed(ok.error());
  }
  return 0;
}
