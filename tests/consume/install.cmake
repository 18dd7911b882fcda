# Installs into a staging folder and moves it: a package that remembers where it was installed fails afterwards.
file(REMOVE_RECURSE ${folder})
execute_process(COMMAND ${CMAKE_COMMAND} --install ${build} --prefix ${folder}/staging --component devel
  COMMAND_ERROR_IS_FATAL ANY)
file(RENAME ${folder}/staging ${folder}/prefix)
