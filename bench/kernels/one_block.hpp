#pragma once

/// A block of the network on one square image, random weights and values, one thread: what kernels are measured on.

#include <unmask/unmask.hpp>
#include <vector>

namespace bench {

using unmask::index_t;

/// The paper's block by its width: heads of 10 channels, hidden 4 E, windows 8 x 8, spectral attention in the window.
inline unmask::s2_config block_config(index_t channels) {
  const int e = static_cast<int>(channels);
  return {.channels = e,
          .stages = 1,
          .depths = {2},
          .heads = {e / 10},
          .hidden = 4 * e,
          .scope = unmask::spectral_scope::window};
}

/// Useful multiply-adds of a block for each token, counted as in bench/peers/works.py.
inline double block_multiply_adds(const unmask::s2_block& l) {
  const index_t e = l.channels();
  return static_cast<double>(10 * e * e + 2 * l.grid.tokens() * e + 2 * l.spectral.width * e + 18 * e +
                             2 * e * l.feed.hidden);
}

template <class Kernel, class Backend>
struct one_block {
  Backend be = one_thread();
  unmask::s2_block shape;
  std::vector<float> parameters, gradients, mask;
  unmask::block_params<const float> p;
  unmask::block_params<float> dp;
  typename Kernel::template prepared<float> made;
  typename Kernel::template scratch<float> scratch;
  unmask::block_images<float> images;
  float *d, *spare;  ///< [side, side, E]
  unmask::memory_block memory;

  /// Block 1 of a stage is the shifted one.
  one_block(index_t channels, index_t side, bool training, int number = 0)
      : shape(unmask::make_block(block_config(channels), 0, number, side, side)) {
    unmask::random draw(1);
    parameters.resize(static_cast<std::size_t>(unmask::parameter_count(shape)));
    gradients.resize(parameters.size());
    mask.resize(static_cast<std::size_t>(side * side));
    for (float& v : parameters) v = static_cast<float>(0.1 * draw.normal());
    for (float& v : mask) v = static_cast<float>(draw.uniform());
    p = unmask::bind_parameters<const float>(shape, static_cast<const float*>(parameters.data()));
    dp = unmask::bind_parameters<float>(shape, gradients.data());
    unmask::arena measure;
    carve(measure, training);
    memory = unmask::memory_block(measure.peak());
    unmask::arena real(memory.data(), memory.bytes());
    carve(real, training);
    float* all = reinterpret_cast<float*>(memory.data());
    for (std::size_t i = 0; i < memory.bytes() / sizeof(float); ++i) all[i] = static_cast<float>(draw.normal());
    Kernel::template prepare<float>(be, made, shape, batch(), p, scratch);
  }

  index_t tokens() const { return shape.grid.height * shape.grid.width; }
  index_t values() const { return tokens() * shape.channels(); }

  void forward() { Kernel::template forward<float>(be, shape, images, batch(), p, made, scratch); }
  /// From the same gradient every time: repeated on its own result it would leave the range of a float.
  void backward() {
    std::copy_n(spare, values(), d);
    Kernel::template backward<float>(be, shape, {d, nullptr, dp}, images, batch(), p, made, scratch);
  }

 private:
  unmask::block_batch<float> batch() const { return {mask.data(), nullptr, 1}; }
  static Backend one_thread() {
    if constexpr (requires { Backend{.threads = 1}; })
      return {.threads = 1};
    else
      return {};
  }
  void carve(unmask::arena& a, bool training) {
    for (float** image : {&images.x, &images.y, &images.a, &images.b, &d, &spare}) *image = a.take<float>(values());
    made.carve(a, shape, 1, training);
    scratch.carve(a, be, shape, 1, training);
  }
};

}  // namespace bench
