# fmt and GoogleTest for a cross build, from what Debian's libfmt-dev and googletest ship as source: there are no packages
# of them for the other architecture.

set(fmt_headers /usr/include/fmt)
set(googletest_source /usr/src/googletest)
foreach(needed ${fmt_headers} ${googletest_source})
  if(NOT EXISTS ${needed})
    message(FATAL_ERROR "cross build: ${needed} is missing; install the packages libfmt-dev and googletest")
  endif()
endforeach()

# Only this folder of /usr/include may be seen: the rest belongs to this machine's architecture.
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/include)
file(CREATE_LINK ${fmt_headers} ${CMAKE_BINARY_DIR}/include/fmt SYMBOLIC)
add_library(fmt INTERFACE)
target_include_directories(fmt SYSTEM INTERFACE ${CMAKE_BINARY_DIR}/include)
target_compile_definitions(fmt INTERFACE FMT_HEADER_ONLY)
add_library(fmt::fmt ALIAS fmt)

if(BUILD_TESTING)
  add_subdirectory(${googletest_source} ${CMAKE_BINARY_DIR}/googletest EXCLUDE_FROM_ALL)
  if(NOT TARGET GTest::gtest_main)
    add_library(GTest::gtest_main ALIAS gtest_main)
    add_library(GTest::gmock ALIAS gmock)
  endif()
endif()
