#include "daemon/profile/effect.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/text.h"

namespace tocsin {
namespace {

struct Word {
  std::string_view text;
  Effect effect;
};

// Verbs that decide wherever in a name they stand first.
constexpr Word kVerbs[] = {
    {"add", Effect::kWrite},        {"analyze", Effect::kRead},    {"append", Effect::kWrite},
    {"approve", Effect::kEgress},   {"archive", Effect::kWrite},   {"ask", Effect::kEgress},
    {"assign", Effect::kWrite},     {"book", Effect::kEgress},     {"broadcast", Effect::kEgress},
    {"browse", Effect::kRead},      {"buy", Effect::kEgress},      {"calculate", Effect::kRead},
    {"calc", Effect::kRead},        {"call", Effect::kEgress},     {"cancel", Effect::kWrite},
    {"change", Effect::kWrite},     {"check", Effect::kRead},      {"checkout", Effect::kEgress},
    {"clear", Effect::kWrite},      {"close", Effect::kWrite},     {"compare", Effect::kRead},
    {"compute", Effect::kRead},     {"convert", Effect::kRead},    {"copy", Effect::kWrite},
    {"count", Effect::kRead},       {"create", Effect::kWrite},    {"delete", Effect::kWrite},
    {"deploy", Effect::kExecute},   {"describe", Effect::kRead},   {"disable", Effect::kWrite},
    {"display", Effect::kRead},     {"donate", Effect::kEgress},   {"download", Effect::kRead},
    {"edit", Effect::kWrite},       {"email", Effect::kEgress},    {"enable", Effect::kWrite},
    {"eval", Effect::kExecute},     {"evaluate", Effect::kRead},   {"exec", Effect::kExecute},
    {"execute", Effect::kExecute},  {"export", Effect::kEgress},   {"extract", Effect::kRead},
    {"fetch", Effect::kRead},       {"filter", Effect::kRead},     {"find", Effect::kRead},
    {"forward", Effect::kEgress},   {"get", Effect::kRead},        {"grant", Effect::kEgress},
    {"has", Effect::kRead},         {"inspect", Effect::kRead},    {"install", Effect::kExecute},
    {"insert", Effect::kWrite},     {"invite", Effect::kEgress},   {"invoke", Effect::kExecute},
    {"is", Effect::kRead},          {"kill", Effect::kExecute},    {"launch", Effect::kExecute},
    {"list", Effect::kRead},        {"load", Effect::kRead},       {"lock", Effect::kWrite},
    {"log", Effect::kWrite},        {"login", Effect::kWrite},     {"mail", Effect::kEgress},
    {"look", Effect::kRead},        {"lookup", Effect::kRead},     {"make", Effect::kWrite},
    {"mark", Effect::kWrite},       {"merge", Effect::kWrite},     {"message", Effect::kEgress},
    {"modify", Effect::kWrite},     {"move", Effect::kWrite},      {"navigate", Effect::kRead},
    {"notify", Effect::kEgress},    {"open", Effect::kRead},       {"order", Effect::kEgress},
    {"parse", Effect::kRead},       {"pay", Effect::kEgress},      {"place", Effect::kEgress},
    {"post", Effect::kEgress},      {"preview", Effect::kRead},    {"publish", Effect::kEgress},
    {"purchase", Effect::kEgress},  {"push", Effect::kEgress},     {"put", Effect::kWrite},
    {"query", Effect::kRead},       {"read", Effect::kRead},       {"reboot", Effect::kExecute},
    {"refund", Effect::kEgress},    {"register", Effect::kWrite},  {"remove", Effect::kWrite},
    {"rename", Effect::kWrite},     {"reply", Effect::kEgress},    {"request", Effect::kEgress},
    {"reschedule", Effect::kWrite}, {"reserve", Effect::kEgress},  {"reset", Effect::kWrite},
    {"restart", Effect::kExecute},  {"retrieve", Effect::kRead},   {"revoke", Effect::kWrite},
    {"run", Effect::kExecute},      {"save", Effect::kWrite},      {"scan", Effect::kRead},
    {"schedule", Effect::kWrite},   {"scrape", Effect::kRead},     {"search", Effect::kRead},
    {"sell", Effect::kEgress},      {"send", Effect::kEgress},     {"set", Effect::kWrite},
    {"share", Effect::kEgress},     {"show", Effect::kRead},       {"sort", Effect::kRead},
    {"spawn", Effect::kExecute},    {"start", Effect::kWrite},     {"stop", Effect::kWrite},
    {"store", Effect::kWrite},      {"submit", Effect::kEgress},   {"subscribe", Effect::kWrite},
    {"summarize", Effect::kRead},   {"sync", Effect::kWrite},      {"think", Effect::kRead},
    {"trade", Effect::kEgress},     {"transfer", Effect::kEgress}, {"translate", Effect::kRead},
    {"trigger", Effect::kExecute},  {"tweet", Effect::kEgress},    {"uninstall", Effect::kExecute},
    {"unlock", Effect::kWrite},     {"update", Effect::kWrite},    {"upload", Effect::kEgress},
    {"validate", Effect::kRead},    {"verify", Effect::kRead},     {"view", Effect::kRead},
    {"wire", Effect::kEgress},      {"withdraw", Effect::kEgress}, {"write", Effect::kWrite},
};

// Nouns that name what runs, for tools without a verb.
constexpr Word kNouns[] = {
    {"bash", Effect::kExecute},        {"calculator", Effect::kRead},
    {"cmd", Effect::kExecute},         {"command", Effect::kExecute},
    {"interpreter", Effect::kExecute}, {"ipython", Effect::kExecute},
    {"payment", Effect::kEgress},      {"powershell", Effect::kExecute},
    {"python", Effect::kExecute},      {"repl", Effect::kExecute},
    {"shell", Effect::kExecute},       {"sh", Effect::kExecute},
    {"sms", Effect::kEgress},          {"sql", Effect::kExecute},
    {"terminal", Effect::kExecute},    {"transaction", Effect::kEgress},
    {"webhook", Effect::kEgress},
};

std::optional<Effect> look_up(const std::vector<std::string>& words, const Word* begin,
                              const Word* end) {
  for (const std::string& word : words) {
    const Word* found = std::find_if(begin, end, [&](const Word& w) { return w.text == word; });
    if (found != end) return found->effect;
  }
  return std::nullopt;
}

// "sends" -> send, "publishes" -> publish, "modifies" -> modify.
std::string without_s(std::string word) {
  if (word.ends_with("ies")) {
    word.replace(word.size() - 3, 3, "y");
  } else if (word.ends_with("ches") || word.ends_with("shes")) {
    word.resize(word.size() - 2);
  } else if (word.ends_with('s')) {
    word.pop_back();
  }
  return word;
}

// "Sends an e-mail": the same verb, with an s.
std::optional<Effect> look_up_description(std::string_view description) {
  constexpr std::size_t kBytesRead =
      80;  // the first words say what it does; later ones give examples
  std::vector<std::string> words = identifier_words(description.substr(0, kBytesRead));
  if (words.size() > 3) words.resize(3);
  // "This is a tool that ...": says nothing about what it does.
  std::erase_if(words, [](const std::string& word) { return word == "is" || word == "has"; });
  // A description's verb only: `return_order` as a name sends something back.
  if (!words.empty() && (words.front() == "returns" || words.front() == "return")) {
    return Effect::kRead;
  }
  if (const auto effect = look_up(words, std::begin(kVerbs), std::end(kVerbs))) return effect;
  for (std::string& word : words) word = without_s(std::move(word));
  return look_up(words, std::begin(kVerbs), std::end(kVerbs));
}

// "games.update.find", "mcp__slack__post_message": what stands behind the last separator is the
// tool, the rest is where it belongs.
std::string_view last_part(std::string_view name) {
  std::size_t at = 0;
  for (const std::string_view separator : {".", "__", "/", ":"}) {
    const std::size_t found = name.rfind(separator);
    if (found != std::string_view::npos) at = std::max(at, found + separator.size());
  }
  return at < name.size() ? name.substr(at) : name;
}

// Verbs that are nouns as often: "order_status", "match_schedule".
bool is_noun_as_well(std::string_view word) {
  constexpr std::string_view kWords[] = {"book",  "call",     "log",      "mail",  "message",
                                         "order", "post",     "record",   "share", "request",
                                         "store", "schedule", "transfer", "trade", "place"};
  return std::ranges::find(kWords, word) != std::end(kWords);
}

// What is kept of something: "order_history", "transfer_status".
bool is_record(std::string_view word) {
  constexpr std::string_view kWords[] = {"history", "log", "logs", "price", "prices"};
  return std::ranges::find(kWords, word) != std::end(kWords);
}

// The same of most things, but not "post_status", "share_details", "request_info": these can be
// sent.
bool is_account_of(std::string_view word, std::string_view thing) {
  constexpr std::string_view kWords[] = {"detail", "details", "info", "status"};
  constexpr std::string_view kSending[] = {"mail", "message", "post", "request", "share"};
  return std::ranges::find(kWords, word) != std::end(kWords) &&
         std::ranges::find(kSending, thing) == std::end(kSending);
}

std::optional<Effect> look_up_name(const std::vector<std::string>& words) {
  if (words.empty()) return std::nullopt;
  // "order_status_check", "store_count": the noun that begins it is no verb.
  if (words.size() > 1 && is_noun_as_well(words.front())) {
    const std::vector<std::string> last(1, words.back());
    const auto effect = look_up(last, std::begin(kVerbs), std::end(kVerbs));
    if (effect == Effect::kRead || is_record(words.back()) ||
        is_account_of(words.back(), words.front())) {
      return Effect::kRead;
    }
  }
  // A verb opens a name ("send_money") or follows what it belongs to ("gmail_send").
  const auto effect = look_up(words, std::begin(kVerbs), std::end(kVerbs));
  // "create_payment", "execute_sql", "run_query": the noun says more than a weak verb.
  if (effect == Effect::kWrite) {
    const auto noun = look_up(words, std::begin(kNouns), std::end(kNouns));
    if (noun == Effect::kEgress) return noun;
  }
  return effect;
}

}  // namespace

Effect infer_effect(std::string_view tool_name, std::string_view description) {
  constexpr std::size_t kNameBytesMax = 256;
  const std::string_view name = tool_name.substr(0, kNameBytesMax);
  const std::vector<std::string> words = identifier_words(name);
  // `order` may be what it places or what it shows: only the description can tell.
  if (words.size() == 1 && is_noun_as_well(words.front())) {
    if (const auto effect = look_up_description(description)) return *effect;
  }
  if (const auto effect = look_up_name(identifier_words(last_part(name)))) return *effect;
  if (const auto effect = look_up_name(words)) return *effect;
  if (const auto effect = look_up(words, std::begin(kNouns), std::end(kNouns))) return *effect;
  if (const auto effect = look_up_description(description)) return *effect;
  return Effect::kWrite;
}

}  // namespace tocsin
