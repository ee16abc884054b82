# shellcheck shell=bash
# shellcheck disable=SC2034 # used by name, through an indirect expansion
# packages.sh - sourced by deploy/try and tests/run: the Debian 12 packages that each of them needs, by name.

stoker_packages_build="gcc libc6-dev meson ninja-build pkg-config libuv1-dev libcap-dev libseccomp-dev libcjson-dev libcyaml-dev
 libyaml-dev libsmartcols-dev libcurl4-openssl-dev libmicrohttpd-dev libnghttp2-dev libcgroup-dev nettle-dev"
stoker_packages_try="e2fsprogs util-linux mount"
stoker_packages_spark="openjdk-17-jre-headless procps python3-venv tini"
stoker_packages_guest="qemu-system-x86 qemu-system-common kmod quota dmsetup"
stoker_packages_image="buildah binutils"
stoker_packages_test="prometheus runc busybox-static iproute2 clang libclang-rt-14-dev llvm libcmocka-dev python3 python3-yaml xfsprogs btrfs-progs openssl curl ccache strace shellcheck ca-certificates git"

# stoker_install_packages GROUP…: installs what is missing; says what.
stoker_install_packages() {
	local group name missing=()
	for group in "$@"; do
		group=stoker_packages_$group
		for name in ${!group}; do
			dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
		done
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	[ "$(id -u)" = 0 ] || { echo "missing packages, install them as root: apt-get install ${missing[*]}" >&2; return 1; }
	echo "installing: ${missing[*]}"
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
