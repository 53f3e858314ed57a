#include "detectors/flow/call.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/text.h"
#include "detectors/detector.h"
#include "detectors/session/words.h"

namespace tocsin::flow {
namespace {

constexpr std::size_t kSensesMax = 4096;    // tools whose names were looked at, a worker
constexpr std::size_t kNameBytesMax = 256;  // of a tool's or parameter's name

bool is_noun_of(std::string_view word, std::string_view nouns) {
  while (!nouns.empty()) {
    const std::size_t end = std::min(nouns.find(' '), nouns.size());
    if (nouns.substr(0, end) == word) return true;
    nouns.remove_prefix(std::min(end + 1, nouns.size()));
  }
  return false;
}

// Acts that the things a tool works on stand for.
Acts acts_of_noun(std::string_view word) {
  if (is_noun_of(word, "money payment transaction transactions fund funds invoice bill"))
    return kPay;
  if (is_noun_of(word, "email mail message sms notification dm")) return kSend;
  if (is_noun_of(word,
                 "permission permissions access member members collaborator role participants "
                 "participant user")) {
    return kGrant;
  }
  if (is_noun_of(word, "webpage url page web http")) return kFetch;
  if (is_noun_of(word, "command shell bash terminal python code script")) return kRun;
  if (is_noun_of(word, "hotel flight restaurant car ticket reservation booking")) return kBook;
  return 0;
}

// What lets somebody in, as parameters and people name it.
constexpr std::string_view kCredentials[] = {
    "password", "passwd",   "passphrase", "passcode",   "pin",   "secret",     "credential",
    "passwort", "kennwort", "passe",      "contraseña", "senha", "wachtwoord", "parola"};

// What people speak of who want money moved.
constexpr std::string_view kMoney[] = {
    "pay",      "payment",  "money",        "transfer",  "transaction", "fund",    "invoice",
    "bill",     "rent",     "salary",       "fee",       "refund",      "deposit", "buy",
    "purchase", "wire",     "donate",       "donation",  "debt",        "loan",    "bank",
    "withdraw", "budget",   "subscription", "reimburse", "settle",      "zahlung", "miete",
    "rechnung", "geld",     "überweisung",  "paiement",  "loyer",       "facture", "argent",
    "pago",     "alquiler", "factura",      "dinero",    "pagamento",   "affitto", "fattura",
    "aluguel",  "fatura",   "betaling",     "huur",      "rekening"};

// Commands and their parts that print what is in files, on pages or in stores.
constexpr std::string_view kShows[] = {
    "cat",   "head",  "tail",     "less",   "more",    "bat",     "tac",   "nl",         "sed",
    "awk",   "grep",  "egrep",    "rg",     "ag",      "curl",    "wget",  "http",       "lynx",
    "w3m",   "links", "gh",       "glab",   "jq",      "yq",      "xxd",   "strings",    "type",
    "iwr",   "irm",   "ssh",      "psql",   "mysql",   "sqlite3", "mongo", "mongosh",    "open",
    "read",  "print", "echo",     "printf", "log",     "logs",    "show",  "diff",       "blame",
    "fetch", "view",  "describe", "aws",    "kubectl", "dig",     "mail",  "get-content"};

// Words before a command that start no program of their own.
constexpr std::string_view kPrefixes[] = {"cd", "sudo", "export", "set", "source", "time", "env"};

// In order.
std::vector<std::uint64_t> hashes_of(std::span<const std::string_view> words) {
  std::vector<std::uint64_t> hashes;
  hashes.reserve(words.size());
  for (const std::string_view word : words) hashes.push_back(token_hash(word));
  std::ranges::sort(hashes);
  return hashes;
}

bool said_any(const SessionMemory& memory, std::span<const std::uint64_t> words) {
  return std::ranges::any_of(
      words, [&memory](std::uint64_t word) { return memory.said.by(memory.mixed(word), kByUser); });
}

bool names_credential(std::string_view path) {
  for (const std::string& word : identifier_words(path.substr(0, kNameBytesMax))) {
    if (std::ranges::find(kCredentials, word) != std::end(kCredentials)) return true;
  }
  return false;
}

}  // namespace

bool said_credentials(const SessionMemory& memory) {
  static const std::vector<std::uint64_t> kWords = hashes_of(kCredentials);
  return said_any(memory, kWords);
}

bool said_money(const SessionMemory& memory) {
  static const std::vector<std::uint64_t> kWords = hashes_of(kMoney);
  return said_any(memory, kWords);
}

bool names_destination(std::string_view path) {
  static const std::array<std::uint64_t, 34> kWords = [] {
    std::array<std::uint64_t, 34> hashes{};
    constexpr std::string_view kNames[] = {
        "to",      "recipient", "cc",      "bcc",      "email",       "address",  "url",
        "uri",     "host",      "domain",  "endpoint", "webhook",     "channel",  "account",
        "iban",    "payee",     "phone",   "number",   "user",        "username", "participant",
        "invitee", "attendee",  "member",  "link",     "website",     "site",     "destination",
        "target",  "receiver",  "contact", "server",   "beneficiary", "handle"};
    static_assert(std::size(kNames) == 34);
    for (std::size_t i = 0; i < hashes.size(); ++i) hashes[i] = token_hash(kNames[i]);
    return hashes;
  }();
  for (const std::string& word : identifier_words(path.substr(0, kNameBytesMax))) {
    if (std::ranges::find(kWords, token_hash(word)) != kWords.end()) return true;
  }
  return false;
}

bool is_content(const Meaning& meaning) {
  return meaning.acts == 0 && (meaning.signs & (kStop | kOpener | kPolite | kModal | kYou |
                                                kSpeaker | kNegation | kContainer)) == 0;
}

bool Call::is_sink() const {
  if (effect != Effect::kRead) return true;
  return std::ranges::any_of(arguments, [](const Argument& argument) {
    return std::ranges::any_of(argument.tokens, [&argument](const CallToken& token) {
      return token.token.kind == TokenKind::kUrl ||
             (argument.destination && token.token.kind == TokenKind::kName);
    });
  });
}

bool Call::is_act() const {
  switch (effect) {
    case Effect::kRead: return false;
    case Effect::kExecute: return (acts & (kDelete | kGrant | kPay | kInstall)) != 0;
    case Effect::kWrite:
    case Effect::kEgress: return !inferred || (acts & ~kFetch) != 0;
  }
  return false;
}

const CallReader::Sense& CallReader::sense_of(std::string_view tool) {
  const std::uint64_t key = hash64(tool);
  if (const auto found = senses_.find(key); found != senses_.end()) return found->second;
  if (senses_.size() >= kSensesMax) senses_.clear();
  Sense sense;
  for (const std::string& word : identifier_words(tool.substr(0, kNameBytesMax))) {
    const std::uint64_t hash = token_hash(word);
    const Meaning meaning = meaning_of(hash);
    const bool verb = meaning.acts != 0 && sense.acts == 0;
    sense.looks_up |= (meaning.signs & kInforms) != 0;
    if (verb) sense.acts |= meaning.acts;
    sense.acts |= acts_of_noun(word);
    if (!verb && (meaning.signs & kStop) == 0 && hash != 0) sense.nouns.push_back(hash);
  }
  return senses_.emplace(key, std::move(sense)).first->second;
}

Call CallReader::read(const Event& event, const EventContext& context,
                      const SessionMemory& memory) {
  const Sense& sense = sense_of(event.tool.name);
  tokens_.clear();
  arguments_.clear();
  limited_ = false;
  tokens_.reserve(kTokensMax);  // spans into it stay
  for (const bool destinations : {true, false}) {
    for (const Leaf& leaf : event.tool.arguments) {
      if (leaf.kind == LeafKind::kNull || leaf.kind == LeafKind::kBoolean) continue;
      if (session::is_destination(leaf, context.tool) != destinations) continue;
      read_argument(leaf, destinations, event, sense, memory);
    }
  }
  const Effect effect = context.tool.effect;
  Call call{.effect = effect,
            .inferred = context.tool.inferred,
            .limited = limited_,
            .nouns = sense.nouns,
            .tokens = tokens_,
            .arguments = arguments_};
  if (effect == Effect::kExecute) {
    read_commands(memory, call);
  } else {
    // Of what looks something up, what else looks like a verb is a noun.
    call.acts = effect == Effect::kRead && sense.looks_up ? kFetch : sense.acts;
  }
  return call;
}

void CallReader::read_argument(const Leaf& leaf, bool destination, const Event& event,
                               const Sense& sense, const SessionMemory& memory) {
  const std::size_t first = tokens_.size();
  cut(leaf, memory);
  if (tokens_.size() == first) return;
  arguments_.push_back({.leaf = &leaf,
                        .tokens = std::span(tokens_).subspan(first),
                        .destination = destination,
                        .credential = (sense.acts & kChange) != 0 && names_credential(leaf.path),
                        .slot = memory.mixed(hash64(leaf.path, hash64(event.tool.name)))});
}

void CallReader::cut(const Leaf& leaf, const SessionMemory& memory) {
  cut_.clear();
  tokenize(leaf.text.substr(0, kTextBytesMax), cut_);
  limited_ |= leaf.text.size() > kTextBytesMax || tokens_.size() + cut_.size() > kTokensMax;
  const Lexicon& lexicon = Lexicon::get();
  for (const Token& token : cut_) {
    if (tokens_.size() >= kTokensMax) return;
    const std::uint32_t hash = memory.mixed(token.hash);
    tokens_.push_back(
        {.hash = hash,
         .token = token,
         .meaning = token.kind == TokenKind::kWord ? lexicon.find(token.hash) : Meaning{},
         .users = memory.said_by_principal(hash)});
    CallToken& made = tokens_.back();
    if (made.users) continue;
    made.seen = memory.sightings.find(hash);
    if (made.seen != nullptr) made.source = memory.source(made.seen->source);
  }
}

// The words that begin a command or statement and its parts say what it does.
void CallReader::read_commands(const SessionMemory& memory, Call& call) const {
  static const std::vector<std::uint64_t> kShowing = hashes_of(kShows);
  static const std::vector<std::uint64_t> kBefore = hashes_of(kPrefixes);
  std::size_t programs = 0;
  bool familiar = true;
  for (const Argument& argument : arguments_) {
    for (const CallToken& token : argument.tokens) {
      call.shows = call.shows || std::ranges::binary_search(kShowing, token.token.hash);
      const std::string_view before = argument.leaf->text.substr(0, token.token.begin);
      const std::size_t at = before.find_last_not_of(" .\"'");
      const bool begins = at == std::string_view::npos || before[at] == ';' || before[at] == '|' ||
                          before[at] == '&' || before[at] == '\n' || before[at] == '(';
      if (!begins) continue;
      Acts verb = token.token.inflected ? Acts{0} : token.meaning.acts;
      if (token.token.kind >= TokenKind::kName) {  // ".venv/bin/pip"
        const std::string_view path = argument.text_of(token);
        verb = meaning_of(token_hash(path.substr(path.rfind('/') + 1))).acts;
      }
      call.acts |= verb;
      if (std::ranges::binary_search(kBefore, token.token.hash)) continue;
      ++programs;
      familiar = familiar && memory.said.by(token.hash, kByAgent);
    }
  }
  call.familiar = familiar && programs > 0;
}

}  // namespace tocsin::flow
