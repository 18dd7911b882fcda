/// Reconstruction inside a product: weights from a file (or from bytes in the executable), one allocation, then none.
///
///   embed_inference weights.safetensors
///
/// A camera would fill `measurement`; here a generated scene stands in for it.

#include <cstdio>
#include <unmask/io/weights.hpp>
#include <unmask/metrics/quality.hpp>
#include <unmask/reconstruct/reconstructor.hpp>
#include <unmask/scenes/generate.hpp>

namespace {

int report(const unmask::error& e) { return std::fprintf(stderr, "%s\n", e.message().c_str()), 2; }

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: embed_inference weights.safetensors\n"), 2;
  const auto model = unmask::io::read_weights(argv[1]);  // every name, shape and the self-test are checked here
  if (!model) return report(model.error());

  const unmask::cpu backend{.threads = 2};
  const unmask::index_t height = 64, width = 96, bands = model->config.bands;
  std::vector<double> nm = model->wavelengths;
  for (unmask::index_t c = 0; nm.size() < static_cast<std::size_t>(bands); ++c)
    nm.push_back(450 + 200.0 * static_cast<double>(c) / static_cast<double>(bands));
  const auto truth = unmask::scenes::generate(height, width, nm, 1);
  const auto mask = unmask::scenes::grey_mask(height, width, 1);

  const auto camera = unmask::optics::camera::create(mask.view(), bands, model->dispersion_step, model->direction);
  if (!camera) return report(camera.error());
  auto reconstructor = unmask::reconstructor<unmask::cpu>::create(backend, *model, *camera);
  if (!reconstructor) return report(reconstructor.error());
  std::printf("takes %zu KB\n", reconstructor->bytes() / 1024);

  unmask::tensor<float, 2> measurement(camera->geometry().measurement_extents());
  unmask::tensor<float, 3> cube(truth.extents()), shifted_back(truth.extents());
  camera->forward(backend, measurement.view(), truth.view());
  reconstructor->run(cube.view(), measurement.view());  // no heap, no errors; again for each snapshot

  camera->input(backend, shifted_back.view(), measurement.view());
  const auto before = unmask::metrics::psnr(truth.view(), shifted_back.view()),
             after = unmask::metrics::psnr(truth.view(), cube.view());
  std::printf("PSNR of the measurement shifted back %.2f dB, of the reconstruction %.2f dB\n", before, after);
  return 0;
}
