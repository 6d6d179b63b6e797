# Build rules shared by all folders: one library per folder, tests beside the code, fuzz targets.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

option(BUILD_TESTING "Build the tests and the benchmark programs (GoogleTest, Google Benchmark)" ON)
option(DRYSTONE_FUZZ "Build the fuzz targets (clang and libFuzzer)" OFF)
option(DRYSTONE_COMPUTE_ONLY "Build base and compute alone (cross builds of the kernels)" OFF)
set(DRYSTONE_SANITIZE "" CACHE STRING "Sanitizers for everything, e.g. address,undefined")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # Clones at different paths share the cache.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      ${CCACHE_PROGRAM})
endif()

add_compile_options(-Wall -Wextra -Wno-missing-field-initializers -ffp-contract=off)
# GCC 12 sees overlapping copies in sums of strings, and uninitialized strings in lists of structs, that are not there.
add_compile_options("$<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict;-Wno-maybe-uninitialized>")
# Paths in the binary are relative to the source folder.
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
if(DRYSTONE_SANITIZE)
  add_compile_options(-fsanitize=${DRYSTONE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${DRYSTONE_SANITIZE})
endif()
if(DRYSTONE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()

# Where another version's Boost headers are installed, scripts/setup.sh unpacks ours here.
set(unpacked_boost ${CMAKE_SOURCE_DIR}/build/packages/boost)
if(EXISTS ${unpacked_boost}/complete)
  list(PREPEND CMAKE_PREFIX_PATH ${unpacked_boost}/usr)
  set(Boost_USE_STATIC_LIBS ON)
endif()

find_package(Threads REQUIRED)
if(CMAKE_CROSSCOMPILING)
  include(CrossPackages)
else()
  find_package(fmt REQUIRED)
  if(BUILD_TESTING)
    find_package(GTest REQUIRED)
  endif()
endif()
include(GoogleTest)

add_custom_target(parser_tests)

# drystone_library(NAME [SOURCES ...] [DEPS ...] [TEST_DEPS ...])
# A library of the sources of this folder (header-only while there are none). DEPS are the arrows of the house: names of
# our own libraries, or targets of packages. Each `x_test.cpp` beside the code goes into one test program, NAME_test;
# each `x_fuzz.cpp` is a fuzz target, x_fuzz. A folder with a fuzz target parses foreign bytes, so its tests are among
# the `parser_tests`, which ./test.sh also runs with sanitizers.
function(drystone_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;TEST_DEPS" ${ARGN})
  if(NOT ARG_SOURCES)
    file(GLOB ARG_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
    list(FILTER ARG_SOURCES EXCLUDE REGEX "_test\\.cpp$|_fuzz\\.cpp$|_bench\\.cpp$")
  endif()
  if(ARG_SOURCES)
    add_library(drystone_${name} STATIC ${ARG_SOURCES})
    set(scope PUBLIC)
  else()
    add_library(drystone_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(drystone_${name} ${scope} ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(drystone_${name} ${scope} fmt::fmt Threads::Threads)
  foreach(dep ${ARG_DEPS})
    if(TARGET ${dep})
      target_link_libraries(drystone_${name} ${scope} ${dep})
    else()
      target_link_libraries(drystone_${name} ${scope} drystone_${dep})
    endif()
  endforeach()

  file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_test.cpp)
  file(GLOB fuzzers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_fuzz.cpp)
  if(tests AND BUILD_TESTING)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE drystone_${name} GTest::gtest_main ${ARG_TEST_DEPS})
    target_compile_definitions(${name}_test PRIVATE
        DRYSTONE_SOURCE_DIR="${CMAKE_SOURCE_DIR}" DRYSTONE_SHARED_DIR="${CMAKE_SOURCE_DIR}/../shared")
    set(label unit)
    if(fuzzers)
      set(label parser)
      add_dependencies(parser_tests ${name}_test)
    endif()
    # Parameters have names of their own; their values are raw memory where nothing prints them.
    gtest_discover_tests(${name}_test DISCOVERY_MODE PRE_TEST NO_PRETTY_VALUES
        PROPERTIES TIMEOUT 600 LABELS ${label})
  endif()

  if(DRYSTONE_FUZZ)
    foreach(source ${fuzzers})
      get_filename_component(target ${source} NAME_WE)
      add_executable(${target} EXCLUDE_FROM_ALL ${source})
      target_link_libraries(${target} PRIVATE drystone_${name})
      target_link_options(${target} PRIVATE -fsanitize=fuzzer)
      set_property(GLOBAL APPEND PROPERTY DRYSTONE_FUZZERS ${target})
    endforeach()
  endif()
endfunction()
