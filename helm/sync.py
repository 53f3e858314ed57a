#!/usr/bin/env python3
"""Brings the chart up to date with what it is made of: alerts, dashboards, the configuration's keys, the version.

    python3 helm/sync.py            # after a change in deploy/ or of the project's version
    python3 helm/sync.py --check    # exit status 1, and which, where something is not (./dev test does it)

Helm reads nothing outside of its chart, so alerts and dashboards are copied.  The schema of `config` is made of
deploy/tocsin.yaml, which has every key with its default and what it means; all else in the schema is written by hand.
"""

import argparse
import json
import pathlib
import re
import sys

import yaml

HELM = pathlib.Path(__file__).resolve().parent
REPO = HELM.parent
CHART = HELM / "tocsin"
LIBRARY = CHART / "charts" / "tocsin-lib"

# The chart mounts these and says where they are.
CHARTS_OWN = {("http", "listen"), ("rules", "packs"), ("rules", "systems"), ("rules", "cache_dir")}
# Described beside the example that stands in a comment.
LISTS = {("webhooks",): ["name", "url"], ("rules", "imports"): []}
CHOICES = re.compile(r"^((?:\w+ \| )+\w+)")


class Configuration:
    """deploy/tocsin.yaml: its values, those in comments among them, and the comment behind each key."""

    def __init__(self, text):
        text = re.sub(r"^(  )?# ((?:webhooks|imports): \[.*)$", r"\1\2", text, flags=re.M)
        self.text, self.values = text, yaml.safe_load(text)
        self.comments, section = {}, None
        for line in text.splitlines():
            found = re.match(r"( *)([\w.]+):(.*)$", line)
            if not found:
                continue
            indent, key, rest = found.groups()
            section = key if not indent else section
            comment = re.search(r"(?:^|\s)# (.*)$", rest)
            if comment:
                self.comments[(section, key) if indent else (key,)] = comment[1].strip()

    def schema(self):
        schema = self.map_((), self.values)
        properties = schema["properties"]
        properties["kafka"] = {
            "type": "object", "description": "Any property of librdkafka; NAME_file reads it from a file.",
            "propertyNames": {"pattern": "^[a-z][a-z0-9._]*$"},
            "additionalProperties": {"type": ["string", "number", "boolean"]}}
        properties["workers"] = {"type": "integer", "minimum": 1, "maximum": 256,
                                 "description": "Consumers in a process; scale by replicas."}
        properties["detectors"] = {
            "type": "object", "description": "detectors/<id>.md describes each.", "additionalProperties": False,
            "properties": {name: self.map_(("detectors", name), options)
                           for name, options in self.values["detectors"].items()}}
        return schema | {"description": "tocsin.yaml, key by key: deploy/tocsin.yaml."}

    def map_(self, path, values):
        return {"type": "object", "additionalProperties": False,
                "properties": {key: self.value_(path + (key,), value) for key, value in values.items()
                               if path + (key,) not in CHARTS_OWN}}

    def value_(self, path, value):
        comment = self.comments.get(path, "")
        choices = CHOICES.match(comment)
        if isinstance(value, dict):
            schema = self.map_(path, value)
        elif path in LISTS:
            keys = {key: each for one in value for key, each in one.items()}
            schema = {"type": "array", "items": {**self.map_(path, keys), "required": LISTS[path]}}
            comment = ""
        elif choices:
            names = choices[1].split(" | ")
            # YAML reads on and off as true and false; the chart turns them back.
            schema = {"enum": names + ([True, False] if "on" in names else [])}
        elif isinstance(value, bool):
            schema = {"type": "boolean"}
        elif isinstance(value, int):
            schema = {"type": "integer", "minimum": 0}
        elif isinstance(value, list):
            schema = {"type": "array", "items": {"type": "string"}}
            if path == ("topics", "events"):
                schema["minItems"] = 1
        else:
            schema = {"type": "string"}
        return schema | ({"description": comment} if comment else {})


def version():
    return re.search(r"^project\(tocsin VERSION ([\d.]+)", (REPO / "CMakeLists.txt").read_text(encoding="utf-8"), re.M)[1]


def versioned(path, now):
    text = path.read_text(encoding="utf-8")
    return re.sub(r"^((?:appVersion| *version): )[\d.]+", rf"\g<1>{now}", text, flags=re.M)


def wanted():
    """What each generated file is to hold."""
    now = version()
    files = {CHART / "files" / "tocsin.rules.yaml":
             (REPO / "deploy" / "prometheus" / "tocsin.rules.yaml").read_text(encoding="utf-8")}
    for dashboard in sorted((REPO / "deploy" / "grafana").glob("*.json")):
        files[CHART / "files" / "dashboards" / dashboard.name] = dashboard.read_text(encoding="utf-8")
    for chart in (CHART, LIBRARY):
        files[chart / "Chart.yaml"] = versioned(chart / "Chart.yaml", now)
    files[LIBRARY / "templates" / "_version.tpl"] = (
        "{{- /* Of the image that goes with this library; sync.py writes it. */}}\n"
        f'{{{{- define "tocsin.lib.version" -}}}}{now}{{{{- end }}}}\n')
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    schema["properties"]["config"] = Configuration((REPO / "deploy" / "tocsin.yaml").read_text(encoding="utf-8")).schema()
    files[CHART / "values.schema.json"] = json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
    return files


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 where something differs")
    check = parser.parse_args().check
    files = wanted()
    differ = [path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    gone = [path for path in (CHART / "files").rglob("*.*") if path not in files]
    for path in differ + gone:
        print(f"{path.relative_to(REPO)}: {'is not what it is made of: python3 helm/sync.py' if check else 'written'}")
    if check:
        return 1 if differ or gone else 0
    for path in gone:
        path.unlink()
    for path in differ:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
