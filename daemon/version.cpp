#include "daemon/version.h"

namespace tocsin {

std::string version_line() {
  std::string line = "tocsin ";
  line.append(version()).append(" (commit ").append(commit());
  if (!commit_date().empty()) line.append(", ").append(commit_date());
  return line + ")";
}

}  // namespace tocsin
