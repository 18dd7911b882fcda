/// A product that runs a network and nothing else: a session, its kernels, tensors.

#include <span>
#include <unmask/core/tensor.hpp>
#include <unmask/models/session.hpp>
#include <unmask/nn/cpu/all.hpp>
#include <vector>

int main() {
  const unmask::s2_config config{};
  const std::vector<float> parameters(static_cast<std::size_t>(unmask::make_manifest(config).size));
  const unmask::tensor<float, 2> mask({64, 64});
  auto session = unmask::session<unmask::s2_network<float, unmask::cpu>>::create(
      {.threads = 1}, config, std::span<const float>(parameters), 64, 64, mask.view());
  if (!session) return 1;
  unmask::tensor<float, 3> image({64, 64, 28});
  session->run(image.view(), image.view());
  return image.data()[0] > 1;
}
