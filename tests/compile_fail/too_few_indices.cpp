#include <unmask/core/tensor.hpp>

using namespace unmask;

float get(array_view<const float, 3> x) {
#ifdef CORRECT
  return x(0, 0, 0);
#else
  return x(0, 0);
#endif
}
