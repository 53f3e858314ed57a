#!/usr/bin/env python3
"""Prints what CTest's JUnit report amounts to: lines of figures that tests printed ("figures: ..."), failed tests by
name, then "N passed, N failed[, N skipped]".

Exit status 1 when a test failed or none ran.  Skipped is only what asked to be skipped (SKIP_RETURN_CODE,
SKIP_REGULAR_EXPRESSION, DISABLED): CTest also says `notrun` of a test whose program or fixture is missing, and that
has failed.
"""

import sys
import xml.etree.ElementTree as ElementTree


def state_of(case):
    status = case.get("status")
    if status == "run":
        return "passed"
    if status == "disabled":
        return "skipped"
    skipped = case.find("skipped")
    if status == "notrun" and skipped is not None and skipped.get("message", "").startswith("SKIP_"):
        return "skipped"
    return "failed"


def main():
    try:
        cases = list(ElementTree.parse(sys.argv[1]).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError) as error:
        print(f"no usable report from ctest: {error}", file=sys.stderr)
        print("0 passed, 1 failed")
        return 1
    for case in cases:
        for line in case.findtext("system-out", "").splitlines():
            if "figures: " in line:
                print(line[line.index("figures: "):])
    names = {"passed": [], "failed": [], "skipped": []}
    for case in cases:
        names[state_of(case)].append(case.get("name"))
    for name in names["failed"]:
        print(f"failed: {name}")
    skipped = f", {len(names['skipped'])} skipped" if names["skipped"] else ""
    print(f"{len(names['passed'])} passed, {len(names['failed'])} failed{skipped}")
    return 1 if names["failed"] or not names["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
