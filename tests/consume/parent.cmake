# Builds and installs a product whose own export links unmask, moves what was installed, and builds a program that finds
# the product only. from: package, subdirectory or fetch.
cmake_minimum_required(VERSION 3.25)
file(REMOVE_RECURSE ${folder})
set(common -G ${generator} -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER=${compiler})
function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()
run(${CMAKE_COMMAND} -S ${source}/parent -B ${folder}/parent ${common} -Dunmask_from=${from} -Dunmask_source=${unmask}
  -Dcomponents=${components} -DCMAKE_PREFIX_PATH=${package} -DCMAKE_INSTALL_PREFIX=${folder}/staging)
run(${CMAKE_COMMAND} --build ${folder}/parent)
run(${CMAKE_COMMAND} --install ${folder}/parent)
file(RENAME ${folder}/staging ${folder}/moved)
set(prefix ${folder}/moved)
if(from STREQUAL "package")
  set(prefix ${package})
elseif(NOT EXISTS ${folder}/moved/include/unmask/unmask.hpp)
  message(FATAL_ERROR "the product was installed without the headers that its own include")
endif()
run(${CMAKE_COMMAND} -S ${source}/child -B ${folder}/child ${common} -DCMAKE_PREFIX_PATH=${prefix}
  -Dparent_DIR=${folder}/moved/lib/cmake/parent)
run(${CMAKE_COMMAND} --build ${folder}/child)
run(${folder}/child/child)
