// A shell command as its simple commands, without an allocation.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace tocsin::session {

// One simple command: the program's name without its folder, and its words.  Assignments before it
// and programs that only start another one (sudo, env, nohup) are left out.
class SimpleCommand {
 public:
  static constexpr std::size_t kWordsMax = 48;  // what is beyond is left out

  std::string_view program;

  [[nodiscard]] const std::string_view* begin() const { return words_.data(); }
  [[nodiscard]] const std::string_view* end() const { return words_.data() + size_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::string_view operator[](std::size_t i) const {
    return i < size_ ? words_[i] : std::string_view();
  }
  [[nodiscard]] bool has(std::string_view word) const;
  // The first words are these.
  template <typename... Words>
  [[nodiscard]] bool starts_with(Words... first) const {
    const std::array<std::string_view, sizeof...(first)> wanted = {first...};
    return size_ >= wanted.size() && std::equal(wanted.begin(), wanted.end(), words_.begin());
  }

 private:
  friend class ShellReader;
  void add(std::string_view word) {
    if (size_ < kWordsMax) words_[size_++] = word;
  }
  void clear() {
    program = {};
    size_ = 0;
  }

  std::array<std::string_view, kWordsMax> words_{};  // without the program
  std::size_t size_ = 0;
};

// Goes over the simple commands of a text.  Quotes around a word are taken off; a word that is
// itself a command (`sh -c "..."`) is read when it is the argument of a shell.
class ShellReader {
 public:
  static constexpr std::size_t kCommandsMax = 4096;  // of a text; what is beyond is not read

  explicit ShellReader(std::string_view text) : text_(text) {}

  // Null at the end; valid until the next call.
  const SimpleCommand* next();

 private:
  // Nothing at the end of a simple command.
  std::optional<std::string_view> next_word();

  std::string_view text_;
  std::size_t position_ = 0;
  std::size_t commands_ = 0;
  SimpleCommand command_;
  std::string_view pending_;  // behind the command within
};

}  // namespace tocsin::session
