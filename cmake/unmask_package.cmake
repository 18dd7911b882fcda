# `cpack`: unmask (program, models, manual, completion), libunmask-dev (headers, CMake package, pkg-config) and, where it is
# built, python3-unmask for Debian.
if(NOT UNMASK_INSTALL OR NOT TARGET unmask)
  return()
endif()
set(CPACK_GENERATOR DEB)
set(CPACK_COMPONENTS_ALL program devel)
if(TARGET unmask_python)
  list(APPEND CPACK_COMPONENTS_ALL python)
endif()
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_CONTACT "unmask <unmask@localhost>")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME unmask)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_DEVEL_PACKAGE_NAME libunmask-dev)
set(CPACK_DEBIAN_DEVEL_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVEL_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_DEVEL_PACKAGE_DEPENDS "libeigen3-dev (>= 3.4), libxsimd-dev")
set(CPACK_DEBIAN_DEVEL_PACKAGE_RECOMMENDS "nlohmann-json3-dev, libhdf5-dev, zlib1g-dev, libpng-dev, libtiff-dev")
if(TARGET unmask_python)
  find_package(Python 3.9 REQUIRED COMPONENTS Interpreter)  # an extension is for one minor version of it
  math(EXPR next_minor "${Python_VERSION_MINOR} + 1")
  set(python_versions "python3 (>= 3.${Python_VERSION_MINOR}), python3 (<< 3.${next_minor})")
  set(CPACK_DEBIAN_PYTHON_PACKAGE_NAME python3-unmask)
  set(CPACK_DEBIAN_PYTHON_PACKAGE_SECTION python)
  set(CPACK_DEBIAN_PYTHON_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_PYTHON_PACKAGE_DEPENDS "${python_versions}, python3-numpy")
  set(CPACK_DEBIAN_PYTHON_PACKAGE_RECOMMENDS "python3-scipy, python3-tqdm, python3-xarray")
  set(CPACK_COMPONENT_PYTHON_DESCRIPTION "Hyperspectral cubes from coded snapshots, for Python
 Camera, models, reconstruction, calibration, figures and training of unmask,
 on NumPy arrays.")
endif()
set(CPACK_COMPONENT_PROGRAM_DESCRIPTION "Hyperspectral cubes from single coded snapshots
 Reconstruction, training, calibration and evaluation for CASSI cameras, with
 trained networks.")
set(CPACK_COMPONENT_DEVEL_DESCRIPTION "Header-only C++20 library of unmask
 Headers, CMake package and pkg-config file.")
include(CPack)
