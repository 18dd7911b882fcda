#include <unmask/core/tensor.hpp>

using namespace unmask;

using cube = view<float, shape<dyn, dyn, 28>>;
#ifdef CORRECT
using bands = view<const float, shape<dyn, dyn, 28>>;
#else
using bands = view<const float, shape<dyn, dyn, 31>>;
#endif

bands convert(cube x) { return x; }
