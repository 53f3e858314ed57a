// A rule of a pack.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "daemon/event.h"
#include "daemon/finding.h"
#include "detectors/rules/condition.h"
#include "detectors/rules/field.h"

namespace tocsin {

// `message:` cut at its braces.
struct MessagePart {
  enum class Kind : std::uint8_t { kLiteral, kMatch, kField };
  Kind kind = Kind::kLiteral;
  std::string literal;
  FieldSelector field;
};

struct Rule {
  RuleInfo info;  // `info.severity` is the worst of `severities`
  std::string description;
  std::vector<EventType> on;
  std::array<Severity, kEventTypeCount> severities{};  // by event type; of those in `on`
  Condition where;
  std::vector<MessagePart> message;
  std::size_t examples = 0;  // that were tried when it was loaded
  std::size_t no_match_examples = 0;
  std::vector<std::string> lint_ignore;  // names of lints (lint.h) that it is meant to trip
  std::string file;                      // where it stands
  std::size_t line = 0;
  std::vector<PatternPlace> patterns;  // those of `where`, in the order they were read in
};

}  // namespace tocsin
