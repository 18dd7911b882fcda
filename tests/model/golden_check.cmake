# Runs golden_check on the folder that UNMASK_GOLDEN names when the test runs.
if("$ENV{UNMASK_GOLDEN}" STREQUAL "")
  message("skipped: golden_check (UNMASK_GOLDEN is not set)")
  return()
endif()
execute_process(COMMAND ${program} $ENV{UNMASK_GOLDEN} ${parts} RESULT_VARIABLE code)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "golden_check: exit code ${code}")
endif()
