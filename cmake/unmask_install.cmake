# Component `devel`: headers, a relocatable CMake package (one export file a component, so that a product finds only what it
# asks for), pkg-config. Component `program`: app/CMakeLists.txt.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_DATADIR}/cmake/unmask)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/unmask DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT devel)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT devel)

install(TARGETS unmask_headers EXPORT unmask_core)
install(EXPORT unmask_core NAMESPACE unmask:: FILE unmask_core.cmake DESTINATION ${package_dir} COMPONENT devel)
foreach(component IN LISTS unmask_built_components)
  install(TARGETS unmask_${component} EXPORT unmask_${component})
  install(EXPORT unmask_${component} NAMESPACE unmask:: FILE unmask_${component}.cmake DESTINATION ${package_dir}
    COMPONENT devel)
endforeach()

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/unmaskConfig.cmake.in
  ${PROJECT_BINARY_DIR}/package/unmaskConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/package/unmaskConfigVersion.cmake
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES
  ${PROJECT_BINARY_DIR}/package/unmaskConfig.cmake
  ${PROJECT_BINARY_DIR}/package/unmaskConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cmake/unmask_dependencies.cmake
  ${PROJECT_SOURCE_DIR}/cmake/unmask_kernels.cmake
  ${PROJECT_SOURCE_DIR}/cmake/unmask_embed.cmake
  DESTINATION ${package_dir} COMPONENT devel)
# prefix of where the file lies, so that a moved package works
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/package/unmask.pc CONTENT [[prefix=${pcfiledir}/../..
includedir=${prefix}/@CMAKE_INSTALL_INCLUDEDIR@

Name: unmask
Description: @PROJECT_DESCRIPTION@
Version: @PROJECT_VERSION@
Requires: eigen3
Cflags: -I${includedir}
]] @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/package/unmask.pc DESTINATION ${CMAKE_INSTALL_DATADIR}/pkgconfig COMPONENT devel)
