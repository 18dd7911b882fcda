/// Reconstruction inside a product: weights from a file (or from bytes in the executable), one allocation, then none.
///
///   embed_inference weights.safetensors
///
/// A camera would fill `measurement`; here a generated scene stands in for it.

#include <cstdio>
#include <unmask/io/weights.hpp>
#include <unmask/unmask.hpp>

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: embed_inference weights.safetensors\n"), 2;
  const auto weights = unmask::io::read_weights(argv[1]);  // every name, shape and the self-test are checked here
  if (!weights) return std::fprintf(stderr, "%s\n", weights.error().message().c_str()), 2;

  const unmask::cpu backend{.threads = 2};
  const unmask::index_t height = 64, width = 96, bands = weights->config.bands, step = 2;
  std::vector<double> nm;
  for (unmask::index_t c = 0; c < bands; ++c)
    nm.push_back(450 + 200.0 * static_cast<double>(c) / static_cast<double>(bands));
  const auto truth = unmask::scenes::generate(height, width, nm, 1);
  const auto mask = unmask::scenes::grey_mask(height, width, 1);
  const auto camera = unmask::optics::camera::create(mask.view(), bands, step);
  if (!camera) return std::fprintf(stderr, "%s\n", camera.error().message().c_str()), 2;
  unmask::tensor<float, 2> measurement(camera->geometry().measurement_extents());
  camera->forward(backend, measurement.view(), truth.view());

  std::printf("will take %zu KB\n",
              unmask::session<float, unmask::cpu>::bytes(weights->config, height, width, backend.threads) / 1024);
  auto session = unmask::session<float, unmask::cpu>::create(
      backend, weights->config, std::span<const float>(weights->parameters), height, width, mask.view());
  if (!session) return std::fprintf(stderr, "%s\n", session.error().message().c_str()), 2;

  const auto initial = unmask::optics::described_initial(weights->description, bands);  // what this network starts from
  if (!initial) return std::fprintf(stderr, "%s\n", initial.error().message().c_str()), 2;

  if (auto ok = unmask::optics::check_initial(*initial, *camera); !ok)
    return std::fprintf(stderr, "%s\n", ok.error().message().c_str()), 2;

  unmask::tensor<float, 3> input(truth.extents()), cube(truth.extents());
  camera->input(backend, input.view(), measurement.view());
  const auto network = [&](unmask::array_view<float, 3> x) { session->run(x, x); };  // no heap, no errors
  unmask::optics::reconstruct(backend, *initial, *camera, network, cube.view(), measurement.view());

  const auto before = unmask::metrics::psnr(truth.view(), input.view()),
             after = unmask::metrics::psnr(truth.view(), cube.view());
  std::printf("PSNR of the measurement shifted back %.2f dB, of the reconstruction %.2f dB\n", before, after);
  return 0;
}
