#include <unmask/core/tensor.hpp>

using namespace unmask;

view<float, shape<dyn, dyn, 28>> make(float* data) {
#ifdef CORRECT
  return view<float, shape<dyn, dyn, 28>>(data, 8, 8);
#else
  return view<float, shape<dyn, dyn, 28>>(data, 8);
#endif
}
