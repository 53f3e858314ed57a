#include "daemon/source/file_source.h"

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace tocsin {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

}  // namespace

void FileSource::Close::operator()(gzFile_s* file) const { gzclose(file); }

std::expected<FileSource, std::string> FileSource::open(const std::string& path,
                                                        std::size_t line_bytes_max) {
  FileSource source;
  source.name_ = path == "-" ? "stdin" : path;
  source.line_bytes_max_ = line_bytes_max;
  errno = 0;
  source.file_.reset(path == "-" ? gzdopen(dup(STDIN_FILENO), "rb") : gzopen(path.c_str(), "rb"));
  if (source.file_ == nullptr) {
    return std::unexpected(
        path + ": " +
        (errno != 0 ? std::generic_category().message(errno) : std::string("out of memory")));
  }
  gzbuffer(source.file_.get(), 256 << 10);
  source.buffer_.resize(kBufferBytes);
  return source;
}

bool FileSource::fill() {
  begin_ = end_ = 0;
  const int got = gzread(file_.get(), buffer_.data(), static_cast<unsigned>(buffer_.size()));
  if (got > 0) {
    end_ = static_cast<std::size_t>(got);
    return true;
  }
  int code = Z_OK;
  const char* text = gzerror(file_.get(), &code);
  if (code != Z_OK && code != Z_STREAM_END) {
    error_ = name_ + ": " +
             (code == Z_ERRNO ? std::generic_category().message(errno) : std::string(text));
  }
  return false;
}

FileSource::Status FileSource::next(std::string_view& line) {
  line_.clear();
  bool any = false;
  while (begin_ < end_ || fill()) {
    any = true;
    const char* const start = buffer_.data() + begin_;
    const auto* newline = static_cast<const char*>(std::memchr(start, '\n', end_ - begin_));
    const std::size_t length =
        newline == nullptr ? end_ - begin_ : static_cast<std::size_t>(newline - start);
    begin_ += length + (newline == nullptr ? 0 : 1);
    if (newline != nullptr && line_.empty() && length <= line_bytes_max_) {
      line = {start, length};
      ++line_number_;
      return Status::kLine;
    }
    const std::size_t room = line_bytes_max_ + 1 - line_.size();
    line_.append(start, std::min(length, room));
    if (newline == nullptr) continue;
    line = line_;
    ++line_number_;
    return Status::kLine;
  }
  if (!error_.empty()) return Status::kBroken;
  if (!any) return Status::kEnd;
  line = line_;  // the last line has no newline
  ++line_number_;
  return Status::kLine;
}

}  // namespace tocsin
