// What a finding may have in common with those of other sessions.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/event.h"
#include "daemon/finding.h"
#include "daemon/redact.h"
#include "detectors/detector.h"

namespace tocsin {

// Of a finding at high and above, else none, since a lesser one joins nobody:
//  * where the tool call sends something: the values of its destination parameters, declared or by
//    their names; of a URL the host, of an e-mail address and a host the lower-case form;
//  * among these, what is the number of an account or card or a wallet's address is an `account`;
//  * of a finding in the category `secret` what it matched.
// Sorted, each once, kIndicatorsMax at most; values of more than 512 bytes are passed over.
std::vector<Indicator> indicators_of(const Event& event, const EventContext& context,
                                     const RuleInfo& rule, std::span<const Evidence> evidence,
                                     const Redactor& redactor);

}  // namespace tocsin
