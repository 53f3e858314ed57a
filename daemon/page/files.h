// The files of the page, as the build put them into the program.
#pragma once

#include <string_view>

namespace tocsin::page {

std::string_view html();
std::string_view css();
std::string_view js();
std::string_view svg();

}  // namespace tocsin::page
