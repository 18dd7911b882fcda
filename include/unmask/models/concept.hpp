#pragma once

/// What a network class must have so that `session`, `trainer`, checkpoints and weights files work with it:
/// s2_network<T, Backend> is the first. A network owns no memory. It is planned (`carve` on a measuring arena, then on
/// a real one), gets parameters and mask with `prepare`, and then runs as often as it is wanted, without heap.
///
/// Its configuration is a plain struct with `bands`, `operator==`, a default value, `padded(n)` (images are
/// reflect-padded to that many rows and columns, masks come padded) and one `visit_fields(visitor, config)`
/// (models/fields.hpp), from which files, checkpoints and checks follow. Where it has `input_channels()`, the network's
/// input has so many channels, at least `bands`; else as many as its output.

#include <concepts>
#include <span>
#include <string_view>

#include "../core/arena.hpp"
#include "../core/call_ref.hpp"
#include "../core/result.hpp"
#include "../core/view.hpp"
#include "../nn/parameters.hpp"

namespace unmask::inline UNMASK_ABI {

/// Of the images that a network is planned for, before they are padded.
struct network_sizes {
  index_t batch = 1, height = 0, width = 0;
};

enum class network_mode {
  inference,
  training,
  frugal_training,  ///< less memory and more time: the same bits
};

/// Networks have at least one auxiliary prediction (`pin`), and at most so many.
inline constexpr int max_pins = 8;

/// Channels of a network's input; its output has `bands`.
template <class Config>
constexpr index_t input_channels(const Config& config) {
  if constexpr (requires { config.input_channels(); })
    return config.input_channels();
  else
    return config.bands;
}

/// What the backward pass starts from. Images [B, H, W, C]; `pins` has a view for each stage [B, H', W', C] (empty
/// data: zero), or none.
template <class T>
struct output_gradients {
  array_view<const T, 4> output;
  std::span<const array_view<const T, 4>> pins{};
};

/// Where it ends: `parameters` accumulates; `input` [B, H, W, inputs] and `mask` [B, H', W'] are overwritten, or left
/// out with empty views. `finished(from, to)` may be told which of the parameters' gradients nothing will change any
/// more, each at most once, while the rest is still being computed.
template <class T>
struct input_gradients {
  T* parameters = nullptr;
  array_view<T, 4> input{};
  array_view<T, 3> mask{};
  call_ref<index_t, index_t> finished{};
};

template <class N>
concept Model = requires(N n, const N& c, const typename N::config_type& config,
                         const typename N::value_type* parameters, const typename N::value_type* keep, arena& memory,
                         array_view<typename N::value_type, 4> y, array_view<const typename N::value_type, 4> x,
                         array_view<const typename N::value_type, 3> mask,
                         const output_gradients<typename N::value_type>& from,
                         const input_gradients<typename N::value_type>& to) {
  typename N::backend_type;
  N(typename N::backend_type{}, config, network_sizes{}, network_mode::inference);  // a checked configuration

  /// The architecture in files; and how the names of the parameters begin that `last_zero` (train/) starts at zero.
  { N::architecture } -> std::convertible_to<std::string_view>;
  { N::last_layer } -> std::convertible_to<std::string_view>;
  { N::check(config) } -> std::same_as<result<>>;
  { N::manifest(config) } -> std::same_as<manifest>;
  /// Multiply-adds of one run, about: what bounds the self-test of a file that nobody vouches for.
  { N::work(config, network_sizes{}) } -> std::convertible_to<double>;

  { c.config() } -> std::same_as<const typename N::config_type&>;
  { config.bands } -> std::convertible_to<index_t>;
  { config.padded(index_t{1}) } -> std::convertible_to<index_t>;
  { config == config } -> std::convertible_to<bool>;
  { c.padded_height() } -> std::convertible_to<index_t>;
  { c.padded_width() } -> std::convertible_to<index_t>;
  /// Auxiliary predictions; residual blocks, and their branches that stochastic depth can drop, as many in each block.
  { c.stages() } -> std::convertible_to<int>;
  { c.blocks() } -> std::convertible_to<index_t>;
  { c.branches() } -> std::convertible_to<index_t>;

  n.carve(memory);
  n.prepare(mask, parameters);              // mask [B, H', W'], padded
  n.run(y, x, mask, parameters, keep);      // y [B, H, W, C], x [B, H, W, inputs]; keep: [branches, B] factors, or null
  n.forward(y, x, mask, parameters, keep);  // both
  { n.pin(0) } -> std::convertible_to<array_view<const typename N::value_type, 4>>;
  n.backward(to, from, mask, parameters, keep);  // once after each forward, in a mode of training
};

}  // namespace unmask::inline UNMASK_ABI
