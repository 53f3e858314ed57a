// What this build is.  daemon/version.cmake finds out, at every build.
#pragma once

#include <string>
#include <string_view>

namespace tocsin {

// 0.1.0; of a build that is no release 0.1.0-dev: on the way to 0.1.0.
std::string_view version();

// Of the sources: twelve hex digits, `-modified` behind them where the sources were changed since;
// `unknown` where there was no git and nobody said.
std::string_view commit();

// The day of the commit, 2026-11-29; empty where that is unknown.
std::string_view commit_date();

// One line for people: all of it.
std::string version_line();

}  // namespace tocsin
