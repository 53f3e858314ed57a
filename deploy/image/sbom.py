#!/usr/bin/env python3
"""The image's bill of materials, SPDX 2.3 as JSON, from dpkg's own record of it.

    sbom.py --status /var/lib/dpkg/status --built-with FILE --project CMakeLists.txt >sbom.spdx.json

`--built-with`: lines `name version architecture` of the packages whose headers or archives are compiled in.
SOURCE_DATE_EPOCH is the time it bears; the same input gives the same bytes.
"""

import argparse
import datetime
import hashlib
import json
import os
import pathlib
import re
import sys
import time
import urllib.parse


def installed(status):
    """(name, version, architecture, source, maintainer) of the packages in a dpkg status file."""
    for paragraph in re.split(r"\n\s*\n", status):
        fields = dict(re.findall(r"^([\w-]+):[ \t]*(.*)$", paragraph, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            yield (fields["Package"], fields["Version"], fields["Architecture"],
                   fields.get("Source", fields["Package"]).split(" ")[0], fields.get("Maintainer", ""))


def package(kind, name, version, architecture, source="", maintainer=""):
    quoted = urllib.parse.quote(version, safe="")
    told = f"arch={architecture}" + (f"&upstream={urllib.parse.quote(source, safe='')}" if source not in ("", name) else "")
    return {
        "SPDXID": "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", f"{kind}-{name}-{architecture}"),
        "name": name,
        "versionInfo": version,
        "supplier": "Organization: " + maintainer.split(" <")[0] if maintainer else "NOASSERTION",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                          "referenceLocator": f"pkg:deb/debian/{urllib.parse.quote(name, safe='')}@{quoted}?{told}"}],
    }


def bill(status, built_with, project):
    found = re.search(r"project\((\w+) VERSION ([\d.]+)", project)
    if not found:
        raise ValueError("no name and version in the project file")
    name, version = found.groups()
    own = {"SPDXID": f"SPDXRef-{name}", "name": name, "versionInfo": version, "supplier": "NOASSERTION",
           "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "NOASSERTION",
           "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION", "primaryPackagePurpose": "APPLICATION"}
    contained = [package("deb", *one) for one in sorted(installed(status))]
    if not contained:
        raise ValueError("no package in the status file")
    compiled = [package("build", *line.split()) for line in built_with.splitlines() if line.strip()]
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", own["SPDXID"])]
    relations += [(own["SPDXID"], "DEPENDS_ON", one["SPDXID"]) for one in contained]
    relations += [(one["SPDXID"], "BUILD_DEPENDENCY_OF", own["SPDXID"]) for one in compiled]
    packages = [own, *contained, *compiled]
    digest = hashlib.sha256(json.dumps(packages, sort_keys=True).encode()).hexdigest()
    created = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())), datetime.timezone.utc)
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{name}-{version}",
        "documentNamespace": f"https://spdx.org/spdxdocs/{name}-{version}-{digest}",
        "creationInfo": {"created": created.strftime("%Y-%m-%dT%H:%M:%SZ"), "creators": ["Tool: tocsin-image-sbom"]},
        "packages": packages,
        "relationships": [{"spdxElementId": one, "relationshipType": how, "relatedSpdxElement": other}
                          for one, how, other in relations],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for option in ("--status", "--built-with", "--project"):
        parser.add_argument(option, type=pathlib.Path, required=True)
    files = parser.parse_args()
    texts = [file.read_text(encoding="utf-8") for file in (files.status, files.built_with, files.project)]
    json.dump(bill(*texts), sys.stdout, indent=1, sort_keys=True)
    print()


if __name__ == "__main__":
    main()
