#!/usr/bin/env bash
# Builds what the chart is tested with, from the Go module proxy: Helm 4 and 3, kustomize, and an API server of
# Kubernetes with its etcd.  They go to build/kubernetes/bin, the CRDs of prometheus-operator and KEDA beside them.
#
#     tests/helm/cluster/fetch.sh
#
# Nothing is done, and no network needed, when what is there was made from this go.mod.  The first time takes twelve minutes
# of a processor's time and 3 GB of Go's build cache.  Where Go is older than needed, the Go that is needed is fetched by it.
set -euo pipefail

readonly GO_WANTED=1.26.8
readonly CRDS=(github.com/prometheus-operator/prometheus-operator@v0.94.0/example/prometheus-operator-crd
  github.com/kedacore/keda/v2@v2.21.0/config/crd/bases)
declare -rA PROGRAMS=([helm]=helm.sh/helm/v4/cmd/helm [helm3]=helm.sh/helm/v3/cmd/helm
  [kustomize]=sigs.k8s.io/kustomize/kustomize/v5 [kube-apiserver]=k8s.io/kubernetes/cmd/kube-apiserver
  [etcd]=go.etcd.io/etcd/server/v3)

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../../.." && pwd)
target=$repo/build/kubernetes
programs=(helm helm3 kustomize etcd kube-apiserver)
mkdir -p "$target"
exec 9>"$target/lock"
flock 9 # two tests that want the same wait for one of them

wanted=$(cat "$here/go.mod" "$here/go.sum" "${BASH_SOURCE[0]}" | sha256sum | cut -d' ' -f1)
missing=()
for program in "${programs[@]}"; do
  [[ -x $target/bin/$program && -f $target/stamp.$program && $(<"$target/stamp.$program") == "$wanted" ]] ||
    missing+=("$program")
done
((${#missing[@]})) || exit 0

export GOTOOLCHAIN=local GOFLAGS='' CGO_ENABLED=0 GO111MODULE=on GOWORK=off

# Of two versions of Go, the first is the newer or the same.
at_least() { [[ $(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1) == "$2" ]]; }

# Any Go at all can fetch the one that is needed: a toolchain is a module, checked as all modules are.
find_go() {
  local candidate version any='' folder
  for candidate in "$(command -v go || true)" /usr/local/go/bin/go "$target/go/bin/go"; do
    [[ -x $candidate ]] || continue
    version=$("$candidate" env GOVERSION 2>/dev/null) || continue
    any=$candidate
    if at_least "${version#go}" "${GO_WANTED%.*}"; then
      go=$candidate
      return
    fi
  done
  if [[ -z $any ]]; then
    echo "fetch.sh: Go is needed to build what the chart is tested with: ./dev deps test" >&2
    return 1
  fi
  version=v0.0.1-go$GO_WANTED.$("$any" env GOOS)-$("$any" env GOARCH)
  echo "fetch.sh: Go here is older than ${GO_WANTED%.*}, fetching $GO_WANTED" >&2
  folder=$(module_folder "$any" "golang.org/toolchain@$version") || return 1
  rm -rf "$target/go"
  cp -r "$folder" "$target/go"
  chmod -R u+w "$target/go"
  chmod +x "$target"/go/bin/* "$target"/go/pkg/tool/*/*
  go=$target/go/bin/go
}

module_folder() { # GO MODULE@VERSION: where it is; fetched outside of any module, so Go's checksum database vouches for it
  local said
  said=$(cd / && GOFLAGS='' "$1" mod download -json "$2") || {
    echo "fetch.sh: could not fetch $2 from the Go module proxy: ${said:-no answer}" >&2
    return 1
  }
  sed -nE 's/^\t"Dir": "(.*)",$/\1/p' <<<"$said"
}

find_go
mkdir -p "$target/bin" "$target/crds"
cd "$here"
for each in "${CRDS[@]}"; do
  module=${each%%@*} rest=${each#*@}
  folder=$(module_folder "$go" "$module@${rest%%/*}")
  for file in "$folder/${rest#*/}"/*{podmonitors,prometheusrules,scaledobjects}.yaml; do
    [[ ! -f $file ]] || install -m 0644 "$file" "$target/crds/"
  done
done
version=$("$go" list -mod=readonly -m -f '{{.Version}}' k8s.io/kubernetes) # of the API server: Helm asks for it
minor=${version#v1.}
for program in "${missing[@]}"; do
  echo "fetch.sh: building $program" >&2
  "$go" build -mod=readonly -trimpath -buildvcs=false -o "$target/bin/$program" \
    -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$version -X k8s.io/component-base/version.gitMajor=1 \
      -X k8s.io/component-base/version.gitMinor=${minor%%.*}" "${PROGRAMS[$program]}"
  echo "$wanted" >"$target/stamp.$program"
done
