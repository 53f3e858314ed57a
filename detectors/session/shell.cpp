#include "detectors/session/shell.h"

#include <algorithm>

#include "detectors/decoding/chars.h"

namespace tocsin::session {
namespace {

constexpr std::string_view kEnds = ";|&\n()`";

bool is_assignment(std::string_view word) {
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos || equals == 0) return false;
  return std::ranges::all_of(word.substr(0, equals), [](char c) {
    return decoding::is_any(c, decoding::kAlnum) || c == '_';
  });
}

// Starts another program, or opens a block, and says nothing by itself.
bool is_prefix(std::string_view word) {
  constexpr std::array<std::string_view, 19> kPrefixes = {
      "sudo", "doas", "env", "nohup", "time",  "exec",    "command", "then",  "do",     "else",
      "if",   "{",    "!",   "while", "until", "timeout", "nice",    "xargs", "busybox"};
  return std::ranges::find(kPrefixes, word) != kPrefixes.end();
}

bool is_shell(std::string_view program) {
  constexpr std::array<std::string_view, 5> kShells = {"sh", "bash", "dash", "zsh", "ksh"};
  return std::ranges::find(kShells, program) != kShells.end();
}

std::string_view without_folder(std::string_view program) {
  const std::size_t slash = program.rfind('/');
  return slash == std::string_view::npos ? program : program.substr(slash + 1);
}

}  // namespace

bool SimpleCommand::has(std::string_view word) const {
  return std::find(begin(), end(), word) != end();
}

std::optional<std::string_view> ShellReader::next_word() {
  while (position_ < text_.size() && text_[position_] != '\n' &&
         decoding::is_blank(text_[position_])) {
    ++position_;
  }
  if (position_ >= text_.size()) return std::nullopt;
  if (kEnds.contains(text_[position_])) {
    ++position_;
    return std::nullopt;
  }
  const std::size_t begin = position_;
  char quote = 0;
  for (; position_ < text_.size(); ++position_) {
    const char c = text_[position_];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '\\') {
      ++position_;
    } else if (decoding::is_blank(c) || kEnds.contains(c)) {
      break;
    }
  }
  position_ = std::min(position_, text_.size());
  const std::string_view word = text_.substr(begin, position_ - begin);
  const bool quoted = word.size() >= 2 && (word.front() == '"' || word.front() == '\'') &&
                      word.back() == word.front();
  return quoted ? word.substr(1, word.size() - 2) : word;
}

const SimpleCommand* ShellReader::next() {
  SimpleCommand& command = command_;
  while (position_ < text_.size() && commands_ < kCommandsMax) {
    command.clear();
    while (const auto found = next_word()) {
      const std::string_view word = *found;
      if (!command.program.empty()) {
        command.add(word);
      } else if (const std::string_view name = without_folder(word);
                 !is_prefix(name) && !is_assignment(word) && !word.starts_with('-')) {
        command.program = name;
      }
    }
    if (is_shell(command.program) && command[0] == "-c") {
      // Read on within the word; what stands behind it waits.
      if (pending_.empty()) pending_ = text_.substr(position_);
      text_ = command[1];
      position_ = 0;
    }
    if (position_ >= text_.size() && !pending_.empty()) {
      text_ = pending_;
      pending_ = {};
      position_ = 0;
    }
    if (command.program.empty()) continue;
    ++commands_;
    return &command;
  }
  return nullptr;
}

}  // namespace tocsin::session
