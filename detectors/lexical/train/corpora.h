// Reads labelled recorded traffic.
#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <vector>

#include "detectors/lexical/train/samples.h"

namespace tocsin::lexical::train {

// The group of what tools were called with: commands, code, queries.
inline constexpr const char* kCodeGroup = "code";

// Appends the samples of `folder`, in the order of its events.  What a label calls an attack on a
// model is one; what it calls another kind of misuse is left out where it is a user's request.
std::expected<void, std::string> read_corpus(const std::filesystem::path& folder,
                                             std::vector<Sample>& out);

}  // namespace tocsin::lexical::train
