#include <unmask/reconstruct/reconstructor.hpp>
#include <unmask/train/all.hpp>
#include <unmask/unmask.hpp>

int lean(unmask::result<int> r);

static_assert(UNMASK_HAS_EXCEPTIONS == 0);
static_assert(UNMASK_HAS_OPENMP == 0);

/// Without exceptions `value()` ends in UNMASK_PANIC; this instantiates it.
int lean(unmask::result<int> r) { return r.value(); }
