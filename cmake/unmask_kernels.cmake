# unmask_add_kernels(<target> ENTRIES <function ...> SOURCES <...> [COLD <...>] [LIBRARIES <...>] [ISAS sse2 avx2 avx512])
#
# Compiles the sources once for each instruction set and links all of them into <target>, which chooses when it runs:
# `<unmask/simd/choose.hpp>` has the macros, and <unmask_isas.hpp>, which is made here, the list of sets, best first. An
# entry is `extern "C" R UNMASK_ENTRY(name)(...)` in SOURCES and `name_<set>` for <target>. COLD: sources in which no time
# is spent, compiled at -O1. The sets are x86-64's own levels (psABI): sse2 is its baseline, avx2 x86-64-v3, avx512
# x86-64-v4. Only for ELF, and for the linker and objcopy of GNU binutils.
#
# One name may have one definition in a program: the linker would take any of three copies of an inline function of the
# standard library or Eigen, and an old processor would meet instructions that it lacks. So the objects of a set are
# joined first, and all their names but the entries become local. What they do before `main` waits until the set is
# chosen, for the same reason.
set(unmask_isa_suffix_sse2 sse2)
set(unmask_isa_suffix_avx2 avx2_fma)
set(unmask_isa_suffix_avx512 avx512)
set(unmask_isa_flags_sse2 -march=x86-64)
set(unmask_isa_flags_avx2 -march=x86-64-v3)
set(unmask_isa_flags_avx512 -march=x86-64-v4)

function(unmask_add_kernels target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "ENTRIES;SOURCES;COLD;LIBRARIES;ISAS")
  if(NOT arg_ISAS)
    set(arg_ISAS sse2 avx2 avx512)
  endif()
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/${target}_isas)
  set(each "")
  foreach(isa IN ITEMS avx512 avx2 sse2)
    if(NOT isa IN_LIST arg_ISAS)
      continue()
    endif()
    set(suffix ${unmask_isa_suffix_${isa}})
    string(APPEND each " X(${suffix})")
    set(objects "")
    foreach(part IN ITEMS SOURCES COLD)
      if(NOT arg_${part})
        continue()
      endif()
      set(library ${target}_${isa}_${part})
      add_library(${library} OBJECT ${arg_${part}})
      target_link_libraries(${library} PRIVATE ${arg_LIBRARIES})
      target_include_directories(${library} PRIVATE ${folder})
      target_compile_definitions(${library} PRIVATE UNMASK_CHOSEN_ISA=1)
      # objcopy leaves unique symbols, which g++ makes of static variables in inline functions, global
      target_compile_options(${library} PRIVATE ${unmask_isa_flags_${isa}} $<$<STREQUAL:${part},COLD>:-O1>
        $<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique>)
      set_target_properties(${library} PROPERTIES POSITION_INDEPENDENT_CODE ON UNITY_BUILD "${UNMASK_UNITY}"
        UNITY_BUILD_BATCH_SIZE 32)
      list(APPEND objects $<TARGET_OBJECTS:${library}>)
    endforeach()
    set(keep "")
    foreach(entry IN LISTS arg_ENTRIES)
      list(APPEND keep --keep-global-symbol=${entry}_${suffix})
    endforeach()
    set(joined ${folder}/${isa}.o)
    add_custom_command(OUTPUT ${joined}
      COMMAND ${CMAKE_LINKER} -r --force-group-allocation -o ${joined}.all ${objects}
      COMMAND ${CMAKE_OBJCOPY} ${keep} --rename-section .init_array=unmask_init_${suffix} ${joined}.all ${joined}
      COMMAND ${CMAKE_COMMAND} -E rm ${joined}.all
      DEPENDS ${objects} COMMAND_EXPAND_LISTS VERBATIM)
    set_source_files_properties(${joined} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
    target_sources(${target} PRIVATE ${joined})
  endforeach()
  file(CONFIGURE OUTPUT ${folder}/unmask_isas.hpp
    CONTENT "#pragma once\n#define UNMASK_EACH_ISA(X)${each}\n")
  target_include_directories(${target} PRIVATE ${folder})
endfunction()
