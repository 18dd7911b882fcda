#pragma once

/// Inference for one mask and one image size, one image or a batch at a time: everything is checked and the only memory
/// is taken in `create`; `run` then neither allocates nor fails. A device may fail: `finish(backend)` tells.

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "../core/recording.hpp"
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
    session s(be, config, {batch, height, width}, measure{});
    auto block = storage<Backend>::allocate(be, s.bytes_);
    if (!block) return block.error();
    s.block_ = std::move(*block);
    arena real(s.block_.data(), s.block_.bytes());
    s.carve(real);
    upload(be, s.parameters_, parameters.data(), count);
    const index_t padded_height = config.padded(height), padded_width = config.padded(width);
    std::vector<T> padded(static_cast<std::size_t>(padded_height * padded_width));
    reflect_pad(array_view<T, 3>(padded.data(), padded_height, padded_width, index_t{1}),
                array_view<const T, 3>(mask.data(), height, width, index_t{1}));
    for (index_t b = 0; b < batch; ++b)
      upload(be, s.mask_ + b * padded_height * padded_width, padded.data(), padded_height * padded_width);
    s.network_.prepare(s.padded_mask(), s.parameters_);
    if (auto ok = finish(be); !ok) return ok.error();
    return result<session>(std::move(s));
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
    if constexpr (storage<Backend>::remote) {
      upload(backend_, image_, input.data(), input.size());
      const array_view<T, 4> image(image_, sizes_.batch, sizes_.height, sizes_.width, config().bands);
      run_where_it_lies(image, image);
      download(backend_, cube.data(), image_, cube.size());
    } else {
      run_where_it_lies(cube, input);
    }
  }

  /// The same for a cube and an input in the backend's own memory; nothing waits for the result.
  void run_where_it_lies(out<T, 4> cube, in<T, 4> input) noexcept {
    recorded_.run(backend_, {address(cube.data()), address(input.data()), 0},
                  [&] { network_.run(cube, input, padded_mask(), parameters_); });
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
      : backend_(be), network_(be, config, sizes, s2_mode::inference), sizes_(sizes) {
    arena counting;
    carve(counting);
    bytes_ = counting.peak();
  }

  void carve(arena& a) {
    const s2_config& c = network_.config();
    parameters_ = a.take<T>(make_manifest(c).size);
    mask_ = a.take<T>(sizes_.batch * c.padded(sizes_.height) * c.padded(sizes_.width));
    if (storage<Backend>::remote) image_ = a.take<T>(sizes_.batch * sizes_.height * sizes_.width * c.bands);
    network_.carve(a);
  }
  array_view<const T, 3> padded_mask() const {
    return array_view<const T, 3>(mask_, sizes_.batch, network_.padded_height(), network_.padded_width());
  }
  static error wrong(const std::string& what) { return error(errc::wrong_shape, "session: " + what); }
  static std::string pair(index_t h, index_t w) { return std::to_string(h) + " x " + std::to_string(w); }

  Backend backend_;
  s2_network<T, Backend> network_;
  s2_sizes sizes_;
  std::size_t bytes_ = 0;
  typename storage<Backend>::block block_;
  T *parameters_ = nullptr, *mask_ = nullptr;
  T* image_ = nullptr;  ///< input and cube of images that come from the host to a device
  recording<Backend> recorded_;
};

}  // namespace unmask::inline UNMASK_ABI
