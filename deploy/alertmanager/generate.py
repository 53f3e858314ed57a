#!/usr/bin/env python3
"""Alertmanager's configuration, from who answers for each AI system.

    python3 deploy/alertmanager/generate.py --out deploy/alertmanager/alertmanager.yaml
    python3 deploy/alertmanager/generate.py --systems /etc/tocsin/systems --receivers receivers.yaml

It reads the system profiles (`owner: {contact, escalation}`) and receivers.yaml, which says how each contact and each
step of an escalation is reached.  Tickets of a system go to its contact, pages to its contact and the first step of its
escalation, alerts with `escalation: all` to every step.  All that belongs to no declared system goes to `platform`.

Alertmanager 0.25 and later.  Secrets stay in files that receivers.yaml names; one that is written out is refused.
Exit status: 0 done, 2 your mistake.  Needs PyYAML (Debian: python3-yaml).
"""

import argparse
import json
import pathlib
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLEET = ["cluster", "namespace", "job"]  # what the alerts of one fleet share, see tocsin.rules.yaml

# Settings of receivers that are secret, or hold one.  Each has a twin that ends in _file.
SECRETS = {"api_url", "api_key", "routing_key", "service_key", "bot_token", "token", "user_key", "password",
           "auth_password", "auth_secret", "credentials", "bearer_token", "secret", "secret_key", "client_secret",
           "webhook_url", "incoming_webhook_url"}

PAGE = {"group_wait": "10s", "group_interval": "1m", "repeat_interval": "30m"}
TICKET = {"group_wait": "5m", "group_interval": "1h", "repeat_interval": "24h"}

HEADER = """\
# Made by deploy/alertmanager/generate.py from the system profiles and receivers.yaml; make it anew rather than edit it.
"""


class Mistake(Exception):
    """The operator's: what is wrong, and where."""


def read_yaml(path):
    try:
        with open(path, encoding="utf-8") as stream:
            return yaml.safe_load(stream)
    except (OSError, yaml.YAMLError) as error:
        raise Mistake(f"{path}: {error}") from error


def read_profiles(folders):
    """[(system, contact, escalation)], by system.  That profiles are right otherwise is for `tocsin check` to say."""
    found = {}
    for folder in map(pathlib.Path, folders):
        paths = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]) if folder.is_dir() else [folder]
        if not paths:
            raise Mistake(f"{folder}: no system profiles")
        for path in paths:
            profile = read_yaml(path)
            owner = profile.get("owner") if isinstance(profile, dict) else None
            if not isinstance(owner, dict) or not owner.get("contact") or not profile.get("system"):
                raise Mistake(f"{path}: no `system`, or no `owner` with a `contact`: tocsin check says more")
            if profile["system"] in found:
                raise Mistake(f"{path}: system {profile['system']} has a profile already")
            found[profile["system"]] = (str(owner["contact"]), [str(step) for step in owner.get("escalation") or []])
    return [(system, *found[system]) for system in sorted(found)]


def written_secrets(value, at=""):
    """The paths of secrets that are written out."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from written_secrets(item, f"{at}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in SECRETS or (key == "url" and "@" in str(item)):
                yield f"{at}.{key}"
            yield from written_secrets(item, f"{at}.{key}")


def read_receivers(path):
    """({name: Alertmanager's receiver without its name}, names of platform's page and ticket)."""
    told = read_yaml(path)
    if not isinstance(told, dict) or set(told) != {"platform", "receivers"}:
        raise Mistake(f"{path}: `platform` and `receivers` are needed, and nothing else")
    receivers, platform = told["receivers"], told["platform"]
    if not isinstance(platform, dict) or set(platform) != {"page", "ticket"}:
        raise Mistake(f"{path}: platform: {{page: [...], ticket: [...]}} names who runs tocsin")
    for name, how in receivers.items():
        if not isinstance(how, dict) or not how or not all(
                key.endswith("_configs") and isinstance(value, list) for key, value in how.items()):
            raise Mistake(f"{path}: receivers.{name}: Alertmanager's own lists, as slack_configs: [...]")
    if secrets := list(written_secrets(receivers)):
        raise Mistake("".join(f"{path}: receivers{where} is a secret: put it into a file and name that, "
                              f"{where.rpartition('.')[2]}_file\n" for where in secrets).rstrip())
    return receivers, platform


def generate(profiles, receivers, platform, path="receivers.yaml"):
    made, missing = {}, []

    def receiver(name, contacts, asked_by):
        """Everybody of `contacts`, once, under one name."""
        joined = {"name": name}
        for contact in dict.fromkeys(contacts):
            if contact not in receivers:
                missing.append(f"{path}: no receiver {json.dumps(contact)}, which {asked_by} names")
            for kind, configs in receivers.get(contact, {}).items():
                joined.setdefault(kind, []).extend(configs)
        made[name] = joined
        return name

    routes = []
    for system, contact, escalation in profiles:
        asked_by = f"the profile of {system}"
        routes.append({
            "matchers": ['owner="system"', f"system={json.dumps(system, ensure_ascii=False)}"],
            "receiver": receiver(f"{system}/ticket", [contact], asked_by),
            "group_by": [*FLEET, "system"], **TICKET,
            "routes": [
                {"matchers": ['severity="page"', 'escalation="all"'], **PAGE,
                 "receiver": receiver(f"{system}/escalation", [contact, *escalation], asked_by)},
                {"matchers": ['severity="page"'], **PAGE,
                 "receiver": receiver(f"{system}/page", [contact, *escalation[:1]], asked_by)},
            ]})
    # Systems without a profile, too: nobody else answers for them.
    routes.append({"matchers": ['severity="page"'], "group_by": ["alertname", *FLEET], **PAGE,
                   "receiver": receiver("platform/page", platform["page"], "platform.page")})
    config = {
        "route": {"receiver": receiver("platform/ticket", platform["ticket"], "platform.ticket"),
                  "group_by": ["alertname", *FLEET], **TICKET, "routes": routes},
        "inhibit_rules": inhibit_rules(),
        "receivers": list(made.values()),
    }
    if missing:
        raise Mistake("\n".join(dict.fromkeys(missing)))
    return config


def inhibit_rules():
    blind = "TocsinLag|TocsinPartitionStuck|TocsinNotConsuming|TocsinSelfTestMissing"
    return [
        # Nothing of a fleet answers: what follows from that is known.
        {"source_matchers": ['alertname="TocsinDown"'],
         "target_matchers": [f'alertname=~"{blind}|TocsinInstanceDown|TocsinSystemSilent|TocsinDetectionLate"'],
         "equal": FLEET},
        {"source_matchers": ['alertname="TocsinInstanceDown"'],
         "target_matchers": ['alertname!="TocsinInstanceDown"', 'instance!=""'], "equal": [*FLEET, "instance"]},
        # tocsin reads nothing, or late: that is why systems seem silent and misuse is found late.
        {"source_matchers": [f'alertname=~"{blind}"'],
         "target_matchers": ['alertname=~"TocsinSystemSilent|TocsinDetectionLate"'], "equal": FLEET},
        # Somebody is at work on the worst of it: its share is no news.
        {"source_matchers": ['alertname="TocsinCriticalFinding"'],
         "target_matchers": ['alertname="TocsinPolicyViolations"'], "equal": [*FLEET, "system"]},
        {"source_matchers": ['alertname="TocsinIncidentOpen"', 'incident_severity="critical"'],
         "target_matchers": ['alertname="TocsinPolicyViolations"'], "equal": [*FLEET, "system"]},
        # What tocsin itself says of an incident has its page and its owner with it.
        {"source_matchers": ['alertname="TocsinIncident"'], "target_matchers": ['alertname="TocsinIncidentOpen"'],
         "equal": ["system", "incident_severity"]},
        # A page says more than the ticket of the same name.
        {"source_matchers": ['severity="page"'], "target_matchers": ['severity="ticket"', 'slo!=""'],
         "equal": [*FLEET, "system", "slo"]},
    ]


class Dumper(yaml.SafeDumper):
    """Written out in full: aliases are for people who edit."""

    def ignore_aliases(self, _):
        return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", action="append", metavar="PATH",
                        help="profiles, or folders of them; default: rules/systems")
    parser.add_argument("--receivers", metavar="FILE", default=pathlib.Path(__file__).parent / "receivers.yaml")
    parser.add_argument("--out", metavar="FILE", help="default: standard output")
    options = parser.parse_args()
    try:
        receivers, platform = read_receivers(options.receivers)
        config = generate(read_profiles(options.systems or [ROOT / "rules" / "systems"]), receivers, platform,
                          options.receivers)
    except Mistake as mistake:
        print(mistake, file=sys.stderr)
        return 2
    text = HEADER + yaml.dump(config, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)
    if options.out:
        pathlib.Path(options.out).write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
