# Installs the program, moves it, and uses it as a newcomer would: no variable of the environment, no repository above.
file(REMOVE_RECURSE ${folder})
execute_process(COMMAND ${CMAKE_COMMAND} --install ${build} --prefix ${folder}/staging --component program
  COMMAND_ERROR_IS_FATAL ANY)
file(RENAME ${folder}/staging ${folder}/moved)
foreach(file IN ITEMS bin/unmask share/unmask/models/general.safetensors share/man/man1/unmask.1
    share/bash-completion/completions/unmask)
  if(NOT EXISTS ${folder}/moved/${file})
    message(FATAL_ERROR "${file} is not installed")
  endif()
endforeach()

unset(ENV{UNMASK_MODELS})
function(run)
  execute_process(COMMAND ${folder}/moved/bin/unmask ${ARGN} WORKING_DIRECTORY ${folder}
    OUTPUT_VARIABLE said ERROR_VARIABLE said COMMAND_ERROR_IS_FATAL ANY)
  set(said "${said}" PARENT_SCOPE)
endfunction()
run(demo --out demo --size 64 --scenes 1 --steps 20 --minutes 0.01)
run(reconstruct --measurement demo/demo.h5:measurement --mask demo/demo.h5:mask --out cube.h5)
if(NOT said MATCHES "moved/share/unmask/models/general.safetensors")
  message(FATAL_ERROR "the installed network was not taken: ${said}")
endif()
file(READ ${folder}/moved/share/man/man1/unmask.1 page)
foreach(word IN ITEMS "unmask reconstruct" SIMULATE-CLOUDS "statistics; weights")
  if(NOT page MATCHES "${word}")
    message(FATAL_ERROR "the manual page does not have: ${word}")
  endif()
endforeach()
execute_process(COMMAND bash -c "source moved/share/bash-completion/completions/unmask; PATH=$PWD/moved/bin:$PATH
  COMP_WORDS=(unmask rec) COMP_CWORD=1; _unmask; echo \"\${COMPREPLY[*]}\"
  COMP_WORDS=(unmask reconstruct --meas) COMP_CWORD=2; _unmask; echo \"\${COMPREPLY[*]}\""
  WORKING_DIRECTORY ${folder} OUTPUT_VARIABLE completed COMMAND_ERROR_IS_FATAL ANY)
if(NOT completed STREQUAL "reconstruct\n--measurement\n")
  message(FATAL_ERROR "completion gives: ${completed}")
endif()
