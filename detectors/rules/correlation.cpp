#include "detectors/rules/correlation.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <unordered_set>
#include <utility>

#include "daemon/text.h"

namespace tocsin {
namespace {

constexpr std::size_t kValuesMax = 64;  // of one field, an event
constexpr std::size_t kEventIdBytesMax = 64;

// One way to write a sequence of texts as one key: lengths keep "a","bc" and "ab","c" apart.
void append(std::string& key, std::string_view part) {
  key += fmt::format("{}:", part.size());
  key += part;
}

std::uint64_t group_key(const Correlation& correlation, const Event& event,
                        const Subject& subject) {
  using Key = Correlation::Key;
  std::string key;
  append(key, correlation.info.id);
  for (const Correlation::GroupBy& by : correlation.group_by) {
    switch (by.key) {
      case Key::kSession:
        append(key, event.system);
        append(key, event.session_id);
        break;
      case Key::kSystem: append(key, event.system); break;
      case Key::kTenant: append(key, event.tenant); break;
      case Key::kTool: append(key, event.tool.name); break;
      case Key::kModel: append(key, event.model); break;
      case Key::kField: append(key, subject.first_value(by.field)); break;
    }
  }
  return hash64(key);
}

bool seen_in_order(std::uint32_t wanted, std::span<const std::uint32_t> ordinals) {
  std::uint32_t next = 0;
  for (const std::uint32_t ordinal : ordinals) {
    if (ordinal == next) ++next;
    if (next == wanted) return true;
  }
  return false;
}

}  // namespace

CorrelationSet::CorrelationSet(std::vector<Correlation> correlations,
                               std::span<const RuleInfo> reportable)
    : correlations_(std::move(correlations)), members_(reportable.size()) {
  for (std::uint32_t c = 0; c < correlations_.size(); ++c) {
    for (std::uint32_t ordinal = 0; ordinal < correlations_[c].rules.size(); ++ordinal) {
      for (std::size_t i = 0; i < reportable.size(); ++i) {
        if (reportable[i].id != correlations_[c].rules[ordinal]) continue;
        members_[i].push_back({.correlation = c, .ordinal = ordinal});
      }
    }
  }
}

void CorrelationTable::on_match(std::size_t reportable, const Event& event,
                                const EventContext& context, const EventValues& values,
                                Reporter& reporter) {
  expire(event.time);
  const PatternTable no_patterns;
  const Subject subject{.event = event,
                        .context = context,
                        .values = values,
                        .patterns = no_patterns,
                        .candidates = nullptr};
  for (const CorrelationSet::Member& member : set_->members(reportable)) {
    const Correlation& correlation = set_->all()[member.correlation];
    Window& into = window(group_key(correlation, event, subject), correlation, event.time);
    Match match{.time = event.time,
                .seq = context.seq,
                .value = 0,
                .number = 0,
                .ordinal = member.ordinal,
                .event_id = std::string(
                    event.event_id.substr(0, cut_at_character(event.event_id, kEventIdBytesMax)))};
    const bool of_values = correlation.type == CorrelationType::kValueCount ||
                           correlation.type == CorrelationType::kValueSum;
    if (!of_values) add(into, match, correlation);
    std::size_t seen = 0;
    for (const Value& value : values.values()) {
      if (!of_values || seen >= kValuesMax) break;
      if (!value.chain.empty() || !correlation.field.selects(value.field, value.path)) continue;
      ++seen;
      match.value = hash64(value.text);
      const char* const end = value.text.data() + value.text.size();
      const auto parsed = std::from_chars(value.text.data(), end, match.number);
      const bool number = parsed.ec == std::errc{} && parsed.ptr == end;
      if (correlation.type == CorrelationType::kValueSum && !number) continue;
      add(into, match, correlation);
    }
    if (!holds(into, correlation)) continue;
    const Match& first = into.matches.front();
    const OriginView origin{.event_id = first.event_id, .seq = first.seq, .tool = {}};
    const std::string said = fmt::format("{} matches", into.matches.size());
    const EvidenceView evidence{
        .field = "correlation", .text = said, .decoded = {}, .origin = origin};
    reporter.report(member.correlation, std::span(&evidence, 1));
    into.matches.clear();  // the next finding needs the whole condition again
  }
}

CorrelationTable::Window& CorrelationTable::window(std::uint64_t key,
                                                   const Correlation& correlation, EventTime now) {
  const auto found = index_.find(key);
  if (found != index_.end()) {
    windows_.splice(windows_.end(), windows_, found->second);
    found->second->last = std::max(found->second->last, now);
    return *found->second;
  }
  if (windows_.size() >= kWindowsMax) {
    index_.erase(windows_.front().key);
    windows_.pop_front();
    ++evicted_;
  }
  windows_.push_back({.key = key, .last = now, .timespan = correlation.timespan, .matches = {}});
  index_.emplace(key, std::prev(windows_.end()));
  return windows_.back();
}

// Windows of different lengths share the list, so one that is over may wait behind a longer one;
// `add` looks at times by itself, this only frees memory.
void CorrelationTable::expire(EventTime now) {
  watermark_ = std::max(watermark_, now);
  while (!windows_.empty() && windows_.front().last + windows_.front().timespan < watermark_) {
    index_.erase(windows_.front().key);
    windows_.pop_front();
  }
}

void CorrelationTable::add(Window& window, Match match, const Correlation& correlation) {
  const EventTime newest =
      window.matches.empty() ? match.time : std::max(match.time, window.matches.back().time);
  const EventTime oldest = newest - correlation.timespan;
  std::erase_if(window.matches, [&](const Match& each) { return each.time < oldest; });
  if (match.time < oldest) return;  // late by more than the timespan
  const auto at = std::ranges::upper_bound(window.matches, match.time, {}, &Match::time);
  window.matches.insert(at, std::move(match));
  if (window.matches.size() > Correlation::kMatchesMax) {
    window.matches.erase(window.matches.begin());
  }
}

bool CorrelationTable::holds(const Window& window, const Correlation& correlation) {
  const std::vector<Match>& matches = window.matches;
  if (matches.empty()) return false;
  switch (correlation.type) {
    case CorrelationType::kEventCount:
      return correlation.condition.holds(static_cast<double>(matches.size()));
    case CorrelationType::kValueCount: {
      std::unordered_set<std::uint64_t> distinct;
      for (const Match& match : matches) distinct.insert(match.value);
      return correlation.condition.holds(static_cast<double>(distinct.size()));
    }
    case CorrelationType::kValueSum: {
      double sum = 0;
      for (const Match& match : matches) sum += match.number;
      return correlation.condition.holds(sum);
    }
    case CorrelationType::kTemporal: {
      std::uint64_t seen = 0;
      for (const Match& match : matches) seen |= std::uint64_t{1} << match.ordinal;
      return seen + 1 == std::uint64_t{1} << correlation.rules.size();
    }
    case CorrelationType::kTemporalOrdered: {
      std::vector<std::uint32_t> ordinals;
      ordinals.reserve(matches.size());
      for (const Match& match : matches) ordinals.push_back(match.ordinal);
      return seen_in_order(static_cast<std::uint32_t>(correlation.rules.size()), ordinals);
    }
  }
  return false;
}

}  // namespace tocsin
