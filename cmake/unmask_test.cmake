# unmask_test(<area> SOURCES ... [SERIAL ...] [LIBRARIES ...] [LABELS ...] [TIMEOUT <seconds>])
# One doctest program <build tree>/tests/<area>, registered with CTest under the same name. It inherits the caller's
# environment, so UNMASK_DATA and UNMASK_GOLDEN are what they are when ctest runs. SERIAL: sources that start no threads but
# those of loops that others start too; the thread sanitizer's build leaves them out.
function(unmask_test area)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "SOURCES;SERIAL;LIBRARIES;LABELS")
  if(NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize=thread")
    list(APPEND arg_SOURCES ${arg_SERIAL})
  endif()
  unmask_program(test_${area} NAME ${area} FOLDER tests
    SOURCES ${arg_SOURCES} $<TARGET_OBJECTS:unmask_test_main>
    LIBRARIES ${arg_LIBRARIES} doctest::doctest)
  if(NOT TARGET test_${area})
    return()
  endif()
  # Kernels are tested as they are used, and so is what must have the bits of the compiled instances; what only calls them,
  # or emulates a device, compiles in half the time with less optimisation. Presets with checks optimise what computes, no
  # more: the address sanitizer's unit takes a third of the time at -O0, and its test up to three times that.
  set(checked -O1)
  if(area MATCHES "^(cli|clouds_files|clouds_geotiff|clouds_program|core|docs|io_formats|metrics|render)$")
    set(checked -O0)
  endif()
  if(area MATCHES "^(nn|model|reconstruct)$")
    set(released -O3)
  else()
    set(released -O1)
  endif()
  target_compile_options(test_${area} PRIVATE $<IF:$<CONFIG:Release>,${released},${checked}>)
  set_target_properties(test_${area} PROPERTIES UNITY_BUILD ${UNMASK_UNITY} UNITY_BUILD_BATCH_SIZE 32)
  add_test(NAME ${area} COMMAND test_${area})
  unmask_test_properties(${area} TIMEOUT "${arg_TIMEOUT}" LABELS "${arg_LABELS}")
endfunction()

function(unmask_test_properties test)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "LABELS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT ${UNMASK_TEST_TIMEOUT})
  endif()
  set_tests_properties(${test} PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}")
  # Tests run side by side, some with more threads than cores: threads that spin while they wait made one ten times slower.
  set_property(TEST ${test} APPEND PROPERTY ENVIRONMENT OMP_WAIT_POLICY=passive)
  # Only libomp tells the thread sanitizer about its barriers, and it asks for this option.
  if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=thread")
    set_property(TEST ${test} APPEND PROPERTY ENVIRONMENT "TSAN_OPTIONS=ignore_noninstrumented_modules=1 halt_on_error=1")
  endif()
endfunction()
