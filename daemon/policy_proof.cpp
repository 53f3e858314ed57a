#include "daemon/policy_proof.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "daemon/redact.h"
#include "daemon/whole_file.h"

namespace tocsin {
namespace {

namespace fs = std::filesystem;

// Another build may read rules otherwise.  Empty: it cannot be told.
std::string this_program() {
  struct stat facts{};
  if (::stat("/proc/self/exe", &facts) != 0) return {};
  return fmt::format("{} {} {}.{}", facts.st_ino, facts.st_size, facts.st_mtim.tv_sec,
                     facts.st_mtim.tv_nsec);
}

}  // namespace

PolicyProof::PolicyProof(const fs::path& directory, std::string_view digests) {
  const std::string program = this_program();
  if (directory.empty() || program.empty()) return;
  content_ = fmt::format("{}\n{}", program, digests);
  file_ = directory / fmt::format("rules-{}.ok", sha256_hex(content_).substr(0, 32));
}

bool PolicyProof::is_kept() const {
  if (file_.empty()) return false;
  std::ifstream in(file_, std::ios::binary);
  const std::string kept{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  return in && kept == content_;
}

void PolicyProof::keep() const {
  if (!file_.empty()) write_whole(file_, content_);
}

}  // namespace tocsin
