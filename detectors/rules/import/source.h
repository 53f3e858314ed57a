// Where rules written for another tool are, and which of them are wanted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/finding.h"

namespace tocsin {

enum class ImportFormat : std::uint8_t {
  kGitleaks,  // a gitleaks.toml
  kAtr,       // a folder of Agent Threat Rules, or a package of them as npm unpacks it
};
inline constexpr std::array<std::string_view, 2> kImportFormatNames = {"gitleaks", "atr"};

struct ImportSource {
  static constexpr std::size_t kFilesMax = 20'000;
  static constexpr std::size_t kBytesMax = std::size_t{64} << 20;  // of all its files

  ImportFormat format = ImportFormat::kGitleaks;
  std::filesystem::path path;
  Severity severity_max = Severity::kCritical;
  // Ids, as the file has them or as we do.  `only` empty: all.
  std::vector<std::string> only;
  std::vector<std::string> except;
};

}  // namespace tocsin
