#include "daemon/diagnostics.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include <nlohmann/json.hpp>

#include "daemon/text.h"

namespace tocsin {
namespace {

constexpr std::size_t kLineShown = 160;  // bytes of the offending line
constexpr std::size_t kNearWordBytesMax = 64;

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t substitute = diagonal + (a[i] == b[j] ? 0U : 1U);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substitute, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

void print_excerpt(std::ostream& out, const Diagnostic& d, std::string_view bold,
                   std::string_view reset) {
  // Tabs would put the caret elsewhere, and a long line pushes it off the screen: show a window
  // around the column.
  std::string line = d.excerpt;
  if (d.column > line.size() + 1)
    return;  // the excerpt ends before the place: a caret would point elsewhere
  std::ranges::replace(line, '\t', ' ');
  const std::size_t at = d.column > 0 ? d.column - 1 : 0;
  const std::size_t start = cut_at_character(line, at > kLineShown / 2 ? at - kLineShown / 2 : 0);
  const std::string before = printable(line.substr(start, at - start), kLineShown);
  const std::string shown = before + printable(line.substr(at), kLineShown);
  const std::string gutter = fmt::format("{:>5} | ", d.line);
  out << gutter << shown << '\n';
  std::size_t width = 0;  // in characters, not bytes
  for (std::string_view rest = before; !rest.empty(); ++width) {
    rest.remove_prefix(first_code_point(rest).length);
  }
  out << std::string(gutter.size() - 2, ' ') << "| " << std::string(width, ' ') << bold << '^'
      << reset << '\n';
}

}  // namespace

void Diagnostics::add(Diagnostic diagnostic) {
  if (diagnostic.gravity == Gravity::kError) ++errors_;
  if (kept_.size() >= kMax) {
    ++left_out_;
    return;
  }
  kept_.push_back(std::move(diagnostic));
}

void Diagnostics::sort() {
  std::ranges::stable_sort(kept_, {}, [](const Diagnostic& d) {
    return std::tuple(std::string_view(d.file), d.line, d.column);
  });
}

void print(std::ostream& out, const Diagnostics& diagnostics, bool colour) {
  const std::string_view red = colour ? "\033[1;31m" : "";
  const std::string_view yellow = colour ? "\033[1;33m" : "";
  const std::string_view bold = colour ? "\033[1m" : "";
  const std::string_view reset = colour ? "\033[0m" : "";
  for (const Diagnostic& d : diagnostics.all()) {
    out << bold << printable(d.file);
    if (d.line > 0) out << ':' << d.line << ':' << d.column;
    out << ": " << reset;
    if (d.gravity == Gravity::kError) {
      out << red << "error: " << reset;
    } else {
      out << yellow << "warning: " << reset;
    }
    out << printable(d.message, 1024) << '\n';
    if (!d.excerpt.empty()) print_excerpt(out, d, bold, reset);
    if (!d.hint.empty()) out << "        " << printable(d.hint, 1024) << '\n';
  }
  if (diagnostics.left_out() > 0) {
    out << "... and " << diagnostics.left_out() << " more, not shown\n";
  }
}

std::string to_json(const Diagnostics& diagnostics) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Diagnostic& d : diagnostics.all()) {
    list.push_back({{"gravity", d.gravity == Gravity::kError ? "error" : "warning"},
                    {"file", d.file},
                    {"line", d.line},
                    {"column", d.column},
                    {"message", d.message},
                    {"hint", d.hint}});
  }
  return list.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  if (word.size() > kNearWordBytesMax) return {};
  std::string_view best;
  // A third of the word may be wrong; more than that is another word.
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(ascii_lower(word), ascii_lower(candidate));
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string one_of(std::span<const std::string_view> words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " or " : ", ";
    out += words[i];
  }
  return out;
}

}  // namespace tocsin
