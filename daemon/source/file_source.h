// Lines of a file, of a gzip file, or of standard input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct gzFile_s;

namespace tocsin {

class FileSource {
 public:
  // `path` "-" is standard input.  Gzip or not is told from the content.  Of a line longer than
  // `line_bytes_max` that many bytes and one more are kept, so that the decoder sees that it is too
  // large.
  static std::expected<FileSource, std::string> open(const std::string& path,
                                                     std::size_t line_bytes_max);

  enum class Status : std::uint8_t { kLine, kEnd, kBroken };

  // The next line without its newline, valid until the next call.  kBroken: the file ends within a
  // gzip stream or cannot be read; `error` says more.
  Status next(std::string_view& line);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::int64_t line_number() const { return line_number_; }  // from 1
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  struct Close {
    void operator()(gzFile_s* file) const;
  };

  bool fill();

  std::string name_;
  std::unique_ptr<gzFile_s, Close> file_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  // unread bytes of the buffer
  std::size_t end_ = 0;
  std::string line_;  // a line that crosses buffers
  std::size_t line_bytes_max_ = 0;
  std::int64_t line_number_ = 0;
  std::string error_;
};

}  // namespace tocsin
