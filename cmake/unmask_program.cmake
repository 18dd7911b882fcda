# How our own programs are compiled; a consumer of the library sees none of it.

add_library(unmask_warnings INTERFACE)
target_compile_options(unmask_warnings INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wconversion
  -Wshadow $<$<BOOL:${UNMASK_WERROR}>:-Werror>>)
# g++ 12 warns of its own header's registers wherever AVX-512 takes a square root, a maximum or a shift (GCC bug 105593).
target_compile_options(unmask_warnings INTERFACE
  "$<$<AND:$<COMPILE_LANG_AND_ID:CXX,GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-uninitialized;-Wno-maybe-uninitialized>")
# 32-bit ARM: a note for each function that passes small structs, which changed in g++ 10.
target_compile_options(unmask_warnings INTERFACE
  $<$<AND:$<COMPILE_LANG_AND_ID:CXX,GNU>,$<BOOL:${CMAKE_CROSSCOMPILING}>>:-Wno-psabi>)
add_library(unmask_native INTERFACE)
target_compile_options(unmask_native INTERFACE $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${UNMASK_NATIVE}>>:-march=native>)

if(UNMASK_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(UNMASK_CCACHE_PROGRAM ccache)
  if(UNMASK_CCACHE_PROGRAM)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${UNMASK_CCACHE_PROGRAM})
  endif()
endif()
set(CMAKE_CXX_EXTENSIONS OFF)

# Threads where the machine has them; the library runs without.
set(unmask_threads unmask::unmask)
if(TARGET unmask::openmp)
  set(unmask_threads unmask::openmp)
endif()

# unmask_program(<target> SOURCES ... [LIBRARIES ...] [NAME <file name>] [FOLDER <folder below the build tree>])
# A program whose library is not there is left out with a message.
function(unmask_program target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "NAME;FOLDER" "SOURCES;LIBRARIES")
  foreach(library IN LISTS arg_LIBRARIES)
    if(library MATCHES "::" AND NOT TARGET ${library})
      message(STATUS "unmask: ${target} is not built, for want of ${library}")
      return()
    endif()
  endforeach()
  add_executable(${target} ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE ${unmask_threads} ${arg_LIBRARIES} unmask_warnings unmask_native)
  if(arg_NAME)
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${arg_NAME})
  endif()
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${arg_FOLDER})
endfunction()
