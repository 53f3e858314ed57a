// A TOML file as the same tree that YAML gives, so that one reader and one set of checks serve
// both.
//
// Every scalar becomes the text it was written to say (numbers shortest, booleans true and false);
// positions are those of the values, and of the keys where the parser keeps them.  Size, depth and
// count are bounded as YAML's are.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "daemon/diagnostics.h"
#include "daemon/yaml/document.h"

namespace tocsin {

// Mistakes go to `diagnostics`, and then there is no document.
std::optional<yaml::Document> parse_toml(std::string name, std::string text,
                                         Diagnostics& diagnostics, const yaml::Limits& limits = {});
std::optional<yaml::Document> load_toml(const std::filesystem::path& path, Diagnostics& diagnostics,
                                        const yaml::Limits& limits = {});

}  // namespace tocsin
