#pragma once

/// The members of network_case that instantiate a network.

#include "network_case.hpp"

namespace unmask_test {

template <class T, class Backend>
network_case<T, Backend>::network_case(Backend be, const s2_config& c, s2_sizes s, s2_mode mode, bool drop)
    : config(c), sizes(s), pixels(s.batch * c.padded(s.height) * c.padded(s.width)), net(be, c, s, mode) {
  arena counting;
  net.carve(counting);
  memory = memory_block(counting.peak());
  std::fill_n(memory.data(), memory.bytes(), std::byte{0xff});  // NaN: nothing may rely on fresh memory
  arena real(memory.data(), memory.bytes());
  net.carve(real);
  const index_t n = s.batch * s.height * s.width * c.bands;
  x = seeded<T>(n / c.bands * c.input_channels(), 0, 0, 1);
  mask = seeded<T>(pixels, 1, 0, 1);
  parameters = lively_parameters<T>(c);
  y.resize(static_cast<std::size_t>(n));
  if (mode == s2_mode::inference) return;
  dy = seeded<T>(n, 2, -1, 1);
  for (int i = 0; i < c.stages; ++i) {
    dpins.push_back(seeded<T>(pixels * c.bands, 3 + static_cast<std::uint64_t>(i), -1, 1));
    pin_views.push_back(
        array_view<const T, 4>(dpins.back().data(), s.batch, c.padded(s.height), c.padded(s.width), index_t{c.bands}));
  }
  dx.resize(x.size());
  dmask.resize(mask.size());
  gradients.resize(parameters.size());
  if (!drop) return;
  for (index_t i = 0; i < net.branches() * s.batch; ++i) keep.push_back(i % 5 == 2 ? T(0) : T(1.25));
}

template <class T, class Backend>
void network_case<T, Backend>::forward() {
  net.forward(image(y), input_image(x), mask_image(mask), parameters.data(), factors());
}

template <class T, class Backend>
void network_case<T, Backend>::backward(std::vector<T>& to, array_view<T, 4> dimage, array_view<T, 3> dmask_image,
                                        std::span<const array_view<const T, 4>> pins) {
  net.backward({to.data(), dimage, dmask_image}, {image(dy), pins}, mask_image(mask), parameters.data(), factors());
}

template <class T, class Backend>
double network_case<T, Backend>::value() const {
  double sum = 0;
  for (std::size_t i = 0; i < y.size(); ++i) sum += static_cast<double>(y[i]) * static_cast<double>(dy[i]);
  for (std::size_t i = 0; i < dpins.size(); ++i)
    for (std::size_t k = 0; k < dpins[i].size(); ++k)
      sum += static_cast<double>(net.pin(static_cast<int>(i)).data()[k]) * static_cast<double>(dpins[i][k]);
  return sum;
}

}  // namespace unmask_test
