#pragma once

/// Weights, optimiser state and gradients of a trainer. A backend of the host works on what `state` shows; a device has
/// its own blocks, and `state` shows a copy that is fetched when somebody looks and sent back when somebody may have
/// changed it.

#include <array>
#include <span>
#include <utility>
#include <vector>

#include "../core/memory.hpp"
#include "adamw.hpp"
#include "checkpoint.hpp"

namespace unmask::inline UNMASK_ABI::train {

template <class T, class Backend>
class trained_blocks {
 public:
  static constexpr bool remote = storage<Backend>::remote;

  T *parameters = nullptr, *gradients = nullptr;
  adamw_state<T> moments;

  void carve(arena& a, index_t n, bool average) {
    size_ = n;
    parameters = a.take<T>(n);
    moments = {a.take<T>(n), a.take<T>(n), average ? a.take<T>(n) : nullptr};
    gradients = a.take<T>(n);
  }

  /// After the last carve: `state` shows the blocks, or zeros that the device gets before it works.
  template <class Config>
  void show(training_state<T, Config>& state) {
    const auto n = static_cast<std::size_t>(size_);
    if (remote) host_.resize(5 * n);
    const auto view = [&](std::size_t i, T* block) { return std::span<T>(remote ? host_.data() + i * n : block, n); };
    state.parameters = view(0, parameters);
    state.first = view(1, moments.first);
    state.second = view(2, moments.second);
    state.average = moments.average ? view(3, moments.average) : std::span<T>();
    newer_ = side::host;
  }

  /// The host looks at `state`; where it `may_change` it, the device gets the blocks again before the next step.
  template <class Config>
  void fetch(const Backend& be, const training_state<T, Config>& state, bool may_change) const {
    if constexpr (remote) {
      if (newer_ == side::device)
        for (const auto& [shown, block] : pairs(state)) download(be, shown.data(), block, size_of(shown));
      if (newer_ == side::device) newer_ = side::neither;
      if (may_change) newer_ = side::host;
    }
  }
  /// Before the device reads its blocks.
  template <class Config>
  void send(const Backend& be, const training_state<T, Config>& state) const {
    if constexpr (remote) {
      if (newer_ != side::host) return;
      for (const auto& [shown, block] : pairs(state)) upload(be, block, shown.data(), size_of(shown));
      newer_ = side::neither;
    }
  }
  /// The device has changed its blocks.
  void changed() { newer_ = side::device; }

  std::span<const T> fetch_gradients(const Backend& be) const {
    const auto n = static_cast<std::size_t>(size_);
    if constexpr (!remote) return {gradients, n};
    T* shown = host_.data() + 4 * n;
    download(be, shown, gradients, size_);
    return {shown, n};
  }

 private:
  enum class side { host, device, neither };

  static index_t size_of(std::span<T> block) { return static_cast<index_t>(block.size()); }
  template <class Config>
  std::array<std::pair<std::span<T>, T*>, 4> pairs(const training_state<T, Config>& s) const {
    return {{{s.parameters, parameters},
             {s.first, moments.first},
             {s.second, moments.second},
             {s.average, moments.average}}};
  }

  index_t size_ = 0;
  mutable std::vector<T> host_;
  mutable side newer_ = side::host;
};

}  // namespace unmask::inline UNMASK_ABI::train
