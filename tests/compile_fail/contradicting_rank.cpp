#include <unmask/core/tensor.hpp>

using namespace unmask;

using cube = view<float, shape<dyn, dyn, 28>>;
#ifdef CORRECT
using other = array_view<float, 3>;
#else
using other = array_view<float, 2>;
#endif

other convert(cube x) { return x; }
