#include "parent.hpp"

#include <unmask/parallel/parallel_for.hpp>

float parent_sum(const unmask::tensor<float, 3>& cube) {
  float sum = 0.f;
  for (float x : cube) sum += x;
  return sum;
}
