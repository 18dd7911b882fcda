# Headers and a relocatable CMake package, one export file a component so that a product finds only what it asks for.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_DATADIR}/cmake/unmask)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/unmask DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

install(TARGETS unmask_headers EXPORT unmask_core)
install(EXPORT unmask_core NAMESPACE unmask:: FILE unmask_core.cmake DESTINATION ${package_dir})
foreach(component IN LISTS unmask_built_components)
  install(TARGETS unmask_${component} EXPORT unmask_${component})
  install(EXPORT unmask_${component} NAMESPACE unmask:: FILE unmask_${component}.cmake DESTINATION ${package_dir})
endforeach()

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/unmaskConfig.cmake.in
  ${PROJECT_BINARY_DIR}/package/unmaskConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/package/unmaskConfigVersion.cmake
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES
  ${PROJECT_BINARY_DIR}/package/unmaskConfig.cmake
  ${PROJECT_BINARY_DIR}/package/unmaskConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cmake/unmask_dependencies.cmake
  DESTINATION ${package_dir})
