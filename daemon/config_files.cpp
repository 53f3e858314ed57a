#include "daemon/config_files.h"

#include <fmt/format.h>

#include <cstddef>
#include <fstream>

namespace tocsin {
namespace {

constexpr std::size_t kBytesMax = std::size_t{64} << 10;

}  // namespace

std::filesystem::path resolve_path(const yaml::Node& where, const std::string& path) {
  if (where.overriding || where.source == nullptr) return path;
  return (std::filesystem::path(where.source->name).parent_path() / path).lexically_normal();
}

std::optional<std::string> read_text_file(const yaml::Node& where, std::string_view what,
                                          const std::string& path, Diagnostics& diagnostics) {
  const std::filesystem::path file = resolve_path(where, path);
  std::ifstream stream(file, std::ios::binary);
  std::string text(kBytesMax, '\0');
  if (stream) stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!stream && !stream.eof()) {
    yaml::error_at(where, fmt::format("the {} `{}` cannot be read", what, file.string()),
                   "check that it is mounted and readable by tocsin's user", diagnostics);
    return std::nullopt;
  }
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return text;
}

std::optional<std::string> read_secret(const yaml::Node& where, const std::string& path,
                                       Diagnostics& diagnostics) {
  auto text = read_text_file(where, "secret file", path, diagnostics);
  if (!text) return std::nullopt;
  while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
  return text;
}

}  // namespace tocsin
