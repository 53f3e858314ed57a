// Files that a configuration names: where they are, and what is in the small ones.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/diagnostics.h"
#include "daemon/yaml/document.h"

namespace tocsin {

// Paths in a file are relative to that file; from the environment, to where tocsin was started.
std::filesystem::path resolve_path(const yaml::Node& where, const std::string& path);

// The file's text, 64 KiB at most; what cannot be read is reported at `where` as "the `what` ...".
std::optional<std::string> read_text_file(const yaml::Node& where, std::string_view what,
                                          const std::string& path, Diagnostics& diagnostics);

// The same without the newline that editors and `kubectl create secret` leave at its end.
std::optional<std::string> read_secret(const yaml::Node& where, const std::string& path,
                                       Diagnostics& diagnostics);

}  // namespace tocsin
