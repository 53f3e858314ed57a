// A text as words: the one tokenisation that the lexical models are trained on and score with.
//
// Words are lower-case and folded to what a reader takes them for: compatibility forms (full width,
// mathematical letters), accents, letters of other scripts that look like ASCII ones in a word with
// ASCII letters, tag characters; invisible characters are dropped.  Numbers, addresses and
// identifiers are what they are (`Shape`), not which.  Scripts written without blanks come as
// overlapping pairs of characters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace tocsin::lexical {

// What a word is for, whatever the language.  The lists are in word_classes.cpp.
enum class WordClass : std::uint8_t {
  kNone,
  kAction,       // base form of a verb an agent can carry out: send, delete, buy
  kOverride,     // ignore, disregard, forget
  kInstruction,  // instructions, prompt, rules, task
  kPrior,        // previous, above, earlier
  kAssistant,    // assistant, model, agent
  kUser,         // user, customer
  kSecond,       // you, your
  kFirst,        // I, my, me
  kModal,        // must, should, need
  kUrgency,      // urgent, immediately
  kAuthority,    // administrator, system, developer
  kCovert,       // secretly, silently, confirmation
  kNegation,     // not, never, without
  kOrder,        // before, after, first, instead, now
  kSecret,       // password, credentials
  kRole,         // act, pretend, character
  kReveal,       // print, repeat, reveal
  kCourtesy,     // please, kindly
  kUnbound,      // unfiltered, restrictions, ethics
  kAll,          // all, any, everything
};
inline constexpr std::size_t kWordClassCount = 21;

enum class Shape : std::uint8_t {
  kLower,
  kCapital,
  kUpper,  // three letters or more, all upper case
  kNumber,
  kIdentifier,  // letters with digits or underscores
  kAddress,     // URLs, mail addresses, host and file names
  kPair,        // two characters of a script without blanks
  kForeign,     // another script
};

// What stood between a word and the one before it, as bits.
enum Mark : std::uint16_t {
  kStart = 1,  // of the text
  kNewline = 2,
  kStop = 4,  // . and the like
  kBang = 8,
  kQuestion = 16,
  kColon = 32,
  kComma = 64,
  kQuote = 128,
  kAngle = 256,    // < > |
  kBracket = 512,  // [ ] { } ( )
  kRule = 1024,    // # * - = twice or more: a heading, a line
  kSlash = 2048,   // / and backslash
  kHidden = 4096,  // characters nobody sees, here or in the word
};

struct Word {
  std::uint64_t hash = 0;   // of the folded word, or of its shape
  std::uint64_t stem = 0;   // of its first letters; 0 when that is all of it
  std::uint32_t begin = 0;  // bytes of the text
  std::uint32_t end = 0;
  std::uint16_t marks = 0;
  WordClass word_class = WordClass::kNone;
  Shape shape = Shape::kLower;
  bool opens = false;  // a sentence, a line, a field
};

// Reads one word after the other; holds a few dozen bytes and allocates nothing.
class WordReader {
 public:
  static constexpr std::size_t kWordBytesMax = 48;  // the rest of a longer one is not looked at

  // `text`: valid UTF-8, less than 4 GiB.
  explicit WordReader(std::string_view text) : text_(text) {}

  // False: there are no more.
  bool next(Word& word);
  // The same, but `word_class` is not looked up.
  bool next_unclassed(Word& word);

 private:
  void read_marks();
  void read_ascii_mark();
  bool read_wide_mark();
  std::size_t ascii_end();
  bool read_short(Word& word);
  void read_ascii(Word& word, std::size_t end);
  void finish(Word& word);
  void read_folded(Word& word);
  void read_pair(Word& word);
  [[nodiscard]] bool opens(const Word& word) const;

  std::string_view text_;
  std::size_t at_ = 0;
  std::uint16_t marks_ = kStart;
  std::uint8_t kinds_ = 0;  // of the bytes that ascii_end() went over, as bits
};

WordClass class_of(std::uint64_t hash);

// The words of a class, blanks between them; read as any text is.
struct ClassWords {
  WordClass word_class;
  std::string_view words;
};
std::span<const ClassWords> class_words();

}  // namespace tocsin::lexical
