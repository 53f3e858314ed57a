"""The vocabulary of the dashboards: panels, queries, variables, a layout that flows.  dashboards.py speaks it.

Grafana repeats all of this in every panel; here it is said once.  Widths are columns of 24, heights Grafana's rows of
30 pixels.
"""

import re

SCHEMA_VERSION = 39  # Grafana 11 writes it; later ones migrate it when they load
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

# One colour a severity, everywhere; green is for what is known to be well, never for what is not known.
SEVERITY_COLOURS = {"critical": "dark-red", "high": "orange", "medium": "yellow", "low": "blue", "info": "text"}
BLIND = "purple"  # tocsin cannot see: neither good nor bad

SELECTOR = re.compile(r"\b((?:tocsin|process)_[a-z_]+|up)\b(?!\()(\{)?")


def query(expr, legend="", table=False):
    """A target.  The selectors are confined to `$job`, so that expressions here need not say it."""
    def confined(found):
        return f'{found[1]}{{job=~"$job"' + ("," if found[2] else "}")
    return {"expr": SELECTOR.sub(confined, " ".join(expr.split())), "legend": legend, "table": table}


def targets(queries, instant):
    made = []
    for number, one in enumerate(queries):
        made.append({"refId": chr(ord("A") + number), "datasource": DATASOURCE, "editorMode": "code",
                     "expr": one["expr"], "legendFormat": one["legend"] or "__auto", "instant": instant,
                     "range": not instant,
                     "format": "table" if one["table"] else "time_series"})
    return made


def thresholds(*steps):
    """(colour) first, then (from, colour): thresholds("green", (1, "red"))."""
    made = [{"color": steps[0], "value": None}]
    made += [{"color": colour, "value": value} for value, colour in steps[1:]]
    return {"mode": "absolute", "steps": made}


def words(**texts):
    """Values as words; `none` is for no data.  words(v0=("yes", "green"), none=("cannot see", BLIND))."""
    mappings = []
    for number, (key, (text, colour)) in enumerate(texts.items()):
        shown = {"text": text, "color": colour, "index": number}
        if key == "none":
            mappings += [{"type": "special", "options": {"match": match, "result": shown}} for match in ("null", "nan")]
        else:
            mappings.append({"type": "value", "options": {key.removeprefix("v"): shown}})
    return mappings


def by_name(name, **properties):
    """An override for the field of that name; `a__b` is the property a.b."""
    return {"matcher": {"id": "byName", "options": name},
            "properties": [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()]}


def severity_overrides():
    return [by_name(severity, color={"mode": "fixed", "fixedColor": colour})
            for severity, colour in SEVERITY_COLOURS.items()]


def link(title, url, tab=False):
    return {"title": title, "url": url, "targetBlank": tab}


def runbook(alert):
    return link(f"Runbook: {alert}", f"${{runbooks}}/{alert}.md", tab=True)


def to_dashboard(uid, title, system="${system:queryparam}"):
    """Keeps the time range, the data source and the system."""
    return link(title, f"/d/{uid}?{system}&${{datasource:queryparam}}&${{job:queryparam}}&${{__url_time_range}}")


def panel(kind, title, description, queries, width, unit, *, instant, options, defaults=None, overrides=(),
          empty=None, links=(), transformations=(), data_links=()):
    made = {"type": kind, "title": title, "description": description, "datasource": DATASOURCE, "width": width,
            "targets": targets(queries, instant), "options": options,
            "fieldConfig": {"defaults": {"unit": unit, **(defaults or {})}, "overrides": list(overrides)}}
    if empty is not None:  # what it says where it is well that there is nothing
        made["fieldConfig"]["defaults"]["noValue"] = empty
    if data_links:
        made["fieldConfig"]["defaults"]["links"] = list(data_links)
    if links:
        made["links"] = [{"type": "link", "icon": "external link", "tooltip": "", "tags": [], "asDropdown": False,
                          "includeVars": False, "keepTime": False, **one} for one in links]
    if transformations:
        made["transformations"] = list(transformations)
    return made


def stat(title, description, expr, width, unit, steps, *, mappings=(), legend="", decimals=None, text="auto", **more):
    """One number, now.  No data is said to be that, in the colour of blindness, unless `empty` says it is well."""
    shown = list(mappings)
    if more.get("empty") is None and not any(one["type"] == "special" for one in shown):
        shown += words(none=("cannot see", BLIND))
    defaults = {"thresholds": thresholds(*steps), "color": {"mode": "thresholds"}, "mappings": shown}
    if decimals is not None:
        defaults["decimals"] = decimals
    queries = expr if isinstance(expr, list) else [query(expr, legend)]
    options = {"graphMode": "none", "colorMode": "background", "justifyMode": "auto", "textMode": text,
               "wideLayout": True, "showPercentChange": False, "percentChangeColorMode": "standard",
               "orientation": "auto", "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    return panel("stat", title, description, queries, width, unit, instant=True, options=options, defaults=defaults,
                 **more)


def graph(title, description, queries, width, unit, *, stacked=False, bars=False, log=False, steps=None, overrides=(),
          minimum=0, maximum=None, decimals=None, **more):
    custom = {"drawStyle": "bars" if bars else "line", "lineWidth": 1,
              "fillOpacity": 60 if bars else 15 if stacked else 5, "showPoints": "never", "spanNulls": False,
              "lineInterpolation": "stepAfter",
              "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
              "scaleDistribution": {"type": "log", "log": 10} if log else {"type": "linear"},
              "thresholdsStyle": {"mode": "line" if steps else "off"}}
    defaults = {"custom": custom, "color": {"mode": "palette-classic"}}
    if not log:
        defaults["min"] = minimum
    if decimals is not None:
        defaults["decimals"] = decimals
    if maximum is not None:
        defaults["max"] = maximum
    if steps:
        defaults["thresholds"] = thresholds(*steps)
    options = {"legend": {"displayMode": "table", "placement": "right", "showLegend": True,
                          "calcs": ["lastNotNull", "max"]},
               "tooltip": {"mode": "multi", "sort": "desc"}}
    return panel("timeseries", title, description, queries, width, unit, instant=False, options=options,
                 defaults=defaults, overrides=overrides, **more)


def timeline(title, description, queries, width, mappings, **more):
    """Rows of states over time."""
    defaults = {"custom": {"lineWidth": 0, "fillOpacity": 80}, "color": {"mode": "thresholds"}, "mappings": mappings,
                "thresholds": thresholds("text")}
    options = {"showValue": "never", "rowHeight": 0.9, "mergeValues": True, "alignValue": "left",
               "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
               "tooltip": {"mode": "single", "sort": "none"}}
    return panel("state-timeline", title, description, queries, width, "none", instant=False, options=options,
                 defaults=defaults, **more)


def table(title, description, queries, width, *, columns, unit="none", sort=None, descending=True, overrides=(),
          **more):
    """Instant queries side by side, a row a set of labels.  `columns`: {field: name shown}, in order, others hidden."""
    single = len(queries) == 1
    values = ["Value"] if single else [f"Value #{chr(ord('A') + number)}" for number in range(len(queries))]
    labels = [name for name in columns if not name.startswith("Value")]
    order = {name: number for number, name in enumerate(columns)}
    hidden = {name: True for name in ("Time", *values) if name not in columns}
    transformations = [] if single else [{"id": "merge", "options": {}}]
    renamed = {name: shown for name, shown in columns.items() if name != shown}
    transformations.append({"id": "organize", "options": {"excludeByName": hidden, "indexByName": order,
                                                          "renameByName": renamed}})
    assert labels or single, title
    options = {"frameIndex": 0, "showHeader": True, "cellHeight": "sm",
               "footer": {"show": False, "reducer": ["sum"], "countRows": False, "fields": ""}}
    if sort:
        options["sortBy"] = [{"displayName": sort, "desc": descending}]
    queries = [{**one, "table": True} for one in queries]
    return panel("table", title, description, queries, width, unit, instant=True, options=options,
                 defaults={"custom": {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False}},
                 overrides=overrides, transformations=transformations, **more)


def bars(title, description, expr, width, unit, legend, *, steps=("blue",), **more):
    """Bars of what is largest now."""
    options = {"displayMode": "basic", "valueMode": "color", "namePlacement": "left", "showUnfilled": True,
               "sizing": "auto", "minVizWidth": 8, "minVizHeight": 16, "maxVizHeight": 300, "orientation": "horizontal",
               "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False, "calcs": []},
               "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    return panel("bargauge", title, description, [query(expr, legend)], width, unit, instant=True, options=options,
                 defaults={"thresholds": thresholds(*steps), "color": {"mode": "thresholds"}, "min": 0}, **more)


def text(title, description, content, width):
    return {"type": "text", "title": title, "description": description, "width": width,
            "options": {"mode": "markdown", "content": content}}


# ---------------------------------------------------------------------------------------------------------------------
# Variables

def data_source():
    return {"type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus", "refresh": 1,
            "hide": 0, "includeAll": False, "multi": False, "regex": ""}


def from_labels(name, label, expr, description, *, multi=True, all_value=".*", first=None):
    made = {"type": "query", "name": name, "label": label, "description": description, "datasource": DATASOURCE,
            "query": {"query": expr, "refId": name}, "definition": expr, "refresh": 2, "sort": 1, "hide": 0,
            "regex": "", "multi": multi, "includeAll": multi}
    if multi:
        made |= {"allValue": all_value, "current": {"selected": True, "text": ["All"], "value": ["$__all"]}}
    elif first:
        made["current"] = {"selected": True, "text": first, "value": first}
    return made


def typed(name, label, value, description):
    shown = {"selected": True, "text": value, "value": value}
    return {"type": "textbox", "name": name, "label": label, "description": description, "query": value, "hide": 0,
            "current": shown, "options": [shown]}


# ---------------------------------------------------------------------------------------------------------------------
# Dashboards

def row(title, height, *panels):
    return {"title": title, "height": height, "panels": panels}


def dashboard(uid, title, description, variables, rows, *, span="now-6h", refresh="30s"):
    placed, top, number = [], 0, 0
    for one in rows:
        number += 1
        placed.append({"type": "row", "id": number, "title": one["title"], "collapsed": False, "panels": [],
                       "gridPos": {"x": 0, "y": top, "w": 24, "h": 1}})
        top += 1
        left = 0
        for made in one["panels"]:
            if left + made["width"] > 24:
                left, top = 0, top + one["height"]
            number += 1
            placed.append({"id": number, **{key: value for key, value in made.items() if key != "width"},
                           "gridPos": {"x": left, "y": top, "w": made["width"], "h": one["height"]}})
            left += made["width"]
        top += one["height"]
    return {"uid": uid, "title": title, "description": description, "tags": ["tocsin"], "schemaVersion": SCHEMA_VERSION,
            "version": 1, "editable": True, "graphTooltip": 1, "timezone": "browser", "weekStart": "",
            "refresh": refresh, "time": {"from": span, "to": "now"}, "templating": {"list": variables},
            "annotations": {"list": []},
            "links": [{"type": "dashboards", "title": "tocsin", "icon": "external link", "tooltip": "",
                       "tags": ["tocsin"], "asDropdown": False, "includeVars": True, "keepTime": True,
                       "targetBlank": False, "url": ""}],
            "panels": placed}
