#!/usr/bin/env bash
# Copies the Kafka broker of the end-to-end tests, and all it needs, into build/kafka/lib: 44 MB from
# Maven Central.
#
#     tests/e2e/kafka/fetch.sh [--force]
#
# Nothing is done, and no network needed, when what is there was made from this very pom.xml.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../../.." && pwd)
target=$repo/build/kafka
stamp=$target/stamp
wanted=$(sha256sum "$here/pom.xml" | cut -d' ' -f1)

if [[ ${1:-} != --force && -f $stamp && $(<"$stamp") == "$wanted" ]]; then
  exit 0
fi
if ! command -v mvn >/dev/null; then
  echo "fetch.sh: Maven (mvn) is needed to fetch the Kafka broker: ./dev deps test" >&2
  exit 1
fi

mkdir -p "$target"
new=$(mktemp -d "$target/new.XXXXXX")
trap 'rm -rf "$new"' EXIT

# By its full name: a plugin that cannot be fetched is then reported with the reason.
fetch() {
  mvn --batch-mode --no-transfer-progress --quiet -Dstyle.color=never --file "$here/pom.xml" \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$new/lib" >"$new/log" 2>&1
}

if ! fetch; then
  echo "fetch.sh: Maven failed, trying once more" >&2
  sleep 3
  if ! fetch; then
    grep -m 5 ERROR "$new/log" >&2 || tail -n 5 "$new/log" >&2
    echo "fetch.sh: could not fetch Kafka; is Maven Central (or the mirror in ~/.m2/settings.xml) within reach?" >&2
    exit 1
  fi
fi

# The stamp goes first and comes back last: a run cut short leaves no half a broker that looks whole.
rm -rf "$stamp" "${target:?}/lib"
mv "$new/lib" "$target/lib"
echo "$wanted" >"$stamp"
