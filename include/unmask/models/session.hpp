#pragma once

/// Inference for one mask and one image size, one image or a batch at a time: everything is checked and the only memory
/// is taken in `create`; `run` then neither allocates nor fails.

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <string>

#include "s2_network.hpp"

namespace unmask::inline UNMASK_ABI {

template <class T, class Backend>
class session {
 public:
  /// `parameters` are copied; `mask` is [height, width], 1 where light passes, belongs to every image of the batch and
  /// is padded here as they are.
  /// Errors: a configuration, parameter count, size or mask that contradict each other or are not finite.
  static result<session> create(Backend be, const s2_config& config, std::span<const T> parameters, index_t height,
                                index_t width, in<T, 2> mask, index_t batch = 1) {
    if (auto ok = check(config); !ok) return ok.error();
    if (height < 1 || width < 1) return wrong("image is " + pair(height, width) + ", expected at least 1 x 1");
    if (batch < 1) return wrong("batch is " + std::to_string(batch) + ", expected at least 1");
    if (mask.extent(0) != height || mask.extent(1) != width)
      return wrong("mask is " + pair(mask.extent(0), mask.extent(1)) + ", expected the image's " + pair(height, width));
    const index_t count = make_manifest(config).size;
    if (static_cast<index_t>(parameters.size()) != count)
      return wrong("got " + std::to_string(parameters.size()) + " parameters, this configuration has " +
                   std::to_string(count));
    for (const T value : mask)
      if (!std::isfinite(value)) return error(errc::wrong_value, "session: mask holds a value that is not finite");
    session s(be, config, {batch, height, width});
    std::copy(parameters.begin(), parameters.end(), s.parameters_);
    const index_t padded = config.padded(height) * config.padded(width);
    reflect_pad(array_view<T, 3>(s.mask_, config.padded(height), config.padded(width), index_t{1}),
                array_view<const T, 3>(mask.data(), height, width, index_t{1}));
    for (index_t b = 1; b < batch; ++b) std::copy_n(s.mask_, padded, s.mask_ + b * padded);
    s.network_.prepare(s.padded_mask(), s.parameters_);
    return s;
  }

  /// Bytes that `create` will take; `config` has passed `check`.
  static std::size_t bytes(const s2_config& config, index_t height, index_t width, int threads, index_t batch = 1) {
    Backend be{};
    if constexpr (requires { Backend{.threads = threads}; }) be = Backend{.threads = threads};
    return session(be, config, {batch, height, width}, measure{}).bytes_;
  }

  /// cube [B, H, W, bands] from HM `input` [B, H, W, bands] (see optics/cassi.hpp). The cube may lie where the input
  /// does.
  void run(out<T, 4> cube, in<T, 4> input) noexcept {
    assert(cube.extents() == input.extents());
    assert(input.extents() == (std::array{sizes_.batch, sizes_.height, sizes_.width, index_t{config().bands}}));
    network_.run(cube, input, padded_mask(), parameters_);
  }

  /// The same for one image: [H, W, bands].
  void run(out<T, 3> cube, in<T, 3> input) noexcept {
    const auto batch = [](auto x) {
      return array_view<std::remove_pointer_t<decltype(x.data())>, 4>(x.data(), index_t{1}, x.extent(0), x.extent(1),
                                                                      x.extent(2));
    };
    run(batch(cube), batch(input));
  }

  std::size_t bytes() const { return bytes_; }
  const s2_config& config() const { return network_.config(); }

 private:
  struct measure {};

  session(Backend be, const s2_config& config, s2_sizes sizes, measure)
      : network_(be, config, sizes, s2_mode::inference), sizes_(sizes) {
    arena counting;
    carve(counting);
    bytes_ = counting.peak();
  }
  session(Backend be, const s2_config& config, s2_sizes sizes) : session(be, config, sizes, measure{}) {
    block_ = memory_block(bytes_);
    arena real(block_.data(), block_.bytes());
    carve(real);
  }

  void carve(arena& a) {
    const s2_config& c = network_.config();
    parameters_ = a.take<T>(make_manifest(c).size);
    mask_ = a.take<T>(sizes_.batch * c.padded(sizes_.height) * c.padded(sizes_.width));
    network_.carve(a);
  }
  array_view<const T, 3> padded_mask() const {
    return array_view<const T, 3>(mask_, sizes_.batch, network_.padded_height(), network_.padded_width());
  }
  static error wrong(const std::string& what) { return error(errc::wrong_shape, "session: " + what); }
  static std::string pair(index_t h, index_t w) { return std::to_string(h) + " x " + std::to_string(w); }

  s2_network<T, Backend> network_;
  s2_sizes sizes_;
  std::size_t bytes_ = 0;
  memory_block block_;
  T *parameters_ = nullptr, *mask_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI
