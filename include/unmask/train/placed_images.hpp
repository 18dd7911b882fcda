#pragma once

/// Images on their way between the host and where a trainer works: the host's memory works on what it has, a device on
/// copies.

#include <array>
#include <vector>

#include "../core/memory.hpp"
#include "dataset.hpp"

namespace unmask::inline UNMASK_ABI::train {

/// A batch where the backend can read it.
template <class T, class Backend>
class placed_batch {
 public:
  array_view<const T, 4> input, truth;
  array_view<const T, 3> mask;

  void carve(arena& a, index_t batch, index_t height, index_t width, index_t inputs, index_t bands) {
    if constexpr (storage<Backend>::remote) {
      const index_t pixels = batch * height * width;
      input = array_view<const T, 4>(input_ = a.take<T>(pixels * inputs), batch, height, width, inputs);
      truth = array_view<const T, 4>(truth_ = a.take<T>(pixels * bands), batch, height, width, bands);
      mask = array_view<const T, 3>(mask_ = a.take<T>(pixels), batch, height, width);
    }
  }

  /// One sample of a batch, where it is.
  void place_sample(const batch<T>& b, index_t i) {
    const auto image = [&](const tensor<T, 4>& x) {
      return array_view<const T, 4>(&x(i, 0, 0, 0), index_t{1}, x.extent(1), x.extent(2), x.extent(3));
    };
    input = image(b.input), truth = image(b.truth);
    mask = array_view<const T, 3>(&b.mask(i, 0, 0), index_t{1}, b.mask.extent(1), b.mask.extent(2));
  }

  void place(const Backend& be, const batch<T>& samples) {
    if constexpr (storage<Backend>::remote) {
      upload(be, input_, samples.input.data(), input.size());
      upload(be, truth_, samples.truth.data(), truth.size());
      upload(be, mask_, samples.mask.data(), mask.size());
    } else {
      input = samples.input.view(), truth = samples.truth.view(), mask = samples.mask.view();
    }
  }

 private:
  T *input_ = nullptr, *truth_ = nullptr, *mask_ = nullptr;
};

/// Images of a plan for the host to read, until the next one of the same place is asked for.
template <class T, class Backend>
class shown_images {
 public:
  array_view<const T, 4> show(const Backend& be, array_view<T, 4> x, std::size_t place) const {
    if constexpr (storage<Backend>::remote) {
      std::vector<T>& copy = copies_[place];
      copy.resize(static_cast<std::size_t>(x.size()));
      download(be, copy.data(), x.data(), x.size());
      return array_view<const T, 4>(copy.data(), x.extent(0), x.extent(1), x.extent(2), x.extent(3));
    }
    return x;
  }

 private:
  mutable std::array<std::vector<T>, 16> copies_;
};

}  // namespace unmask::inline UNMASK_ABI::train
