/// The program that holds all others: it runs the one that was compiled for the best instruction set of this processor,
/// or the one that UNMASK_ISA names.

#include <cstdio>
#include <cstdlib>
#include <unmask/simd/choose.hpp>
#include <unmask_isas.hpp>

#define UNMASK_DECLARE(isa) UNMASK_DECLARE_ISA(isa) extern "C" int unmask_main_##isa(int, char**);
UNMASK_EACH_ISA(UNMASK_DECLARE)
#define UNMASK_ROW(isa) {UNMASK_BUILT_ISA(isa), &unmask_main_##isa},

int main(int argc, char** argv) {
  static constexpr unmask::isa_entry<int(int, char**)> built[] = {UNMASK_EACH_ISA(UNMASK_ROW)};
  const char* forced = std::getenv("UNMASK_ISA");
  if (const auto* best = unmask::choose_isa(built, forced)) return best->call(argc, argv);
  std::fprintf(stderr, "unmask: UNMASK_ISA: found '%s', expected one of", forced ? forced : "");
  for (const auto& one : built)
    if (unmask::runs_here(one.isa.name)) std::fprintf(stderr, " %s", one.isa.name);
  std::fprintf(stderr, ", which run here\n");
  return 2;
}
