#include <unmask/core/result.hpp>

using namespace unmask;

result<> load();

void call() {
#ifdef CORRECT
  if (!load()) return;
#else
  load();
#endif
}
