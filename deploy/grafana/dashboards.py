#!/usr/bin/env python3
"""Writes the dashboards beside it: deploy/grafana/dashboards.py; --check says whether the files are what it writes.

Each answers questions in an order, a row a question.  Raw metrics only, so that no recording rule need be loaded, and
ranges are bounded.  Gauges of incidents come from the partition's owner alone; sums over instances hold for all.

No data is not zero: a tile that has none says "cannot see".  So nothing here is `or vector(0)`; where absence means
that there is none (no open incident has no age), zero is made of a series that is there as long as tocsin sees.
"""

import argparse
import json
import pathlib
import sys

from panels import (BLIND, bars, by_name, dashboard, data_source, from_labels, graph, link, query, row, runbook,
                    severity_overrides, stat, table, text, thresholds, timeline, to_dashboard, typed, words)

FOLDER = pathlib.Path(__file__).resolve().parent

# ---------------------------------------------------------------------------------------------------------------------
# Shared

JOB = from_labels("job", "Job", 'label_values(tocsin_build_info, job)',
                  "Prometheus jobs that scrape tocsin.  All: those with `tocsin` in their name, so that one whose every "
                  "instance is down is still among them.", all_value=".*tocsin.*")
SYSTEMS = from_labels("system", "System", 'label_values(tocsin_incidents_open{job=~"$job"}, system)',
                      "AI systems with a profile; `unknown` is all others together.")
ONE_SYSTEM = from_labels("system", "System", 'label_values(tocsin_incidents_open{job=~"$job"}, system)',
                         "An AI system with a profile; `unknown` is all others together.", multi=False)
RUNBOOKS = typed("runbooks", "Runbooks", "https://tocsin.invalid/runbooks",
                 "Where you keep deploy/runbooks/: links to runbooks begin with it.")
TOCSIN = typed("tocsin", "tocsin", "http://localhost:9464", "tocsin's own HTTP port as your browser reaches it.")

# One owner a system even while instances disagree about it, as they do when profiles are rolled out: a join that fails
# would hide the incident.
OWNER = "topk by (system) (1, max by (system, owner, contact, escalation) (tocsin_system_info))"
SEVERE = 'severity=~"high|critical"'
INCIDENT_PAGE = link("tocsin's list of incidents", "${tocsin}/incidents", tab=True)
HEALTH = to_dashboard("tocsin-health", "What tocsin cannot see")

# Of the job where it is worst: one that is blind is not covered up by another that sees.
SELFTEST_AGE = "time() - min(max by (job) (tocsin_selftest_last_success_timestamp_seconds))"

# Conditions under which tocsin's silence proves nothing.  Each is 1 or 0, and absent where not even that is known.
# (words, expression, the alert whose runbook says what to do)
BLIND_SPOTS = [
    ("no self-test came through for 2 min", f"{SELFTEST_AGE} > bool 120",
     "TocsinSelfTestMissing"),
    ("an instance does not answer", "min(up) < bool 1", "TocsinInstanceDown"),
    ("partitions that nobody reads any more",
     """count(count by (job, topic, partition) (last_over_time(tocsin_kafka_lag[1h])))
        > bool count(count by (job, topic, partition) (tocsin_kafka_lag))""", "TocsinNotConsuming"),
    ("more than 10,000 records behind", "max(tocsin_kafka_lag) > bool 10000", "TocsinLag"),
    ("events were lost within 1 h", "sum(increase(tocsin_events_dropped_total[1h])) > bool 0", "TocsinEventsDropped"),
    ("over 1 % of records are no events",
     """sum(rate(tocsin_events_rejected_total[15m])) > bool
        0.01 * (sum(rate(tocsin_events_total[15m])) + sum(rate(tocsin_events_rejected_total[15m])))""",
     "TocsinEventsRejected"),
    ("a system fell silent for 15 min",
     """count((sum by (system) (rate(tocsin_events_total{type!="selftest"}[15m])) == 0) and
              (sum by (system) (rate(tocsin_events_total{type!="selftest"}[6h])) > 0)) > bool 0
        or 0 * sum(tocsin_build_info)""", "TocsinSystemSilent"),
    ("arguments of calls are not captured",
     """count(min by (system) (tocsin_content_coverage_ratio) < 0.95) > bool 0 or 0 * sum(tocsin_build_info)""",
     "TocsinContentCoverageLow"),
    ("events of systems without a profile",
     'sum(increase(tocsin_events_total{system="unknown",type!="selftest"}[1h])) > bool 0', "TocsinUnknownSystem"),
    ("instances apply different rules",
     "max(count by (job) (count by (job, sha256) (tocsin_rules_info))) > bool 1", "TocsinRulesSkew"),
    ("rules were refused at a reload", "sum(increase(tocsin_config_reload_failures_total[1h])) > bool 0",
     "TocsinReloadFailed"),
    ("sessions were forgotten for want of memory",
     'sum(increase(tocsin_sessions_evicted_total{reason="memory"}[1h])) > bool 0', "TocsinStateLimited"),
    ("open incidents were forgotten", 'sum(increase(tocsin_incidents_evicted_total{reason="open"}[1h])) > bool 0',
     "TocsinIncidentBound"),
    ("findings cannot be delivered", "sum(min_over_time(tocsin_sink_outstanding[5m])) > bool 1000",
     "TocsinDeliveryRetries"),
]

# What is not looked at, or forgotten, where a limit is reached.
BOUNDS = [
    ("layers of encoding in an event", "tocsin_decoding_limited_total"),
    ("URLs in a value", "tocsin_urls_limited_total"),
    ("what a session remembers", "tocsin_session_memory_limited_total"),
    ("correlation windows", "tocsin_correlation_windows_evicted_total"),
    ("systems learnt about", "tocsin_system_states_evicted_total"),
    ("memory of sessions", 'tocsin_sessions_evicted_total{reason="memory"}'),
    ("time of slow rules", "tocsin_rule_evaluations_passed_over_total"),
    ("what an incident remembers", "tocsin_incident_marks_lost_total"),
    ("size of an incident", "tocsin_incident_joins_refused_total"),
    ("number of incidents", 'tocsin_incidents_evicted_total{reason!="retention"}'),
]

BLIND_COUNT = " + ".join(f"({expression})" for _, expression, _ in BLIND_SPOTS)


def owned(by_system_and_severity):
    """With owner, contact and escalation beside it; without them where nobody declared one."""
    return (f"({by_system_and_severity} * on (system) group_left (owner, contact, escalation) {OWNER})"
            f" or on (system, severity) {by_system_and_severity}")


def became(outcomes):
    """Incidents of severity high and critical within a day.  `opened` is no part of such a share: it counts under the
    severity that an incident began with, and what begins as medium may be contained as critical."""
    return f'sum(increase(tocsin_incidents_total{{outcome=~"{outcomes}",system=~"$system",{SEVERE}}}[24h]))'


def quantile(share, metric, labels='system=~"$system"', span="24h", by="le"):
    """Over all that was observed within the span; NaN, shown as none, where nothing was."""
    return f"histogram_quantile({share}, sum by ({by}) (increase({metric}_bucket{{{labels}}}[{span}])))"


def oldest(labels, by=""):
    """Age of the oldest open incident, 0 where none is open."""
    return (f"(time() - min{by} (tocsin_incident_oldest_open_timestamp_seconds{{{labels}}})) "
            f"or 0 * sum{by} (tocsin_incidents_open{{{labels}}})")


def open_incidents(width, systems='system=~"$system"'):
    return table(
        "Open incidents: where, since when, whose",
        "Every system and severity with open incidents, the age of the oldest (from its first misuse event), and who "
        "answers for the system.  Click a system for its dashboard.",
        [query(owned(f"sum by (system, severity) (tocsin_incidents_open{{{systems}}} > 0)")),
         query(owned("(time() - min by (system, severity) "
                     f"(tocsin_incident_oldest_open_timestamp_seconds{{{systems}}}))"))],
        width, columns={"system": "system", "severity": "severity", "Value #A": "open", "Value #B": "oldest",
                        "owner": "owner", "contact": "contact", "escalation": "then"},
        sort="oldest", empty="no open incident: see whether the silence can be trusted",
        overrides=[by_name("oldest", unit="s", thresholds={"mode": "absolute", "steps": [
                       {"color": "text", "value": None}, {"color": "orange", "value": 300}, {"color": "red", "value": 900}]},
                           custom__cellOptions={"type": "color-text"}),
                   by_name("severity", mappings=words(vcritical=("critical", "dark-red"), vhigh=("high", "orange"),
                                                      vmedium=("medium", "yellow")),
                           custom__cellOptions={"type": "color-text"}),
                   by_name("system", links=[to_dashboard("tocsin-system", "Its dashboard", "var-system=${__value.raw}")])],
        links=[INCIDENT_PAGE, runbook("TocsinIncidentOpen")])


def alerts(width, extra=""):
    return table(
        "Alerts that fire",
        "What Prometheus fires of deploy/prometheus/tocsin.rules.yaml.  Click a name for its runbook.",
        [query("ALERTS{alertname=~\"Tocsin.*\",alertstate=\"firing\"%s}" % extra)],
        width, columns={"severity": "severity", "alertname": "alert", "system": "system"},
        sort="severity", descending=False, empty="none fires, if the rules are loaded",
        overrides=[by_name("alert", links=[link("Runbook", "${runbooks}/${__value.text}.md", tab=True)])])


def findings_by_severity(width, systems='system=~"$system"', title="Findings by severity"):
    return graph(title, "Findings that no exception covers, within 5 minutes.  Medium and above is misuse.",
                 [query(f"""sum by (severity)
                     (increase(tocsin_findings_total{{{systems},suppressed="false",severity!="info"}}[5m]))""",
                        "{{severity}}")],
                 width, "none", stacked=True, decimals=0, overrides=severity_overrides())


# ---------------------------------------------------------------------------------------------------------------------
# 1 On call

def on_call():
    tile = 4
    rows = [
        row("Is something bad happening now?  And can I trust the silence?", 5,
            stat("Open, high or critical", "Incidents that are neither contained, closed nor ended.",
                 f'sum(tocsin_incidents_open{{system=~"$system",{SEVERE}}})', tile, "none", ("green", (1, "red")),
                 links=[runbook("TocsinIncidentOpen"), INCIDENT_PAGE]),
            stat("Open for", "Since the first misuse event of the oldest open incident of severity high or critical. "
                 "The objective is containment within 15 minutes.",
                 oldest(f'system=~"$system",{SEVERE}'), tile, "s", ("green", (1, "orange"), (900, "red")),
                 mappings=words(v0=("none open", "green")), links=[runbook("TocsinIncidentUncontained")]),
            stat("Critical findings, 1 h", "An unsafe action was carried out or a secret left, whether an incident is "
                 "still open or not.",
                 'sum(increase(tocsin_findings_total{system=~"$system",severity="critical",suppressed="false"}[1h]))',
                 tile, "none", ("green", (0.5, "red")), decimals=0, links=[runbook("TocsinCriticalFinding")]),
            stat("Contained, 24 h", "Of the incidents of severity high or critical that are open, or that were "
                 "contained or ended by themselves within a day: the share that was contained.",
                 f"""{became("contained")} / ({became("contained|ended")}
                       + sum(tocsin_incidents_open{{system=~"$system",{SEVERE}}}) > 0)
                     or -1 + 0 * sum(tocsin_incidents_open)""",
                 tile, "percentunit", ("red", (0.8, "orange"), (0.95, "green")), decimals=0,
                 mappings=words(**{"v-1": ("no incident", "green")}), links=[runbook("TocsinContainmentLate")]),
            stat("Since the last self-test", "An event that tocsin sends through all its stages every 30 s.  While "
                 "this grows, silence means nothing.",
                 SELFTEST_AGE, tile, "s",
                 ("green", (90, "orange"), (120, "red")), decimals=0, links=[runbook("TocsinSelfTestMissing")]),
            stat("Silence can be trusted?", "How many of the conditions hold under which tocsin would not see misuse: "
                 "the dashboard behind the link says which.  `cannot say` when not even that is known.",
                 BLIND_COUNT, tile, "none", ("green", (1, "red")),
                 mappings=words(v0=("yes", "green"), none=("cannot say", BLIND)) +
                 [{"type": "range", "options": {"from": 1, "to": None, "result": {"color": "red", "index": 9}}}],
                 data_links=[HEALTH], links=[{**HEALTH, "title": "Which?"}])),
        row("Where, since when, and who owns it?", 9, open_incidents(16), alerts(8)),
        row("What are they doing?", 8,
            graph("Unsafe tool calls", "Calls with a finding at high or above, within 5 minutes, by system and tool.",
                  [query("""sum by (system, tool, effect)
                              (increase(tocsin_unsafe_tool_calls_total{system=~"$system"}[5m])) > 0""",
                         "{{system}}: {{tool}} ({{effect}})")], 12, "none", stacked=True, decimals=0,
                  empty="no unsafe call in this time"),
            graph("Findings at high and above, by rule", "Within 5 minutes, the ten rules with most.  The rule says what "
                  "was seen: `tocsin rules show RULE`.",
                  [query(f"""topk(10, sum by (system, rule)
                       (increase(tocsin_findings_total{{system=~"$system",{SEVERE},suppressed="false"}}[5m])) > 0)""",
                         "{{system}}: {{rule}}")], 12, "none", stacked=True, decimals=0,
                  empty="no such finding in this time")),
        row("Is it contained?", 8,
            graph("Open incidents", "By system, all severities from medium.",
                  [query('sum by (system) (tocsin_incidents_open{system=~"$system"})', "{{system}}")], 8, "none",
                  stacked=True),
            graph("What became of incidents", "Within the last hour, high and critical: opened (as such; others began "
                  "as medium), contained, ended (nobody contained it, its sessions went silent), closed (found harmless), "
                  "merged into another.",
                  [query(f"""sum by (outcome) (increase(tocsin_incidents_total{{system=~"$system",{SEVERE}}}[1h]))""",
                         "{{outcome}}")], 8, "none"),
            graph("Time to contain, 24 h", "From the first misuse event, over the incidents contained within a day.",
                  [query(quantile(0.5, "tocsin_containment_seconds"), "half within"),
                   query(quantile(0.95, "tocsin_containment_seconds"), "95 % within")], 8, "s",
                  steps=("green", (900, "red")), links=[runbook("TocsinContainmentLate")])),
        row("Why the silence can, or cannot, be trusted", 5,
            stat("Instances that answer", "Scrapes that succeed, of those that should.",
                 "sum(up) / count(up)", tile, "percentunit", ("red", (0.01, "orange"), (1, "green")), decimals=0,
                 links=[runbook("TocsinDown")]),
            stat("Records behind", "The partition that is furthest behind.", "max(tocsin_kafka_lag)", tile, "short",
                 ("green", (1000, "orange"), (10000, "red")), decimals=0, links=[runbook("TocsinLag")]),
            stat("Events lost, 24 h", "Records that were deleted before anybody read them.",
                 "sum(increase(tocsin_events_dropped_total[24h]))", tile, "short", ("green", (0.5, "red")), decimals=0,
                 links=[runbook("TocsinEventsDropped")]),
            stat("Records that are no events", "Share of the last 15 minutes that could not be decoded.",
                 """sum(rate(tocsin_events_rejected_total[15m]))
                    / (sum(rate(tocsin_events_total[15m])) + sum(rate(tocsin_events_rejected_total[15m])))""",
                 tile, "percentunit", ("green", (0.001, "orange"), (0.01, "red")), decimals=1,
                 links=[runbook("TocsinEventsRejected")]),
            stat("Calls seen with arguments", "Of recent tool calls, in the system where it is worst.  The rest are "
                 "calls whose arguments nobody captured: tocsin cannot judge those.",
                 'min(tocsin_content_coverage_ratio{system=~"$system"} >= 0)', tile, "percentunit",
                 ("red", (0.8, "orange"), (0.95, "green")), decimals=0, links=[runbook("TocsinContentCoverageLow")]),
            stat("Events a second", "What is looked at, self-tests left out.",
                 'sum(rate(tocsin_events_total{system=~"$system",type!="selftest"}[5m]))', tile, "short",
                 ("red", (0.000001, "green")), decimals=1, links=[runbook("TocsinNotConsuming")])),
    ]
    return dashboard("tocsin-oncall", "tocsin: on call",
                     "Is something bad happening now, where, since when, who owns it, is it contained, and can the "
                     "silence be trusted?", [data_source(), JOB, SYSTEMS, RUNBOOKS, TOCSIN], rows)


# ---------------------------------------------------------------------------------------------------------------------
# 2 One system

def one_system():
    mine = 'system="$system"'
    rows = [
        row("$system: whose is it, and how is it?", 5,
            table("Who answers for it", "From the system's profile, rules/systems/.",
                  [query(f"max by (owner, contact, escalation, risk, decision) (tocsin_system_info{{{mine}}})")], 9,
                  columns={"owner": "owner", "contact": "contact", "escalation": "then", "risk": "risk",
                           "decision": "decision"}),
            stat("Open incidents", "By severity.",
                 [query(f"sum by (severity) (tocsin_incidents_open{{{mine}}})", "{{severity}}")], 6, "none",
                 ("green", (1, "red")), overrides=[by_name("medium", thresholds=thresholds("green", (1, "yellow")))],
                 links=[runbook("TocsinIncidentOpen"), INCIDENT_PAGE]),
            stat("Unsafe tool calls, 1 h", "Of a thousand calls, those with a finding at high or above.",
                 f"""1000 * sum(increase(tocsin_unsafe_tool_calls_total{{{mine}}}[1h]))
                     / sum(increase(tocsin_tool_calls_total{{{mine}}}[1h]))""", 3, "none",
                 ("green", (1, "orange"), (10, "red")), decimals=1, links=[runbook("TocsinPolicyViolations")]),
            stat("Outputs against policy, 1 h", "Of a thousand outputs, those with a finding at medium or above.",
                 f"""1000 * sum(increase(tocsin_policy_violating_outputs_total{{{mine}}}[1h]))
                     / sum(increase(tocsin_outputs_total{{{mine}}}[1h]))""", 3, "none",
                 ("green", (1, "orange"), (10, "red")), decimals=1, links=[runbook("TocsinPolicyViolations")]),
            stat("Calls seen with arguments", "The rest tocsin cannot judge.",
                 f"min(tocsin_content_coverage_ratio{{{mine}}} >= 0)", 3, "percentunit",
                 ("red", (0.8, "orange"), (0.95, "green")), decimals=0, links=[runbook("TocsinContentCoverageLow")])),
        row("What is found in it?", 9,
            findings_by_severity(8, mine),
            graph("Findings by category", "Medium and above, within 5 minutes.",
                  [query(f"""sum by (category) (increase(tocsin_findings_total{{{mine},severity=~"medium|high|critical",
                       suppressed="false"}}[5m])) > 0""", "{{category}}")], 8, "none", stacked=True, decimals=0,
                  empty="no such finding in this time"),
            table("Rules that spoke, 24 h", "What each found within a day, the loudest first: `tocsin rules show RULE`.",
                  [query(f"""sum by (rule, severity, category)
                       (increase(tocsin_findings_total{{{mine},severity!="info",suppressed="false"}}[24h])) > 0""")], 8,
                  columns={"rule": "rule", "severity": "severity", "category": "category", "Value": "findings"},
                  sort="findings", empty="none spoke within a day",
                  overrides=[by_name("findings", decimals=0)])),
        row("What does it do?", 8,
            graph("Events", "A second, by type; a type that stops is a gateway that stopped telling.",
                  [query(f"sum by (type) (rate(tocsin_events_total{{{mine}}}[$__rate_interval])) > 0", "{{type}}")], 8,
                  "short", stacked=True, links=[runbook("TocsinSystemSilent")]),
            graph("Tool calls by effect", "A second.  Egress and execute change the world outside.",
                  [query(f"sum by (effect) (rate(tocsin_tool_calls_total{{{mine}}}[$__rate_interval]))", "{{effect}}")],
                  8, "short"),
            table("Tools, 1 h", "Calls, and those with a finding at high or above.  `undeclared`: not in the profile, "
                  "its effect inferred from its name.",
                  [query(f"sum by (tool, effect) (increase(tocsin_tool_calls_total{{{mine}}}[1h]) > 0)"),
                   query(f"""sum by (tool, effect) (increase(tocsin_unsafe_tool_calls_total{{{mine}}}[1h])
                             and (increase(tocsin_tool_calls_total{{{mine}}}[1h]) > 0))""")], 8,
                  columns={"tool": "tool", "effect": "effect", "Value #A": "calls", "Value #B": "unsafe"}, sort="unsafe",
                  overrides=[by_name("calls", decimals=0), by_name("unsafe", decimals=0)])),
        row("What could go wrong in it?", 8,
            graph("Live sessions: the rule of two", "Sessions that hold untrusted input, private data, an outward "
                  "effect.  With `all` three, a text can make the agent send the data away.",
                  [query(f"sum by (state) (tocsin_sessions_rule_of_two{{{mine}}})", "{{state}}")], 8, "none"),
            table("Releases", "Whether a release has more sessions with findings than the one before it, by a "
                  "sequential test.  Roll back one that has.",
                  [query(f"max by (release) (tocsin_regression_suspected{{{mine}}})")], 8,
                  columns={"release": "release", "Value": "worse than before"}, sort="worse than before",
                  empty="no release was told",
                  overrides=[by_name("worse than before", mappings=words(v0=("not shown", "text"), v1=("suspected", "red")),
                                     custom__cellOptions={"type": "color-text"})],
                  links=[runbook("TocsinRegressionSuspected")]),
            table("Guardrails that let through what tocsin found", "Within a day: the guardrail said allow, tocsin found "
                  "high or above.",
                  [query(f"sum by (guardrail) (increase(tocsin_guardrail_disagreements_total{{{mine}}}[24h])) > 0")], 8,
                  columns={"guardrail": "guardrail", "Value": "times"}, sort="times", empty="none, or no guardrail reports",
                  overrides=[by_name("times", decimals=0)], links=[runbook("TocsinGuardrailDisagreement")])),
        row("How fast is it detected and contained?", 8,
            graph("Detection, 1 h", "From the misuse event's own time, so a gateway that buffers shows here.",
                  [query(quantile(0.5, "tocsin_detection_seconds", f'{mine},severity!="info"', "1h"), "half within"),
                   query(quantile(0.95, "tocsin_detection_seconds", f'{mine},severity!="info"', "1h"), "95 % within")], 8,
                  "s", links=[runbook("TocsinDetectionLate")]),
            graph("Acknowledged, 24 h", "From the first misuse event.",
                  [query(quantile(0.5, "tocsin_acknowledge_seconds", mine), "half within"),
                   query(quantile(0.95, "tocsin_acknowledge_seconds", mine), "95 % within")], 8, "s"),
            graph("Contained, 24 h", "From the first misuse event.",
                  [query(quantile(0.5, "tocsin_containment_seconds", mine), "half within"),
                   query(quantile(0.95, "tocsin_containment_seconds", mine), "95 % within")], 8, "s",
                  links=[runbook("TocsinContainmentLate")])),
    ]
    return dashboard("tocsin-system", "tocsin: one system", "One AI system: its owner, what is found, what it does, what "
                     "could go wrong, how fast.", [data_source(), JOB, ONE_SYSTEM, RUNBOOKS, TOCSIN], rows)


# ---------------------------------------------------------------------------------------------------------------------
# 3 Incident

def incident():
    anywhere = 'system=~"$system"'
    rows = [
        row("Which incident?", 9,
            text("Open its page", "Incidents are no labels of metrics: their number has no bound.  tocsin serves the page.",
                 "### [Open incident ${incident}](${tocsin}/incidents/${incident})\n\n"
                 "Chain, blast radius, clocks and what was done about it are on that page; paste the id of the page or "
                 "alert into *Incident* above.\n\n"
                 "1. **Contain** first, read later.\n2. **Acknowledge**, so that nobody else starts.\n"
                 "3. **Look** below: does it go on?\n4. **Say** what it was: a `verdict` makes the rules better.\n\n"
                 "[All incidents](${tocsin}/incidents) · "
                 "[Runbook: contain by hand](${runbooks}/TocsinIncidentUncontained.md)", 8),
            open_incidents(16)),
        row("Does it go on?", 8,
            graph("Unsafe tool calls", "Calls with a finding at high or above, within 5 minutes.",
                  [query(f"""sum by (system, tool) (increase(tocsin_unsafe_tool_calls_total{{{anywhere}}}[5m])) > 0""",
                         "{{system}}: {{tool}}")], 12, "none", stacked=True, decimals=0,
                  empty="no unsafe call in this time"),
            graph("Findings by rule", "Medium and above, within 5 minutes: the steps of the attack.",
                  [query(f"""sum by (rule) (increase(tocsin_findings_total{{{anywhere},severity=~"medium|high|critical",
                       suppressed="false"}}[5m])) > 0""", "{{rule}}")], 12, "none", stacked=True, decimals=0,
                  empty="no such finding in this time"),
            graph("Tool calls that reach outside", "Egress and execute, a second, all of them: what it could do now.",
                  [query(f"""sum by (system, tool) (rate(tocsin_tool_calls_total{{{anywhere},
                       effect=~"egress|execute"}}[$__rate_interval])) > 0""", "{{system}}: {{tool}}")], 12, "short",
                  stacked=True),
            graph("Open incidents by severity", "Falls when somebody contains, closes, or the sessions end.",
                  [query(f"sum by (severity) (tocsin_incidents_open{{{anywhere}}})", "{{severity}}")], 12, "none",
                  stacked=True, overrides=severity_overrides())),
        row("What was done about it?", 8,
            graph("Said by people and orchestrators", "Containments, acknowledgements, verdicts and break-glass events "
                  "within 5 minutes.",
                  [query(f"""sum by (type) (increase(tocsin_events_total{{{anywhere},
                       type=~"containment|acknowledge|verdict|break_glass"}}[5m]))""", "{{type}}")], 8, "none", bars=True,
                  stacked=True),
            table("Requests for containment", "What tocsin asked orchestrators for (incidents.requests), of the incidents "
                  "it remembers.  `timed_out` and `failed`: contain by hand.",
                  [query("sum by (action, state) (tocsin_containment_requests) > 0")], 8,
                  columns={"action": "action", "state": "state", "Value": "requests"}, sort="requests",
                  empty="none asked for: requests are off, or nothing called for one",
                  links=[runbook("TocsinContainmentRequestFailed")]),
            graph("What became of incidents", "Within the last hour.  `ended`: nobody contained it, its sessions went "
                  "silent.",
                  [query(f'sum by (outcome) (increase(tocsin_incidents_total{{{anywhere}}}[1h]))', "{{outcome}}")], 8,
                  "none")),
        row("How long did it take?", 8,
            graph("Detection, 1 h", "From the misuse event's own time to its finding.",
                  [query(quantile(0.95, "tocsin_detection_seconds", f'{anywhere},severity!="info"', "1h", "severity, le"),
                         "{{severity}}")], 8, "s", overrides=severity_overrides(), links=[runbook("TocsinDetectionLate")]),
            graph("Acknowledged, 24 h", "95 % within, from the first misuse event.",
                  [query(quantile(0.95, "tocsin_acknowledge_seconds", anywhere, by="severity, le"), "{{severity}}")], 8,
                  "s", overrides=severity_overrides()),
            graph("Contained, 24 h", "95 % within, from the first misuse event.",
                  [query(quantile(0.95, "tocsin_containment_seconds", anywhere, by="severity, le"), "{{severity}}")], 8,
                  "s", overrides=severity_overrides(), links=[runbook("TocsinContainmentLate")])),
        row("Is what it shows complete?", 5,
            stat("Left out of incidents, 24 h", "Sources, ids and indicators beyond an incident's bounds, and joins "
                 "refused since the result would be too large.",
                 """sum(increase(tocsin_incident_marks_lost_total[24h]))
                    + sum(increase(tocsin_incident_joins_refused_total[24h]))""", 6, "short", ("green", (0.5, "orange")),
                 decimals=0, links=[runbook("TocsinIncidentBound")]),
            stat("Answers to nothing, 24 h", "Control events whose incident is not known and did not come: somebody "
                 "contained what tocsin knows nothing of.",
                 "sum(increase(tocsin_incident_controls_unmatched_total[24h]))", 6, "short",
                 ("green", (0.5, "orange")), decimals=0),
            stat("Forgotten while open, 24 h", "For want of room.",
                 'sum(increase(tocsin_incidents_evicted_total{reason="open"}[24h]))', 6, "short", ("green", (0.5, "red")),
                 decimals=0, links=[runbook("TocsinIncidentBound")]),
            stat("Too common to join by, 24 h", "Findings with a destination, account or credential that too many "
                 "sessions share for it to say anything.",
                 "sum(increase(tocsin_incident_common_indicators_total[24h]))", 6, "short", ("green", (0.5, "blue")),
                 decimals=0)),
    ]
    variables = [data_source(), JOB, SYSTEMS, typed("incident", "Incident", "", "The id of an incident, or the first "
                                                    "letters of it as the alert says them."), RUNBOOKS, TOCSIN]
    return dashboard("tocsin-incident", "tocsin: incident", "During an incident: does it go on, what was done about it, "
                     "how long did it take, and is what is shown complete?", variables, rows, span="now-1h", refresh="10s")


# ---------------------------------------------------------------------------------------------------------------------
# 4 Detection quality

def detection():
    some = 'system=~"$system"'
    rows = [
        row("How much is found, and how often is it unsafe?", 8,
            findings_by_severity(8),
            graph("Unsafe of all tool calls", "Share of calls with a finding at high or above, by what the tool does to "
                  "the world, over an hour.",
                  [query(f"""sum by (effect) (rate(tocsin_unsafe_tool_calls_total{{{some}}}[1h]))
                       / (sum by (effect) (rate(tocsin_tool_calls_total{{{some}}}[1h])) > 0)""", "{{effect}}")], 8,
                  "percentunit", links=[runbook("TocsinPolicyViolations")]),
            graph("Outputs against policy", "Share of outputs with a finding at medium or above, by the system's risk, "
                  "over an hour.",
                  [query(f"""sum by (risk) (rate(tocsin_policy_violating_outputs_total{{{some}}}[1h]))
                       / (sum by (risk) (rate(tocsin_outputs_total{{{some}}}[1h])) > 0)""", "{{risk}}")], 8,
                  "percentunit", links=[runbook("TocsinPolicyViolations")])),
        row("Which rules are wrong, or too loud?", 9,
            table("Precision", "True positives among a rule's judged findings of 90 days, the worst first.  Needs "
                  "`verdict` events; below the floor a rule is told one severity lower.",
                  [query("min by (rule) (tocsin_rule_precision_ratio >= 0)")], 8,
                  columns={"rule": "rule", "Value": "found right"}, sort="found right", descending=False, unit="percentunit",
                  empty="nobody has judged a finding yet"),
            table("Demoted rules", "`time`: too slow, not tried on long events.  `flood`: too loud in some system, told "
                  "as low there.  `precision`: wrong too often.",
                  [query("max by (rule, reason) (tocsin_rule_demoted) == 1")], 8,
                  columns={"rule": "rule", "reason": "because of"}, empty="no rule is demoted",
                  links=[runbook("TocsinRuleDemoted")]),
            bars("Loudest rules, 24 h", "Findings at low and above.  One that speaks all day is read by nobody.",
                 f"""topk(10, sum by (rule) (increase(tocsin_findings_total{{{some},severity!="info",
                     suppressed="false"}}[24h])) > 0)""", 8, "short", "{{rule}}",
                 empty="nothing was found within a day", links=[runbook("TocsinRuleFlood")])),
        row("Which rules work at all?", 9,
            stat("Rules that ever matched", "Of all that are loaded, since the oldest process started.  The others are "
                 "unproven on your traffic: `tocsin test` and recorded cases prove them.",
                 """sum(max by (rule) (tocsin_rule_last_match_timestamp_seconds) > bool 0)
                    / count(max by (rule) (tocsin_rule_last_match_timestamp_seconds))""", 4, "percentunit",
                 ("red", (0.000001, "blue")), decimals=0),
            table("Latest matches", "When each rule last matched, at any severity.",
                  [query("1000 * max by (rule) (tocsin_rule_last_match_timestamp_seconds) > 0")], 10,
                  columns={"rule": "rule", "Value": "last match"}, sort="last match", unit="dateTimeFromNow",
                  empty="no rule has matched yet"),
            bars("Slowest rules", "Share of a core that each takes, of what the first stage let through, over 15 minutes.",
                 "topk(10, sum by (rule) (rate(tocsin_rule_seconds_total[15m])))", 10, "percentunit", "{{rule}}",
                 steps=("blue", (0.1, "orange"), (0.25, "red")))),
        row("Is it found in time?", 8,
            graph("Detection by severity, 1 h", "95 % within, from the misuse event's own time.",
                  [query(quantile(0.95, "tocsin_detection_seconds", f'{some},severity!="info"', "1h", "severity, le"),
                         "{{severity}}")], 8, "s",
                  overrides=severity_overrides(), links=[runbook("TocsinDetectionLate")]),
            graph("Findings later than a minute", "Share of an hour's findings at medium and above.",
                  [query(f"""1 - sum by (system) (increase(tocsin_detection_seconds_bucket{{{some},
                       severity=~"medium|high|critical",le="60"}}[1h])) / (sum by (system)
                       (increase(tocsin_detection_seconds_count{{{some},severity=~"medium|high|critical"}}[1h])) > 0)""",
                         "{{system}}")], 8, "percentunit", maximum=1, empty="nothing was found in this time",
                  links=[runbook("TocsinDetectionLate")]),
            table("Releases that got worse", "More sessions with findings at medium or above than the release before, by "
                  "a sequential test.",
                  [query(f"max by (system, release) (tocsin_regression_suspected{{{some}}}) == 1")], 8,
                  columns={"system": "system", "release": "release"}, empty="none is suspected",
                  links=[runbook("TocsinRegressionSuspected")])),
        row("What was kept from you?", 8,
            graph("Folded, covered, passed over", "A minute: findings alike to an earlier one of their session; findings "
                  "under an exception; events on which a rule demoted for its cost was not tried.",
                  [query("60 * sum(rate(tocsin_findings_folded_total[$__rate_interval]))", "folded"),
                   query(f"""60 * sum(rate(tocsin_findings_total{{{some},suppressed="true"}}[$__rate_interval]))
                       or 0 * sum(tocsin_build_info)""", "under an exception"),
                   query("60 * sum(rate(tocsin_rule_evaluations_passed_over_total[$__rate_interval]))", "passed over")],
                  12, "short"),
            graph("Guardrails that let through what tocsin found", "Within an hour, by guardrail: it said allow, tocsin "
                  "found high or above.",
                  [query(f"""sum by (system, guardrail)
                       (increase(tocsin_guardrail_disagreements_total{{{some}}}[1h]))""", "{{system}}: {{guardrail}}")],
                  12, "none", empty="none, or no guardrail reports", links=[runbook("TocsinGuardrailDisagreement")])),
    ]
    return dashboard("tocsin-detection", "tocsin: detection quality", "How much is found, which rules are wrong, loud, "
                     "slow or silent, is it found in time, and what was kept from you?",
                     [data_source(), JOB, SYSTEMS, RUNBOOKS, TOCSIN], rows, span="now-24h", refresh="1m")


# ---------------------------------------------------------------------------------------------------------------------
# 5 tocsin's own health

def health():
    tile = 4
    state = words(v0=("sees", "green"), v1=("cannot see", "red"), none=("not even known", BLIND))
    runbooks = " · ".join(f"[{named}](${{runbooks}}/{alert}.md)" for named, _, alert in BLIND_SPOTS)
    rows = [
        row("What can I not see right now?", 12,
            timeline("Blind spots", "Red while the condition holds: misuse may pass unseen.  A gap: not even that is "
                     "known, since tocsin was not scraped.",
                     [query(expression, named) for named, expression, _ in BLIND_SPOTS], 17, state),
            text("What to do about each", "The runbook of each blind spot.", runbooks.replace(" · ", "\n\n"), 7)),
        row("Is it there?", 5,
            stat("Since the last self-test", "Sent every 30 s through all stages.",
                 SELFTEST_AGE, tile, "s",
                 ("green", (90, "orange"), (120, "red")), decimals=0, links=[runbook("TocsinSelfTestMissing")]),
            stat("Instances", "That answer Prometheus.", "sum(up)", tile, "none", ("red", (1, "green")),
                 links=[runbook("TocsinDown")]),
            stat("Partitions read", "Of events, by all instances together.",
                 'sum(tocsin_kafka_assigned_partitions{stage="events"})', tile, "none", ("red", (1, "green")),
                 links=[runbook("TocsinNotConsuming")]),
            stat("Records behind", "The partition furthest behind.", "max(tocsin_kafka_lag)", tile, "short",
                 ("green", (1000, "orange"), (10000, "red")), decimals=0, links=[runbook("TocsinLag")]),
            stat("Events lost, 24 h", "Deleted before anybody read them.",
                 "sum(increase(tocsin_events_dropped_total[24h]))", tile, "short", ("green", (0.5, "red")), decimals=0,
                 links=[runbook("TocsinEventsDropped")]),
            stat("Rules in force since", "When the youngest policy was loaded.",
                 "1000 * max(tocsin_config_last_reload_success_timestamp_seconds)", tile, "dateTimeFromNow", ("blue",),
                 links=[runbook("TocsinReloadFailed")])),
        row("Does it get everything?", 8,
            graph("Events by system", "A second, self-tests left out.  One that falls to zero is an agent, or a "
                  "gateway, that stopped telling.",
                  [query('sum by (system) (rate(tocsin_events_total{system=~"$system",type!="selftest"}[$__rate_interval]))',
                         "{{system}}")], 8, "short", stacked=True, links=[runbook("TocsinSystemSilent")]),
            graph("Records that are no events", "A second, by reason.  Named in the dead-letter topic, if there is one.",
                  [query("sum by (topic, reason) (rate(tocsin_events_rejected_total[$__rate_interval])) > 0",
                         "{{topic}}: {{reason}}")], 8, "short", stacked=True, empty="all records were events",
                  links=[runbook("TocsinEventsRejected")]),
            graph("Calls seen with arguments", "Share of recent tool calls, by system.  A system without calls has none.",
                  [query('min by (system) (tocsin_content_coverage_ratio{system=~"$system"} >= 0)', "{{system}}")], 8,
                  "percentunit", maximum=1, links=[runbook("TocsinContentCoverageLow")])),
        row("Does it keep up?", 8,
            graph("Lag", "Records not processed yet, by partition.",
                  [query("max by (topic, partition) (tocsin_kafka_lag)", "{{topic}}/{{partition}}")], 8, "short",
                  steps=("green", (10000, "red")), links=[runbook("TocsinLag"), runbook("TocsinPartitionStuck")]),
            graph("Partitions and rebalances", "Partitions by instance and stage, and changes of them within 5 minutes.",
                  [query("sum by (instance, stage) (tocsin_kafka_assigned_partitions)", "{{instance}} {{stage}}"),
                   query("sum(increase(tocsin_kafka_rebalances_total[5m]))", "rebalances")], 8, "none",
                  links=[runbook("TocsinNotConsuming")]),
            graph("Self-test through all stages", "From sending to arrival.",
                  [query("histogram_quantile(0.5, sum by (le) (rate(tocsin_selftest_seconds_bucket[10m])))", "half within"),
                   query("histogram_quantile(0.95, sum by (le) (rate(tocsin_selftest_seconds_bucket[10m])))",
                         "95 % within")], 8, "s", links=[runbook("TocsinSelfTestMissing")])),
        row("Does what it finds arrive?", 8,
            graph("Waiting for acknowledgement", "Findings and dead letters by sink.",
                  [query("sum by (sink) (tocsin_sink_outstanding)", "{{sink}}")], 8, "short",
                  links=[runbook("TocsinDeliveryRetries")]),
            graph("Sent again, written again", "A minute: findings refused and sent again; batches of incident changes "
                  "that were not written and are done again.",
                  [query("60 * sum by (sink) (rate(tocsin_sink_retries_total[$__rate_interval]))", "{{sink}}: sent again"),
                   query("60 * sum(rate(tocsin_sink_transactions_aborted_total[$__rate_interval]))", "written again")], 8,
                  "short", links=[runbook("TocsinDeliveryRetries")]),
            graph("Kafka's errors and fresh starts", "Within 5 minutes: errors by kind, starts elsewhere than at the "
                  "committed offset, events read again to rebuild sessions.",
                  [query("sum by (kind) (increase(tocsin_kafka_errors_total[5m]))", "{{kind}}"),
                   query("sum(increase(tocsin_kafka_offset_resets_total[5m]))", "offset resets"),
                   query("sum(increase(tocsin_events_replayed_total[5m]))", "events read again")], 8, "short")),
        row("Which bounds were reached?", 9,
            table("Bounds, 24 h", "What was not looked at, or forgotten, since a limit was reached.  Attackers may aim at "
                  "these.",
                  [query(" or ".join(f'label_replace(sum(increase({metric}[24h])), "bound", "{named}", "", "") > 0'
                                     for named, metric in BOUNDS))],
                  8, columns={"bound": "bound", "Value": "times reached"}, sort="times reached",
                  empty="no bound was reached within a day", overrides=[by_name("times reached", decimals=0)],
                  links=[runbook("TocsinStateLimited"), runbook("TocsinIncidentBound")]),
            graph("Sessions and their memory", "Live sessions; bytes of their state and of incidents, on a scale of "
                  "their own.",
                  [query("sum(tocsin_sessions_live)", "sessions"),
                   query("sum(tocsin_state_bytes)", "state"), query("sum(tocsin_incident_state_bytes)", "incidents")], 8,
                  "short", overrides=[by_name(name, unit="bytes", custom__axisPlacement="right")
                                      for name in ("state", "incidents")]),
            graph("Clocks that are wrong", "Events an hour ahead of their partition's time, or a day behind, within 5 "
                  "minutes; lone surrogates mended.",
                  [query("sum by (direction) (increase(tocsin_event_clock_skew_total[5m]))", "{{direction}}"),
                   query("sum(increase(tocsin_events_repaired_total[5m]))", "mended")], 8, "short")),
        row("The process", 8,
            graph("CPU", "Cores in use, by instance.",
                  [query("sum by (instance) (rate(process_cpu_seconds_total[$__rate_interval]))", "{{instance}}")], 6,
                  "short"),
            graph("Memory", "Resident, by instance.",
                  [query("sum by (instance) (process_resident_memory_bytes)", "{{instance}}")], 6, "bytes"),
            graph("File descriptors", "Share of those allowed, by instance.",
                  [query("max by (instance) (process_open_fds / process_max_fds)", "{{instance}}")], 6, "percentunit",
                  maximum=1),
            table("Versions and rules", "Of each instance.  Two digests for long: a rollout hangs.",
                  [query("max by (instance, version, sha256) (tocsin_rules_info)")], 6,
                  columns={"instance": "instance", "version": "version", "sha256": "rules"},
                  links=[runbook("TocsinRulesSkew")])),
    ]
    return dashboard("tocsin-health", "tocsin: what it cannot see", "tocsin's own health, as far as it bears on one "
                     "question: does its silence mean anything?", [data_source(), JOB, SYSTEMS, RUNBOOKS, TOCSIN], rows)


# ---------------------------------------------------------------------------------------------------------------------

DASHBOARDS = {"oncall": on_call, "system": one_system, "incident": incident, "detection": detection, "health": health}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 where a file differs")
    check = parser.parse_args().check
    stale = []
    for name, made in DASHBOARDS.items():
        file = FOLDER / f"{name}.json"
        wanted = json.dumps(made(), indent=2, ensure_ascii=False) + "\n"
        if not file.exists() or file.read_text(encoding="utf-8") != wanted:
            stale.append(file.name)
            if not check:
                file.write_text(wanted, encoding="utf-8")
    if check and stale:
        print(f"{', '.join(stale)}: not what dashboards.py writes; run deploy/grafana/dashboards.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
