# Writes what a build is, if that has changed: cmake -D SOURCE=... -D VERSION=... -D OUT=... [-D COMMIT=...] -P version.cmake
#
# Runs at every build, since a commit changes nothing that a build depends on.  COMMIT says it where there is no git (the
# image's build, an unpacked archive); SOURCE_DATE_EPOCH then says the day.
cmake_minimum_required(VERSION 3.25)

set(commit unknown)
set(date "")
if(NOT "${COMMIT}" STREQUAL "")
  if(NOT COMMIT MATCHES "^([0-9a-f]+)(-modified)?$")
    message(FATAL_ERROR "TOCSIN_COMMIT is `${COMMIT}`: give what `git rev-parse HEAD` prints, or nothing")
  endif()
  string(SUBSTRING ${CMAKE_MATCH_1} 0 12 commit)
  string(APPEND commit "${CMAKE_MATCH_2}")
  if("$ENV{SOURCE_DATE_EPOCH}" MATCHES "^[0-9]+$")
    string(TIMESTAMP date "%Y-%m-%d" UTC)  # CMake takes SOURCE_DATE_EPOCH for the time
  endif()
else()
  # In a repository that is another's, this is an unpacked archive.
  execute_process(COMMAND git -C ${SOURCE} rev-parse --show-prefix
    OUTPUT_VARIABLE prefix RESULT_VARIABLE failed ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(failed STREQUAL "0" AND prefix STREQUAL "")
    execute_process(COMMAND git -C ${SOURCE} -c log.showSignature=false log -1 --abbrev=12 --format=%h:%cs
      OUTPUT_VARIABLE head RESULT_VARIABLE failed ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(failed STREQUAL "0" AND head MATCHES "^([0-9a-f]+):([0-9]+-[0-9]+-[0-9]+)$")
      set(commit ${CMAKE_MATCH_1})
      set(date ${CMAKE_MATCH_2})
      execute_process(COMMAND git --no-optional-locks -C ${SOURCE} status --porcelain --untracked-files=no
        OUTPUT_VARIABLE changes ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
      if(changes)
        string(APPEND commit -modified)
      endif()
    endif()
  endif()
endif()

file(CONFIGURE OUTPUT ${OUT} @ONLY CONTENT
"// Written by daemon/version.cmake.
#include \"daemon/version.h\"

namespace tocsin {
std::string_view version() { return \"@VERSION@\"; }
std::string_view commit() { return \"@commit@\"; }
std::string_view commit_date() { return \"@date@\"; }
}  // namespace tocsin
")
