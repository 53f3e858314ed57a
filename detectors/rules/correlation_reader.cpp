#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "detectors/rules/correlation.h"
#include "detectors/rules/rule_fields.h"

namespace tocsin {
namespace {

using yaml::MapReader;
using yaml::Node;

constexpr std::array<std::pair<std::string_view, Correlation::Key>, 5> kKeys = {{
    {"session", Correlation::Key::kSession},
    {"system", Correlation::Key::kSystem},
    {"tenant", Correlation::Key::kTenant},
    {"tool", Correlation::Key::kTool},
    {"model", Correlation::Key::kModel},
}};

// "30s", "5m", "2h", "1d": Sigma's form.
std::optional<std::chrono::microseconds> parse_timespan(std::string_view text) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stop + 1 != end || number <= 0 || number > 1'000'000) return {};
  switch (*stop) {
    case 's': return std::chrono::seconds(number);
    case 'm': return std::chrono::minutes(number);
    case 'h': return std::chrono::hours(number);
    case 'd': return std::chrono::days(number);
    default: return std::nullopt;
  }
}

class CorrelationReader {
 public:
  CorrelationReader(const Node& node, std::span<const std::string_view> known,
                    yaml::ReadContext& context)
      : node_(node),
        known_(known),
        reader_(&node, "", context),
        context_(context),
        diagnostics_(context.diagnostics) {}

  std::optional<Correlation> read(const std::vector<Correlation>& others) {
    const std::size_t errors_before = diagnostics_.errors();
    if (reader_.self() == nullptr) return std::nullopt;
    read_rule_id(reader_, made_.info.id, diagnostics_);
    const bool taken = std::ranges::find(known_, made_.info.id) != known_.end() ||
                       std::ranges::any_of(others, [&](const Correlation& other) {
                         return other.info.id == made_.info.id;
                       });
    if (taken) report_taken_id(*reader_.node("id"), made_.info.id, diagnostics_);
    made_.info.detector = "correlation";
    reader_.require("title", "one line a person understands at 3 a.m.");
    reader_.string("title", &made_.info.title);
    reader_.string("description", &made_.description);
    read_severity(reader_, made_.info.severity);
    read_category(reader_, made_.info.category);
    read_tags(reader_, made_.info.tags, diagnostics_);
    auto type = static_cast<std::size_t>(made_.type);
    if (reader_.require("type", one_of(kCorrelationTypeNames))) {
      reader_.choice("type", kCorrelationTypeNames, &type);
    }
    made_.type = static_cast<CorrelationType>(type);
    read_rules();
    read_group_by();
    read_timespan();
    read_condition();
    read_field();
    reader_.finish();
    if (node_.source != nullptr) made_.file = node_.source->name;
    made_.line = node_.line;
    if (diagnostics_.errors() > errors_before) return std::nullopt;
    return std::move(made_);
  }

 private:
  void read_rules() {
    if (!reader_.require("rules", "the ids of the rules whose matches count")) return;
    reader_.strings("rules", &made_.rules);
    const Node* node = reader_.node("rules");
    if (made_.rules.empty() || made_.rules.size() > Correlation::kRulesMax) {
      yaml::error_at(*node, fmt::format("{} rules", made_.rules.size()),
                     fmt::format("1 to {}", Correlation::kRulesMax), diagnostics_);
    }
    for (std::size_t i = 0; i < made_.rules.size(); ++i) {
      if (std::ranges::find(known_, made_.rules[i]) != known_.end()) continue;
      const std::string_view near = nearest(made_.rules[i], known_);
      const bool in_list = node->kind == Node::Kind::kSequence && i < node->items.size();
      yaml::error_at(in_list ? node->items[i] : *node,
                     fmt::format("no rule or detector reports `{}`", made_.rules[i]),
                     near.empty() ? "`tocsin rules list` shows what is loaded"
                                  : fmt::format("did you mean `{}`?", near),
                     diagnostics_);
    }
  }

  void read_group_by() {
    std::vector<std::string> names;
    if (!reader_.require("group-by", "[session], [system], [tenant], or fields")) return;
    reader_.strings("group-by", &names);
    for (const std::string& name : names) {
      const auto* key = std::ranges::find(kKeys, name, &decltype(kKeys)::value_type::first);
      if (key != kKeys.end()) {
        made_.group_by.push_back({.key = key->second, .field = {}});
        continue;
      }
      auto field = FieldSelector::parse(name);
      if (!field) {
        yaml::error_at(*reader_.node("group-by"), fmt::format("`{}` is nothing to group by", name),
                       "session, system, tenant, tool, model, or a field", diagnostics_);
        continue;
      }
      made_.group_by.push_back({.key = Correlation::Key::kField, .field = std::move(*field)});
    }
  }

  void read_timespan() {
    if (!reader_.require("timespan", "for example 5m")) return;
    std::string text;
    reader_.string("timespan", &text);
    const auto span = parse_timespan(text);
    if (span && *span <= Correlation::kTimespanMax) {
      made_.timespan = *span;
      return;
    }
    yaml::error_at(*reader_.node("timespan"), fmt::format("`{}` is not a timespan", text),
                   "a number and s, m, h or d; at most 1d", diagnostics_);
  }

  // Matches come one by one, so a condition that few matches satisfy says nothing yet: it needs a
  // lower bound.
  void read_condition() {
    const bool temporal =
        made_.type == CorrelationType::kTemporal || made_.type == CorrelationType::kTemporalOrdered;
    if (temporal) {
      if (reader_.has("condition")) {
        yaml::error_at(*reader_.node("condition"), "`condition` does not go with a temporal type",
                       "it holds when every rule has matched", diagnostics_);
      }
      return;
    }
    if (!reader_.require("condition", "{gte: N}")) return;
    MapReader bounds = reader_.map("condition");
    if (bounds.self() == nullptr) return;
    made_.condition = read_bounds(bounds, diagnostics_).value_or(NumberTest{});
    bounds.finish();
    const NumberTest& condition = made_.condition;
    const bool counts = made_.type != CorrelationType::kValueSum;
    const double lowest = condition.gte.value_or(condition.gt.value_or(-1));
    if (!condition.gt && !condition.gte) {
      yaml::error_at(*reader_.node("condition"), "a condition without a lower bound",
                     "gte or gt: it is tried at every match", diagnostics_);
    } else if (counts && (lowest < 0 || lowest > static_cast<double>(Correlation::kMatchesMax))) {
      yaml::error_at(*reader_.node("condition"), fmt::format("{} matches", lowest),
                     fmt::format("at most {}", Correlation::kMatchesMax), diagnostics_);
    }
  }

  void read_field() {
    const bool needed =
        made_.type == CorrelationType::kValueCount || made_.type == CorrelationType::kValueSum;
    if (!needed) return;  // then `finish` calls it unknown
    if (!reader_.require("field", "the field whose values are counted")) return;
    std::string text;
    reader_.string("field", &text);
    auto field = FieldSelector::parse(text);
    if (field && !field->context()) {
      made_.field = std::move(*field);
      return;
    }
    yaml::error_at(*reader_.node("field"), fmt::format("`{}` is not a field with values", text),
                   "tool.arguments.<path>, tool.result.<path>, tool.name or text", diagnostics_);
  }

  const Node& node_;
  std::span<const std::string_view> known_;
  MapReader reader_;
  yaml::ReadContext& context_;
  Diagnostics& diagnostics_;
  Correlation made_;
};

}  // namespace

void read_correlations(const Node& list, std::span<const std::string_view> known,
                       std::vector<Correlation>& out, Diagnostics& diagnostics) {
  if (list.kind == Node::Kind::kNull) return;
  if (list.kind != Node::Kind::kSequence) {
    yaml::error_at(list, "`correlations` must be a list", "start each with `- id:`", diagnostics);
    return;
  }
  yaml::ReadContext context(diagnostics);
  for (const Node& item : list.items) {
    if (auto read = CorrelationReader(item, known, context).read(out)) {
      out.push_back(std::move(*read));
    }
  }
}

}  // namespace tocsin
