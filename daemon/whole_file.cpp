#include "daemon/whole_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <system_error>

namespace tocsin {

bool write_whole(const std::filesystem::path& file, std::string_view content) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  const fs::path part = file.string() + fmt::format(".{}", ::getpid());
  std::ofstream out(part, std::ios::binary | std::ios::trunc);
  fs::permissions(part, fs::perms::owner_read | fs::perms::owner_write, error);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  out.close();
  if (out) {
    fs::rename(part, file, error);
    if (!error) return true;
  }
  fs::remove(part, error);
  return false;
}

}  // namespace tocsin
