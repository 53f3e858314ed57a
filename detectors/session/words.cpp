#include "detectors/session/words.h"

#include <algorithm>
#include <bit>
#include <initializer_list>

#include "daemon/text.h"
#include "detectors/decoding/chars.h"
#include "detectors/validate/ascii_set.h"

namespace tocsin::session {
namespace {

using decoding::is_any;

constexpr std::string_view kAround = ".,:;!?'\"`()[]{}<>*=";
constexpr std::size_t kLastPartBytesMin = 5;  // a shorter file name is not enough to compare by

char lower(char c) { return is_any(c, decoding::kUpper) ? static_cast<char>(c + ('a' - 'A')) : c; }

// Asked for every byte of what users say: tables.
using CharSet = std::array<bool, 256>;
constexpr CharSet set_of(std::string_view characters) {
  CharSet set{};
  for (const char c : characters) set[static_cast<unsigned char>(c)] = true;
  return set;
}

// Words to look for among those of a name: a table, since every parameter of every call is asked
// for.
class KnownWords {
 public:
  constexpr explicit KnownWords(std::initializer_list<std::string_view> words) {
    for (const std::string_view word : words) {
      std::size_t at = place(word);
      while (!slots_[at].empty()) at = (at + 1) % kSlots;
      slots_[at] = word;
    }
  }
  [[nodiscard]] constexpr bool has(std::string_view word) const {
    for (std::size_t at = place(word); !slots_[at].empty(); at = (at + 1) % kSlots) {
      if (slots_[at] == word) return true;
    }
    return false;
  }

 private:
  static constexpr std::size_t kSlots = 128;  // more than the words, so that one is free

  static constexpr std::size_t place(std::string_view word) {
    if (word.empty()) return 0;
    const auto first = static_cast<unsigned char>(word.front());
    const auto last = static_cast<unsigned char>(word.back());
    return (first * std::size_t{5} + last * std::size_t{11} + word.size()) % kSlots;
  }

  std::array<std::string_view, kSlots> slots_{};
};

// Ends a value in running text and in a command.
bool is_end(char c) {
  static constexpr CharSet kEnds = set_of(" \t\n\v\f\r\"'`()[]{}<>,;|&=");
  return kEnds[static_cast<unsigned char>(c)];
}

constexpr validate::AsciiSet kSigns("0123456789@/._\\:");
bool is_sign(char c) { return kSigns.has(c); }

// From `from` on; the text's end: there is none.
std::size_t next_sign(std::string_view text, std::size_t from) {
  for (; from < text.size(); from += validate::AsciiSet::kBlock) {
    const std::uint64_t signs = kSigns.in(text, from);
    if (signs != 0) return from + static_cast<std::size_t>(std::countr_zero(signs));
  }
  return text.size();
}

// A plain word names nothing in particular.
bool is_value(std::string_view token) { return std::ranges::any_of(token, is_sign); }

std::string_view trimmed(std::string_view token) {
  while (!token.empty() && kAround.contains(token.back())) token.remove_suffix(1);
  // A leading dot belongs to a name: ".env".
  while (!token.empty() && token.front() != '.' && kAround.contains(token.front())) {
    token.remove_prefix(1);
  }
  return token;
}

}  // namespace

NameWords::NameWords(std::string_view name) {
  name = name.substr(0, kBytesMax);
  std::size_t begin = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    text_[i] = lower(c);
    const bool letter = is_any(c, decoding::kAlpha);
    if (!letter) {
      end_word(begin, i);
      begin = i + 1;
      continue;
    }
    const bool upper = is_any(c, decoding::kUpper);
    const bool after_lower = i > 0 && is_any(name[i - 1], decoding::kLower);
    const bool before_lower = i + 1 < name.size() && is_any(name[i + 1], decoding::kLower);
    // "getUser" and "HTTPGet" each are two words.
    if (upper && i > begin && (after_lower || before_lower)) {
      end_word(begin, i);
      begin = i;
    }
  }
  end_word(begin, name.size());
}

void NameWords::end_word(std::size_t begin, std::size_t end) {
  if (end <= begin || size_ == kWordsMax) return;
  words_[size_++] = {text_.data() + begin, end - begin};
}

bool NameWords::has(std::string_view word) const {
  return std::find(begin(), end(), word) != end();
}

std::optional<std::string_view> ValueFinder::next() {
  for (std::string_view* part : {&host_, &last_part_}) {
    if (part->size() < kValueBytesMin) continue;
    const std::string_view value = *part;
    *part = {};
    return value;
  }
  return next_token();
}

std::optional<std::string_view> ValueFinder::next_token() {
  while (true) {
    // Most of a text is plain words, of which nothing has to be known but that they have no sign.
    const std::size_t from = position_;
    position_ = next_sign(text_, from);
    if (position_ >= text_.size()) return std::nullopt;
    std::size_t begin = position_;
    while (begin > from && !is_end(text_[begin - 1])) --begin;
    while (position_ < text_.size() && !is_end(text_[position_])) ++position_;
    const std::string_view token = trimmed(text_.substr(begin, position_ - begin));
    if (token.size() < kValueBytesMin || !is_value(token)) continue;
    bool is_url = false;
    const std::string_view value = normal(token, is_url);
    if (value.size() < kValueBytesMin) continue;
    host_ = last_part_ = {};
    const std::size_t slash = value.rfind('/');
    if (slash != std::string_view::npos) last_part_ = value.substr(slash + 1);
    if (is_url && slash != std::string_view::npos) {
      host_ = value.substr(0, value.find_first_of("/?#:"));
    }
    return value;
  }
}

std::string_view ValueFinder::normal(std::string_view token, bool& is_url) {
  if (const std::size_t scheme = token.find("://"); scheme != std::string_view::npos) {
    token.remove_prefix(scheme + 3);
    is_url = true;
  } else if (token.front() == '@') {
    token.remove_prefix(1);  // curl's "@file", a name in a chat
  }
  token = token.substr(0, buffer_.size());
  std::ranges::transform(token, buffer_.begin(), lower);
  std::string_view value(buffer_.data(), token.size());
  if (value.starts_with("www.")) value.remove_prefix(4);
  while (value.ends_with('/')) value.remove_suffix(1);
  return value;
}

std::uint32_t value_hash(std::string_view value) {
  return static_cast<std::uint32_t>(hash64(value) >> 32U);
}

std::uint32_t object_hash(std::string_view written) {
  written = trimmed(written.substr(0, cut_at_character(written, ValueFinder::kValueBytesMax)));
  if (written.find_first_of(" \n\t") != std::string_view::npos) return value_hash(written);
  ValueFinder finder(written);
  const auto whole = finder.next();
  if (!whole) return value_hash(ascii_lower(written));
  const std::uint32_t hash = value_hash(*whole);
  const std::size_t slash = whole->rfind('/');
  const bool telling =
      slash != std::string_view::npos && whole->size() - slash - 1 >= kLastPartBytesMin;
  return telling ? value_hash(whole->substr(slash + 1)) : hash;
}

void NamedValues::add(std::string_view text, std::size_t values_max) {
  ValueFinder finder(text);
  while (values_.size() < values_max) {
    const auto value = finder.next();
    if (!value) return;
    const std::uint32_t hash = value_hash(*value);
    if (!has(hash)) values_.push_back(hash);
  }
}

bool NamedValues::has(std::uint32_t hash) const {
  return std::ranges::find(values_, hash) != values_.end();
}

bool NamedValues::has_any(std::string_view text) const {
  if (values_.empty()) return false;
  ValueFinder finder(text);
  while (const auto value = finder.next()) {
    if (has(value_hash(*value))) return true;
  }
  return false;
}

std::string_view parameter_of(std::string_view path) {
  while (true) {
    const std::size_t dot = path.rfind('.');
    const std::string_view last = dot == std::string_view::npos ? path : path.substr(dot + 1);
    const bool index =
        std::ranges::all_of(last, [](char c) { return is_any(c, decoding::kDigit); });
    if (!index || dot == std::string_view::npos) return last;
    path = path.substr(0, dot);
  }
}

bool is_destination(const Leaf& argument, const ToolContext& tool) {
  const std::string_view parameter = parameter_of(argument.path);
  if (tool.declared != nullptr) {
    // A parameter may be a map: "to" is declared, "to.email" is given.
    const std::string_view root = argument.path.substr(0, argument.path.find('.'));
    const auto& declared = tool.declared->destination;
    return std::ranges::any_of(
        declared, [&](const std::string& name) { return name == root || name == parameter; });
  }
  // Whoever stands anywhere in the name ("receiver_id"), and what a name that ends so is.
  static constexpr KnownWords kWhom({"to", "cc", "bcc", "recipient", "recipients", "payee",
                                     "invitee", "invitees", "receiver", "attendee", "attendees",
                                     "member", "beneficiary", "destination"});
  static constexpr KnownWords kWhere(
      {"url",    "uri",      "host", "hostname", "address",    "email",        "emails",
       "phone",  "channel",  "iban", "account",  "target",     "webhook",      "endpoint",
       "domain", "bucket",   "link", "website",  "site",       "participants", "contact",
       "server", "username", "user", "handle",   "participant"});
  const NameWords words(parameter);
  if (words.size() == 0) return false;
  return std::ranges::any_of(words, [](std::string_view word) { return kWhom.has(word); }) ||
         kWhere.has(*(words.end() - 1));
}

}  // namespace tocsin::session
