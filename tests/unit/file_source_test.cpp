#include "daemon/source/file_source.h"

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/unit/catch.h"
#include "tests/unit/temp_dir.h"

namespace tocsin {
namespace {

using Strings = std::vector<std::string>;

std::string gzipped(std::string_view text) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string in(text);
  std::string out(deflateBound(&stream, in.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

struct Lines {
  Strings lines;
  FileSource::Status status = FileSource::Status::kEnd;  // the last one
  std::string error;
  std::int64_t line_number = 0;
};

Lines read_all(const std::filesystem::path& path, std::size_t line_bytes_max = 1000) {
  auto source = FileSource::open(path.string(), line_bytes_max);
  REQUIRE(source.has_value());
  FileSource moved = std::move(*source);
  CHECK(moved.name() == path.string());
  Lines out;
  std::string_view line;
  while ((out.status = moved.next(line)) == FileSource::Status::kLine) {
    out.lines.emplace_back(line);
    REQUIRE(moved.line_number() == static_cast<std::int64_t>(out.lines.size()));
  }
  out.error = moved.error();
  out.line_number = moved.line_number();
  return out;
}

TEST_CASE("lines of a file, plain or gzipped") {
  struct Row {
    std::string_view what;
    std::string text;
    Strings lines;
  };
  const Row rows[] = {
      {"empty", "", {}},
      {"one line", "a\n", {"a"}},
      {"no newline at the end", "a\nb", {"a", "b"}},
      {"only a newline", "\n", {""}},
      {"empty lines", "\na\n\n\nb\n\n", {"", "a", "", "", "b", ""}},
      {"CRLF", "a\r\nb\r\n", {"a\r", "b\r"}},  // JSON does not mind white space at its end
      {"NUL and high bytes", std::string("a\0b\n\xff\n", 6), {std::string("a\0b", 3), "\xff"}},
      {"one byte", "x", {"x"}},
  };
  const testing::TempDir dir;
  for (const Row& row : rows) {
    for (const bool zipped : {false, true}) {
      CAPTURE(row.what, zipped);
      const auto file = dir.write("file", zipped ? gzipped(row.text) : row.text);
      const Lines got = read_all(file);
      CHECK(got.lines == row.lines);
      CHECK(got.status == FileSource::Status::kEnd);
      CHECK(got.error.empty());
    }
  }
}

TEST_CASE("gzip members one behind the other are one file") {
  const testing::TempDir dir;
  const Lines got = read_all(dir.write("f.gz", gzipped("a\nb") + gzipped("c\nd\n")));
  CHECK(got.lines == Strings{"a", "bc", "d"});
  CHECK(got.status == FileSource::Status::kEnd);
}

TEST_CASE("of a line that is too long the limit and one byte are kept") {
  const testing::TempDir dir;
  constexpr std::size_t kMax = 10;
  // Long enough to cross the source's buffers, which hold a megabyte.
  const std::size_t sizes[] = {9, 10, 11, 12, 100, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20};
  for (const std::size_t size : sizes) {
    for (const bool final_newline : {true, false}) {
      CAPTURE(size, final_newline);
      const std::string line(size, 'x');
      const auto file =
          dir.write("f", "before\n" + line + "\nafter\n" + line + (final_newline ? "\n" : ""));
      const Lines got = read_all(file, kMax);
      const std::string kept(std::min(size, kMax + 1), 'x');
      CHECK(got.lines == Strings{"before", kept, "after", kept});
    }
  }
}

TEST_CASE("lines across buffers stay whole") {
  const testing::TempDir dir;
  Strings lines;
  std::string text;
  for (std::size_t i = 0; text.size() < (std::size_t{3} << 20); ++i) {
    lines.emplace_back((i * 7919) % 5000, static_cast<char>('a' + i % 26));
    text += lines.back() + "\n";
  }
  for (const bool zipped : {false, true}) {
    const Lines got = read_all(dir.write("f", zipped ? gzipped(text) : text), 5000);
    CHECK((got.lines == lines));
    CHECK(got.status == FileSource::Status::kEnd);
  }
}

TEST_CASE("a gzip file that was cut gives its lines and then says so") {
  const testing::TempDir dir;
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "line " + std::to_string(i * 7919 % 5003) + "\n";
  const std::string whole = gzipped(text);
  for (const std::size_t keep : {whole.size() - 1, whole.size() - 8, whole.size() / 2}) {
    CAPTURE(keep, whole.size());
    const Lines got = read_all(dir.write("f.gz", std::string_view(whole).substr(0, keep)));
    CHECK(got.status == FileSource::Status::kBroken);
    CHECK(got.error.find("f.gz: ") != std::string::npos);
    CHECK(got.lines.size() > 1000);
    CHECK(got.lines[1] == "line 2916");
    // What is there is whole lines: the cut one is not passed off as a record.
    for (const std::string& line : got.lines) {
      REQUIRE(text.find(line + "\n") != std::string::npos);
    }
  }
}

TEST_CASE("a gzip file with a flipped bit is broken") {
  const testing::TempDir dir;
  std::string bytes = gzipped("some line\nanother line\n");
  bytes[bytes.size() - 6] = static_cast<char>(bytes[bytes.size() - 6] ^ 1);  // in the checksum
  const Lines got = read_all(dir.write("f.gz", bytes));
  CHECK(got.status == FileSource::Status::kBroken);
  CHECK_FALSE(got.error.empty());
}

TEST_CASE("what cannot be opened or read") {
  const testing::TempDir dir;
  const auto missing = FileSource::open((dir.path() / "none").string(), 10);
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error() == (dir.path() / "none").string() + ": No such file or directory");

  auto directory = FileSource::open(dir.path().string(), 10);
  if (directory.has_value()) {
    std::string_view line;
    CHECK(directory->next(line) == FileSource::Status::kBroken);
    CHECK(directory->error().find("directory") != std::string::npos);
  }
}

}  // namespace
}  // namespace tocsin
