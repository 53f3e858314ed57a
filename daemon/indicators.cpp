#include "daemon/indicators.h"

#include <algorithm>
#include <cstddef>

#include "daemon/text.h"
#include "detectors/flow/call.h"
#include "detectors/validate/checksums.h"
#include "detectors/validate/tokens.h"
#include "detectors/validate/url.h"

namespace tocsin {
namespace {

constexpr std::size_t kValueBytesMax = 512;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) + 1 - begin);
}

bool is_destination(const Leaf& leaf, const ToolProfile* declared) {
  if (leaf.kind != LeafKind::kString && leaf.kind != LeafKind::kNumber) return false;
  if (declared == nullptr) return flow::names_destination(leaf.path);
  const std::string_view parameter = leaf.path.substr(0, leaf.path.find('.'));
  return std::ranges::find(declared->destination, parameter) != declared->destination.end();
}

bool is_account(std::string_view value) {
  return validate::iban(value) || validate::card(value) || validate::btc_address(value);
}

// One account however it is spaced.
std::string compact(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c != ' ' && c != '-') out += c;
  }
  return out;
}

Indicator indicator_of(std::string_view value, const Redactor& redactor) {
  if (is_account(value)) {
    const std::string account = compact(value);
    return {.kind = IndicatorKind::kAccount,
            // Case tells nothing in an IBAN, and much in a wallet's address.
            .hash = redactor.hash(validate::iban(value) ? ascii_lower(account) : account)};
  }
  validate::UrlFinder urls(value, 1);
  const auto url = urls.next();
  const bool whole = url && url->text.size() == value.size() && !url->host().empty();
  return {.kind = IndicatorKind::kDestination,
          .hash = redactor.hash(whole ? std::string(url->host()) : ascii_lower(value))};
}

}  // namespace

std::vector<Indicator> indicators_of(const Event& event, const EventContext& context,
                                     const RuleInfo& rule, std::span<const Evidence> evidence,
                                     const Redactor& redactor) {
  std::vector<Indicator> out;
  if (rule.severity < Severity::kHigh) return out;
  const auto add = [&](Indicator indicator) {
    if (std::ranges::find(out, indicator) == out.end()) out.push_back(std::move(indicator));
  };
  if (rule.category == Category::kSecret && !evidence.empty()) {
    add({.kind = IndicatorKind::kCredential, .hash = evidence.front().hash});
  }
  if (event.type == EventType::kToolCall) {
    for (const Leaf& leaf : event.tool.arguments) {
      if (out.size() >= kIndicatorsMax) break;
      const std::string_view value = trimmed(leaf.text);
      if (value.empty() || value.size() > kValueBytesMax) continue;
      if (is_destination(leaf, context.tool.declared)) add(indicator_of(value, redactor));
    }
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace tocsin
