#pragma once

/// Inference for one mask and one image size: everything is checked and the only memory is taken in `create`;
/// `run` then neither allocates nor fails.

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
  /// `parameters` are copied; `mask` is [height, width], 1 where light passes, and is padded here as the image is.
  /// Errors: a configuration, parameter count, size or mask that contradict each other or are not finite.
  static result<session> create(Backend be, const s2_config& config, std::span<const T> parameters, index_t height,
                                index_t width, in<T, 2> mask) {
    if (auto ok = check(config); !ok) return ok.error();
    if (height < 1 || width < 1) return wrong("image is " + pair(height, width) + ", expected at least 1 x 1");
    if (mask.extent(0) != height || mask.extent(1) != width)
      return wrong("mask is " + pair(mask.extent(0), mask.extent(1)) + ", expected the image's " + pair(height, width));
    const index_t count = make_manifest(config).size;
    if (static_cast<index_t>(parameters.size()) != count)
      return wrong("got " + std::to_string(parameters.size()) + " parameters, this configuration has " +
                   std::to_string(count));
    for (const T value : mask)
      if (!std::isfinite(value)) return error(errc::wrong_value, "session: mask holds a value that is not finite");
    session s(be, config, height, width);
    std::copy(parameters.begin(), parameters.end(), s.parameters_);
    reflect_pad(array_view<T, 3>(s.mask_, config.padded(height), config.padded(width), index_t{1}),
                array_view<const T, 3>(mask.data(), height, width, index_t{1}));
    s.network_.prepare(s.padded_mask(), s.parameters_);
    return s;
  }

  /// Bytes that `create` will take; `config` has passed `check`.
  static std::size_t bytes(const s2_config& config, index_t height, index_t width, int threads) {
    Backend be{};
    if constexpr (requires { Backend{.threads = threads}; }) be = Backend{.threads = threads};
    return session(be, config, height, width, measure{}).bytes_;
  }

  /// cube [H, W, bands] from HM `input` [H, W, bands] (see optics/cassi.hpp).
  void run(out<T, 3> cube, in<T, 3> input) noexcept {
    const auto batch = [](auto x) {
      return array_view<std::remove_pointer_t<decltype(x.data())>, 4>(x.data(), index_t{1}, x.extent(0), x.extent(1),
                                                                      x.extent(2));
    };
    assert(cube.extents() == input.extents() &&
           input.extents() == (std::array{height_, width_, index_t{network_.config().bands}}));
    network_.run(batch(cube), batch(input), padded_mask(), parameters_);
  }

  std::size_t bytes() const { return bytes_; }
  const s2_config& config() const { return network_.config(); }

 private:
  struct measure {};

  session(Backend be, const s2_config& config, index_t height, index_t width, measure)
      : network_(be, config, {1, height, width}, s2_mode::inference), height_(height), width_(width) {
    arena counting;
    carve(counting);
    bytes_ = counting.peak();
  }
  session(Backend be, const s2_config& config, index_t height, index_t width)
      : session(be, config, height, width, measure{}) {
    block_ = memory_block(bytes_);
    arena real(block_.data(), block_.bytes());
    carve(real);
  }

  void carve(arena& a) {
    const s2_config& c = network_.config();
    parameters_ = a.take<T>(make_manifest(c).size);
    mask_ = a.take<T>(c.padded(height_) * c.padded(width_));
    network_.carve(a);
  }
  array_view<const T, 3> padded_mask() const {
    return array_view<const T, 3>(mask_, index_t{1}, network_.padded_height(), network_.padded_width());
  }
  static error wrong(const std::string& what) { return error(errc::wrong_shape, "session: " + what); }
  static std::string pair(index_t h, index_t w) { return std::to_string(h) + " x " + std::to_string(w); }

  s2_network<T, Backend> network_;
  index_t height_, width_;
  std::size_t bytes_ = 0;
  memory_block block_;
  T *parameters_ = nullptr, *mask_ = nullptr;
};

}  // namespace unmask::inline UNMASK_ABI
