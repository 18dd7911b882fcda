#pragma once

#include <algorithm>

#include "unmask/train/dataset.hpp"

/// Whether two batches have the same bits.
template <class T>
bool same_batch(const unmask::train::batch<T>& a, const unmask::train::batch<T>& b) {
  return std::equal(a.input.begin(), a.input.end(), b.input.begin()) &&
         std::equal(a.truth.begin(), a.truth.end(), b.truth.begin()) &&
         std::equal(a.mask.begin(), a.mask.end(), b.mask.begin());
}
