// Files that are there whole or not at all.
#pragma once

#include <filesystem>
#include <string_view>

namespace tocsin {

// Writes a file that only its owner may read, and its directory when that is not there, whoever
// else writes the same.  False: it could not be written, and what was there before is there still.
bool write_whole(const std::filesystem::path& file, std::string_view content);

}  // namespace tocsin
