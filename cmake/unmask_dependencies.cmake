# What each target needs, in one place: the build and the installed package both read this file.

set(unmask_core_links Eigen3::Eigen unmask_external::xsimd)
set(unmask_openmp_links OpenMP::OpenMP_CXX)
set(unmask_weights_links nlohmann_json::nlohmann_json)
set(unmask_io_links unmask::weights unmask_external::hdf5 ZLIB::ZLIB)
set(unmask_render_links PNG::PNG)

# Debian packages, for messages.
set(unmask_core_packages "Eigen 3.4 and xsimd (Debian: libeigen3-dev libxsimd-dev)")
set(unmask_openmp_packages "OpenMP (Debian: libgomp1 comes with g++; libomp-dev for clang)")
set(unmask_weights_packages "nlohmann_json (Debian: nlohmann-json3-dev)")
set(unmask_io_packages
  "HDF5, zlib and nlohmann_json (Debian: libhdf5-dev zlib1g-dev nlohmann-json3-dev)")
set(unmask_render_packages "libpng (Debian: libpng-dev)")

# An imported target for a C library or a set of headers whose own CMake package is missing or cannot be used:
# matio has none; FindHDF5 stops in a project without the C language, and links curl and crypto; the target of
# Debian's xsimd 8.1 links a library `xtl` that does not exist.
function(unmask_external name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "HEADER;MODULE" "LIBRARY;SUFFIXES")
  if(TARGET unmask_external::${name})
    return()
  endif()
  find_package(PkgConfig QUIET)
  if(PkgConfig_FOUND)
    pkg_check_modules(unmask_pc_${name} QUIET ${arg_MODULE})
  endif()
  find_path(unmask_${name}_include_dir ${arg_HEADER}
    HINTS ${unmask_pc_${name}_INCLUDE_DIRS} PATH_SUFFIXES ${arg_SUFFIXES})
  mark_as_advanced(unmask_${name}_include_dir)
  if(arg_LIBRARY)
    find_library(unmask_${name}_library NAMES ${arg_LIBRARY}
      HINTS ${unmask_pc_${name}_LIBRARY_DIRS} PATH_SUFFIXES ${arg_SUFFIXES})
    mark_as_advanced(unmask_${name}_library)
  endif()
  if(NOT unmask_${name}_include_dir OR (arg_LIBRARY AND NOT unmask_${name}_library))
    return()
  endif()
  add_library(unmask_external::${name} INTERFACE IMPORTED)
  set_target_properties(unmask_external::${name} PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${unmask_${name}_include_dir}")
  if(arg_LIBRARY)
    set_target_properties(unmask_external::${name} PROPERTIES INTERFACE_LINK_LIBRARIES "${unmask_${name}_library}")
  endif()
endfunction()

# Sets unmask_<component>_found, and unmask_<component>_missing to what a person should install.
macro(unmask_settle component)
  set(unmask_${component}_found TRUE)
  set(unmask_${component}_missing "")
  foreach(unmask_link IN LISTS unmask_${component}_links)
    if(NOT TARGET ${unmask_link})
      set(unmask_${component}_found FALSE)
      set(unmask_${component}_missing "${unmask_${component}_packages}")
    endif()
  endforeach()
endmacro()

macro(unmask_find_core)
  find_package(Eigen3 3.4 QUIET)
  unmask_external(xsimd MODULE xsimd HEADER xsimd/xsimd.hpp)
  unmask_settle(core)
endmacro()

macro(unmask_find_component component)
  if("${component}" STREQUAL "openmp")
    find_package(OpenMP QUIET COMPONENTS CXX)
  elseif("${component}" STREQUAL "weights")
    find_package(nlohmann_json 3 QUIET)
  elseif("${component}" STREQUAL "io")
    unmask_external(hdf5 MODULE hdf5 HEADER hdf5.h LIBRARY hdf5 hdf5_serial SUFFIXES hdf5/serial)
    find_package(ZLIB QUIET)
  elseif("${component}" STREQUAL "render")
    find_package(PNG QUIET)
  else()
    set(unmask_${component}_links unmask::${component})
    set(unmask_${component}_packages "a component of that name (there are: openmp weights io render)")
  endif()
  unmask_settle(${component})
endmacro()
