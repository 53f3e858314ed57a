#!/usr/bin/env bash
# A Python with Playwright, which drives Debian's Chromium in the tests of the status page:
# build/browser, from PyPI.
#
#     tests/e2e/browser/fetch.sh
#
# Nothing is done, and no network needed, when what is there was made from this requirements.txt.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../../.." && pwd)
target=$repo/build/browser
wanted=$(sha256sum "$here/requirements.txt" | cut -d' ' -f1)

if [[ -f $target/stamp && $(<"$target/stamp") == "$wanted" ]]; then
  exit 0
fi
rm -rf "$target"
python3 -m venv "$target"
"$target/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
echo "$wanted" >"$target/stamp"
