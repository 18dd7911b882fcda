# nvcc for our own programs: real code for A100 and H100, PTX for what comes after them.
if(NOT CMAKE_CUDA_COMPILER)
  find_program(CMAKE_CUDA_COMPILER nvcc HINTS ENV CUDA_HOME ENV CUDACXX /usr/local/cuda PATH_SUFFIXES bin)
endif()
if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80-real 90)
endif()
set(UNMASK_CUDA_TEST_ARCHITECTURES 90 CACHE STRING "What the tests for a device are compiled for")
enable_language(CUDA)
set(CMAKE_CUDA_EXTENSIONS OFF)

# unmask_compile_with_nvcc(<target> <source> ...): whatever they are called. The host's part gets the instruction set of
# our other sources, because that is in the library's namespace. ptxas tells what .ci/spills looks for.
function(unmask_compile_with_nvcc target)
  set_source_files_properties(${ARGN} PROPERTIES LANGUAGE CUDA)
  target_link_libraries(${target} PRIVATE unmask::cuda)
  # CMake 3.25 does not know the standards of nvcc 13, which takes the assignment of a [[nodiscard]] class for a value that
  # is thrown away (2810); a conversion that one instance of a template cannot use (554) is no fault
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20 --diag-suppress=554,2810 -Xcompiler=-Wall,-Wextra -Xptxas=-v
    $<$<BOOL:${UNMASK_NATIVE}>:-Xcompiler=-march=native>
    $<$<BOOL:${UNMASK_WERROR}>:-Werror=all-warnings -Xcompiler=-Werror>>)
endfunction()

# unmask_cuda_program(<target> SOURCES ... [LIBRARIES ...] [NAME <file name>] [FOLDER <folder below the build tree>])
function(unmask_cuda_program target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "NAME;FOLDER" "SOURCES;LIBRARIES")
  add_executable(${target} ${arg_SOURCES})
  unmask_compile_with_nvcc(${target} ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE ${arg_LIBRARIES})
  if(arg_NAME)
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${arg_NAME})
  endif()
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${arg_FOLDER})
endfunction()
