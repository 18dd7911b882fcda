#pragma once

/// Which of several instruction sets a program runs, where `unmask_add_kernels` of the CMake package compiled its
/// kernels for more than one. Compiled for the baseline; the file of the program that chooses looks so:
///
///     #include <unmask/simd/choose.hpp>
///     #include <unmask_isas.hpp>                                           // made by unmask_add_kernels
///     #define DECLARE(isa) UNMASK_DECLARE_ISA(isa) extern "C" int reconstruct_##isa(float*, const float*);
///     UNMASK_EACH_ISA(DECLARE)
///     #define ROW(isa) {UNMASK_BUILT_ISA(isa), &reconstruct_##isa},
///     constexpr unmask::isa_entry<int(float*, const float*)> built[] = {UNMASK_EACH_ISA(ROW)};
///     const auto* best = unmask::choose_isa(built, std::getenv("MY_ISA"));  // null: forced to what is not there
///
/// and in the sources of the kernels the entry is `extern "C" int UNMASK_ENTRY(reconstruct)(float*, const float*)`.

#include <cstring>

#include "../core/config.hpp"

#define UNMASK_ENTRY_JOIN_(name, isa) name##_##isa
#define UNMASK_ENTRY_JOIN(name, isa) UNMASK_ENTRY_JOIN_(name, isa)
#define UNMASK_ENTRY(name) UNMASK_ENTRY_JOIN(name, UNMASK_ISA)

/// What a set's objects do before `main`: weak, because they may have nothing to do.
#define UNMASK_DECLARE_ISA(isa)                                                                    \
  extern "C" [[gnu::weak, gnu::visibility("hidden")]] void (*const __start_unmask_init_##isa[])(); \
  extern "C" [[gnu::weak, gnu::visibility("hidden")]] void (*const __stop_unmask_init_##isa[])();
#define UNMASK_BUILT_ISA(isa) \
  { #isa, __start_unmask_init_##isa, __stop_unmask_init_##isa }

namespace unmask::inline UNMASK_ABI {

struct built_isa {
  const char* name;
  void (*const* first)();
  void (*const* last)();

  /// Once, before the first call of an entry.
  void prepare() const {
    for (auto call = first; call != last; ++call) (*call)();
  }
};

template <class Entry>
struct isa_entry {
  built_isa isa;
  Entry* call;
};

/// Whether this processor, and the system for its registers, has all that a set was compiled for.
inline bool runs_here(const char* isa) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                    __builtin_cpu_supports("bmi2");
  if (std::strcmp(isa, "avx512") == 0)
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
  if (std::strcmp(isa, "avx2_fma") == 0) return avx2;
#endif
  return std::strcmp(isa, "sse2") == 0;
}

/// The first of `built`, best first, that runs here; or the one that is `forced`. Null: that is not built or does not
/// run here. Its initialisation is done.
template <class Entry, std::size_t N>
const isa_entry<Entry>* choose_isa(const isa_entry<Entry> (&built)[N], const char* forced = nullptr) {
  for (const auto& one : built)
    if ((!forced || !*forced || std::strcmp(forced, one.isa.name) == 0) && runs_here(one.isa.name)) {
      one.isa.prepare();
      return &one;
    }
  return nullptr;
}

}  // namespace unmask::inline UNMASK_ABI
