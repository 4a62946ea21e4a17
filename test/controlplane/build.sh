#!/usr/bin/env bash
# Builds the test control plane if it is not there yet and prints the directory
# with etcd, kube-apiserver, kube-controller-manager and kubectl as the last line
# of standard output. Everything else goes to standard error.
#
#   KUBEBUILDER_ASSETS  a directory with the four programs: used as it is
#   MOLLYGUARD_CACHE    where built ones are kept; default ~/.cache/mollyguard
#
# The cache key is the Kubernetes version and a hash of everything that goes into
# the build, so a directory that is complete is never built again. Each name
# appears there by one rename of a finished file, so an interrupted build leaves
# nothing half-made and a second build at the same time changes nothing.
set -euo pipefail

programs=(etcd kube-apiserver kube-controller-manager kubectl)

fail() {
	printf 'controlplane: error: %s\n' "$1" >&2
	printf 'hint: %s\n' "$2" >&2
	exit 1
}

# missing prints the programs that directory $1 lacks.
missing() {
	local name
	for name in "${programs[@]}"; do
		[[ -f $1/$name && -x $1/$name ]] || printf ' %s' "$name"
	done
}

if [[ -n ${KUBEBUILDER_ASSETS:-} ]]; then
	lacks=$(missing "$KUBEBUILDER_ASSETS")
	[[ -z $lacks ]] || fail "KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS lacks:$lacks" \
		"unset KUBEBUILDER_ASSETS to build them, or name a directory that has all four"
	(cd "$KUBEBUILDER_ASSETS" && pwd)
	exit
fi

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$source_dir"

# The module is its own main module, whatever workspace it is checked out in.
export GOWORK=off CGO_ENABLED=0

sha256() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }

version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
platform=$(go env GOOS GOARCH GOVERSION)
hash=$({ printf '%s\n' "$platform"; cat build.sh main.go go.mod go.sum; } | sha256 | cut -c1-16)

cache=${MOLLYGUARD_CACHE:-${XDG_CACHE_HOME:-${HOME:?set HOME or MOLLYGUARD_CACHE}/.cache}/mollyguard}/controlplane
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
dir=$cache/$version-$hash

if [[ -n $(missing "$dir") ]]; then
	# The second of two builds waits for the first, where flock exists; without
	# it both build and the result is the same. The kernel drops the lock with
	# the process that holds it.
	if command -v flock >/dev/null; then
		exec 9>"$cache/lock"
		flock 9
		rm -rf "$cache"/building.* # of builds that were killed
	fi
fi

if [[ -n $(missing "$dir") ]]; then
	tmp=$(mktemp -d "$cache/building.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM

	minor=${version#v*.}
	minor=${minor%%.*}
	flags="-s -w"
	for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
		# An empty commit is shown as "unknown"; unset it is a placeholder that
		# ends up in every user agent.
		flags+=" -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$minor"
		flags+=" -X $package.gitCommit= -X $package.gitTreeState=clean"
	done

	printf 'controlplane: building Kubernetes %s, about five minutes the first time\n' "$version" >&2
	go build -trimpath -ldflags "$flags" -o "$tmp/controlplane" . >&2

	mkdir -p "$dir"
	mv -f "$tmp/controlplane" "$dir/controlplane"
	for name in "${programs[@]}"; do
		ln -s controlplane "$tmp/$name"
		mv -f "$tmp/$name" "$dir/$name"
	done
fi

printf '%s\n' "$dir"
