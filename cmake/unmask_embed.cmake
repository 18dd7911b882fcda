# unmask_embed_model(<target> <name or file> [AS <identifier>])
# Puts a weights file into a program: `general` is one of the models that come with unmask, anything else a file's path.
# The target gets <unmask_models/<identifier>.hpp>, where `unmask_models::<identifier>()` are the file's bytes, read-only.
# `.incbin` does it: the assembler copies the file, on every target of g++ and clang (WebAssembly too), in no time.
# Without CMake's targets: cmake -D file=/path/general.safetensors -D name=general -D folder=out -P unmask_embed.cmake
# writes out/general.cpp, to be compiled with the program, and out/unmask_models/general.hpp.
set(UNMASK_MODELS_DIR "${CMAKE_CURRENT_LIST_DIR}/../models" CACHE PATH "Where models are that unmask_embed_model names")
mark_as_advanced(UNMASK_MODELS_DIR)

# Writes <folder>/<name>.cpp and <folder>/unmask_models/<name>.hpp.
function(unmask_write_embedded file name folder)
  file(CONFIGURE OUTPUT "${folder}/unmask_models/${name}.hpp" CONTENT [[#pragma once

#include <cstddef>
#include <span>

extern "C" {
extern const unsigned char unmask_model_@name@[];
extern const unsigned char unmask_model_@name@_end[];
}

namespace unmask_models {
inline std::span<const std::byte> @name@() {
  const auto* const begin = reinterpret_cast<const std::byte*>(unmask_model_@name@);
  return {begin, static_cast<std::size_t>(reinterpret_cast<const std::byte*>(unmask_model_@name@_end) - begin)};
}
}  // namespace unmask_models
]] @ONLY)
  file(SIZE "${file}" size)
  file(CONFIGURE OUTPUT "${folder}/${name}.cpp" CONTENT [[#if defined(__APPLE__)
#define NAME(x) "_" #x
#define SECTION ".const_data\n"
#define TYPE(x)
#define SIZE(x, n)
#elif defined(__wasm__)
#define NAME(x) #x
#define SECTION ".section .rodata.unmask_model_@name@,\"\",@\n"
#define TYPE(x) ".type " #x ",@object\n"
#define SIZE(x, n) ".size " #x "," #n "\n"
#else
#define NAME(x) #x
#define SECTION ".section .rodata.unmask_model_@name@,\"a\",%progbits\n"
#define TYPE(x) ".type " #x ",%object\n"
#define SIZE(x, n) ".size " #x "," #n "\n"
#endif

asm(SECTION
    ".p2align 6\n"
    ".globl " NAME(unmask_model_@name@) "\n"
    TYPE(unmask_model_@name@)
    NAME(unmask_model_@name@) ":\n"
    ".incbin \"@file@\"\n"
    SIZE(unmask_model_@name@, @size@)
    ".globl " NAME(unmask_model_@name@_end) "\n"
    TYPE(unmask_model_@name@_end)
    NAME(unmask_model_@name@_end) ":\n"
    ".byte 0\n"
    SIZE(unmask_model_@name@_end, 1)
#if !defined(__wasm__)
    ".text\n"
#endif
);
]] @ONLY)
endfunction()

function(unmask_embed_model target model)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "AS" "")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "unmask_embed_model: unknown argument ${arg_UNPARSED_ARGUMENTS}, expected AS <identifier>")
  endif()
  set(file "${model}")
  if(model MATCHES "^[A-Za-z0-9_]+$" AND NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${model}")
    set(file "${UNMASK_MODELS_DIR}/${model}.safetensors")
  endif()
  cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" NORMALIZE)
  if(NOT EXISTS "${file}")
    message(FATAL_ERROR "unmask_embed_model: no model '${model}' (looked for ${file}; UNMASK_MODELS_DIR is ${UNMASK_MODELS_DIR})")
  endif()
  if(MSVC)
    message(FATAL_ERROR "unmask_embed_model needs g++ or clang: their assembler copies the file")
  endif()
  set(name "${arg_AS}")
  if(NOT name)
    cmake_path(GET file STEM name)
  endif()
  if(NOT name MATCHES "^[A-Za-z_][A-Za-z0-9_]*$")
    message(FATAL_ERROR "unmask_embed_model: '${name}' is no identifier of C++; say AS <identifier>")
  endif()
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/unmask_embed_${target}")
  unmask_write_embedded("${file}" ${name} "${folder}")
  # a cache of objects would see the same source when the model has changed
  set_source_files_properties("${folder}/${name}.cpp" PROPERTIES OBJECT_DEPENDS "${file}"
    COMPILE_OPTIONS "-fno-lto" SKIP_UNITY_BUILD_INCLUSION ON)
  file(SHA256 "${file}" sum)
  set_property(SOURCE "${folder}/${name}.cpp" APPEND PROPERTY COMPILE_DEFINITIONS "UNMASK_MODEL_SUM=${sum}")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
  target_sources(${target} PRIVATE "${folder}/${name}.cpp")
  target_include_directories(${target} PRIVATE "${folder}")
endfunction()

if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
  cmake_path(ABSOLUTE_PATH file NORMALIZE)
  cmake_path(ABSOLUTE_PATH folder NORMALIZE)
  if(NOT EXISTS "${file}" OR NOT name MATCHES "^[A-Za-z_][A-Za-z0-9_]*$")
    message(FATAL_ERROR "unmask_embed: expected -D file=<weights> -D name=<identifier> -D folder=<output>, found '${file}', '${name}'")
  endif()
  unmask_write_embedded("${file}" ${name} "${folder}")
endif()
