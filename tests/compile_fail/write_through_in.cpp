#include <unmask/core/tensor.hpp>

using namespace unmask;

#ifdef CORRECT
using argument = out<float, 2>;
#else
using argument = in<float, 2>;
#endif

void set(argument x) { x(0, 0) = 1.f; }
