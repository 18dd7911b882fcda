#pragma once

/// Inference for one mask and one image size, one image or a batch at a time: everything is checked and the only memory
/// is taken before; `run` then neither allocates nor fails. A device may fail: `finish(backend)` tells.
///
///   auto s = session<s2_network<float, cpu>>::create(backend, config, parameters, height, width, mask);
///
/// takes its memory itself. Where a plan holds more than a network, its memory is the caller's: construct, `carve` on a
/// measuring arena and on a real one, then `prepare`. Functions are defined outside the class: one file of a program
/// can instantiate them for all (`extern template class session<...>;` in the others).

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "../core/finite.hpp"
#include "../core/memory.hpp"
#include "../core/recording.hpp"
#include "../nn/padding.hpp"
#include "concept.hpp"
#include "s2_network.hpp"

namespace unmask::inline UNMASK_ABI {

template <Model N>
class session {
 public:
  using T = typename N::value_type;
  using Backend = typename N::backend_type;
  using config_type = typename N::config_type;

  /// `parameters` are copied; `mask` is [height, width], 1 where light passes, belongs to every image of the batch and
  /// is padded here as they are.
  /// Errors: a configuration, parameter count, size or mask that contradict each other or are not finite.
  [[gnu::cold]] static result<session> create(Backend, const config_type&, std::span<const T> parameters,
                                              index_t height, index_t width, in<T, 2> mask, index_t batch = 1);

  /// Bytes that `create` will take; `config` has passed `check`.
  [[gnu::cold]] static std::size_t bytes(const config_type&, index_t height, index_t width, int threads,
                                         index_t batch = 1);

  /// A plan without memory. `config` must have passed `check`, sizes be at least 1.
  [[gnu::cold]] session(Backend, const config_type&, network_sizes);
  /// Twice: measuring, then in memory that outlives the session. What only a run needs is released again, to be shared.
  [[gnu::cold]] void carve(arena&);
  /// Once or again, after `carve`, for parameters and mask as in `create`; errors are those of `create`.
  [[gnu::cold]] result<> prepare(std::span<const T> parameters, in<T, 2> mask);

  /// cube [B, H, W, bands] from the network's input [B, H, W, inputs]. Where these are as many, the cube may lie where
  /// the input does.
  void run(out<T, 4> cube, in<T, 4> input) noexcept;
  /// The same for a cube and an input in the backend's own memory; nothing waits for the result.
  void run_where_it_lies(out<T, 4> cube, in<T, 4> input) noexcept;
  /// The same as `run` for one image.
  void run(out<T, 3> cube, in<T, 3> input) noexcept;

  std::size_t bytes() const { return bytes_; }
  const config_type& config() const { return network_.config(); }
  /// After `prepare`, on a backend of the host: the copy. Sessions that take turns in the same memory have it in the
  /// same place, and `prepare` leaves it there.
  std::span<const T> parameters() const { return {parameters_, static_cast<std::size_t>(count_)}; }

 private:
  array_view<const T, 3> padded_mask() const {
    return array_view<const T, 3>(mask_, sizes_.batch, network_.padded_height(), network_.padded_width());
  }
  [[gnu::cold]] result<> fits(std::span<const T> parameters, const in<T, 2>& mask) const;
  [[gnu::cold]] static error wrong(const std::string& what) { return error(errc::wrong_shape, "session: " + what); }
  [[gnu::cold]] static std::string pair(index_t h, index_t w) { return std::to_string(h) + " x " + std::to_string(w); }

  Backend backend_;
  N network_;
  network_sizes sizes_;
  index_t count_;  ///< of parameters
  std::size_t bytes_ = 0;
  typename storage<Backend>::block block_;  ///< empty where the memory is the caller's
  T *parameters_ = nullptr, *mask_ = nullptr;
  T* image_ = nullptr;  ///< input and cube of images that come from the host to a device
  recording<Backend> recorded_;
};

template <Model N>
session<N>::session(Backend be, const config_type& config, network_sizes sizes)
    : backend_(be),
      network_(be, config, sizes, network_mode::inference),
      sizes_(sizes),
      count_(N::manifest(config).size) {
  arena counting;
  carve(counting);
  bytes_ = counting.peak();
}

template <Model N>
auto session<N>::create(Backend be, const config_type& config, std::span<const T> parameters, index_t height,
                        index_t width, in<T, 2> mask, index_t batch) -> result<session> {
  if (auto ok = N::check(config); !ok) return ok.error();
  if (height < 1 || width < 1) return wrong("image is " + pair(height, width) + ", expected at least 1 x 1");
  if (batch < 1) return wrong("batch is " + std::to_string(batch) + ", expected at least 1");
  session s(be, config, {batch, height, width});
  if (auto ok = s.fits(parameters, mask); !ok) return ok.error();
  auto block = storage<Backend>::allocate(be, s.bytes_);
  if (!block) return block.error();
  s.block_ = std::move(*block);
  arena real(s.block_.data(), s.block_.bytes());
  s.carve(real);
  if (auto ok = s.prepare(parameters, mask); !ok) return ok.error();
  return result<session>(std::move(s));
}

template <Model N>
std::size_t session<N>::bytes(const config_type& config, index_t height, index_t width, int threads, index_t batch) {
  Backend be{};
  if constexpr (requires { Backend{.threads = threads}; }) be = Backend{.threads = threads};
  return session(be, config, {batch, height, width}).bytes_;
}

template <Model N>
void session<N>::carve(arena& a) {
  const config_type& c = network_.config();
  parameters_ = a.take<T>(count_);
  mask_ = a.take<T>(sizes_.batch * network_.padded_height() * network_.padded_width());
  if (storage<Backend>::remote) image_ = a.take<T>(sizes_.batch * sizes_.height * sizes_.width * input_channels(c));
  network_.carve(a);
}

template <Model N>
result<> session<N>::fits(std::span<const T> parameters, const in<T, 2>& mask) const {
  if (mask.extent(0) != sizes_.height || mask.extent(1) != sizes_.width)
    return wrong("mask is " + pair(mask.extent(0), mask.extent(1)) + ", expected the image's " +
                 pair(sizes_.height, sizes_.width));
  if (static_cast<index_t>(parameters.size()) != count_)
    return wrong("got " + std::to_string(parameters.size()) + " parameters, this configuration has " +
                 std::to_string(count_));
  for (const T value : mask)
    if (!is_finite(value)) return error(errc::wrong_value, "session: mask holds a value that is not finite");
  return {};
}

template <Model N>
result<> session<N>::prepare(std::span<const T> parameters, in<T, 2> mask) {
  if (auto ok = fits(parameters, mask); !ok) return ok;
  upload(backend_, parameters_, parameters.data(), count_);
  const index_t height = network_.padded_height(), width = network_.padded_width();
  std::vector<T> staged(storage<Backend>::remote ? static_cast<std::size_t>(height * width) : 0);
  T* padded = storage<Backend>::remote ? staged.data() : mask_;
  reflect_pad(array_view<T, 3>(padded, height, width, index_t{1}),
              array_view<const T, 3>(mask.data(), sizes_.height, sizes_.width, index_t{1}));
  for (index_t b = 0; b < sizes_.batch; ++b) upload(backend_, mask_ + b * height * width, padded, height * width);
  network_.prepare(padded_mask(), parameters_);
  return finish(backend_);
}

template <Model N>
void session<N>::run(out<T, 4> cube, in<T, 4> input) noexcept {
  const index_t bands = config().bands, inputs = input_channels(config());
  assert(cube.extents() == (std::array{sizes_.batch, sizes_.height, sizes_.width, bands}));
  assert(input.extents() == (std::array{sizes_.batch, sizes_.height, sizes_.width, inputs}));
  if constexpr (storage<Backend>::remote) {
    upload(backend_, image_, input.data(), input.size());
    run_where_it_lies(array_view<T, 4>(image_, sizes_.batch, sizes_.height, sizes_.width, bands),
                      array_view<T, 4>(image_, sizes_.batch, sizes_.height, sizes_.width, inputs));
    download(backend_, cube.data(), image_, cube.size());
  } else {
    run_where_it_lies(cube, input);
  }
}

template <Model N>
void session<N>::run_where_it_lies(out<T, 4> cube, in<T, 4> input) noexcept {
  recorded_.run(backend_, {address(cube.data()), address(input.data()), 0},
                [&] { network_.run(cube, input, padded_mask(), parameters_, nullptr); });
}

template <Model N>
void session<N>::run(out<T, 3> cube, in<T, 3> input) noexcept {
  const auto batch = [](auto x) {
    return array_view<std::remove_pointer_t<decltype(x.data())>, 4>(x.data(), index_t{1}, x.extent(0), x.extent(1),
                                                                    x.extent(2));
  };
  run(batch(cube), batch(input));
}

}  // namespace unmask::inline UNMASK_ABI
