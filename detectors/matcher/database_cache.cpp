#include "detectors/matcher/database_cache.h"

#include <fmt/format.h>
#include <hs/hs.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "daemon/redact.h"
#include "daemon/whole_file.h"

namespace tocsin::matcher {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "tocsin-patterns-1\n";
constexpr std::uintmax_t kFileBytesMax = std::uintmax_t{512} << 20;

void append_number(std::string& out, std::uint32_t number) {
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(number >> shift & 0xFF);
}

std::optional<std::uint32_t> take_number(std::string_view& in) {
  if (in.size() < 4) return std::nullopt;
  std::uint32_t number = 0;
  for (std::size_t i = 4; i-- > 0;) number = number << 8 | static_cast<unsigned char>(in[i]);
  in.remove_prefix(4);
  return number;
}

}  // namespace

DatabaseCache::DatabaseCache(const fs::path& directory, std::string_view identity) {
  if (directory.empty()) return;
  hs_platform_info_t platform{};
  if (hs_populate_platform(&platform) != HS_SUCCESS) return;
  const std::string all = fmt::format("{}{}\n{} {:x}\n{}", kMagic, hs_version(), platform.tune,
                                      platform.cpu_features, identity);
  file_ = directory / fmt::format("patterns-{}.db", sha256_hex(all).substr(0, 32));
}

std::optional<DatabaseCache::Kept> DatabaseCache::load() const {
  std::error_code error;
  if (file_.empty() || fs::file_size(file_, error) > kFileBytesMax || error) return std::nullopt;
  std::ifstream in(file_, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  std::string_view rest = bytes;
  if (!in || !rest.starts_with(kMagic)) return std::nullopt;
  rest.remove_prefix(kMagic.size());
  Kept kept;
  const auto count = take_number(rest);
  if (!count || *count > rest.size() / 4) return std::nullopt;
  for (std::uint32_t i = 0; i < *count; ++i) kept.left_out.push_back(take_number(rest).value());
  if (hs_deserialize_database(rest.data(), rest.size(), &kept.database) != HS_SUCCESS) {
    return std::nullopt;
  }
  return kept;
}

void DatabaseCache::store(const hs_database* database,
                          std::span<const std::uint32_t> left_out) const {
  if (file_.empty()) return;
  char* bytes = nullptr;
  std::size_t size = 0;
  if (hs_serialize_database(database, &bytes, &size) != HS_SUCCESS) return;
  std::string text(kMagic);
  append_number(text, static_cast<std::uint32_t>(left_out.size()));
  for (const std::uint32_t id : left_out) append_number(text, id);
  text.append(bytes, size);
  std::free(bytes);  // NOLINT(cppcoreguidelines-no-malloc): from Hyperscan's allocator
  write_whole(file_, text);
}

}  // namespace tocsin::matcher
