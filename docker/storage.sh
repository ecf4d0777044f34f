#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# To be sourced: lets buildah and podman keep their images in artifacts/containers of this clone, and nothing elsewhere. What runs
# (mounts, locks) is in a folder of its own that storage_end removes; mounts end with the mount namespace that the caller made.

storage_folder=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)/artifacts/containers

# Waits until nobody else uses the storage. A build that writes and a reader that has it as an additional store take the locks of the storage itself in
# different orders, and wait for each other for ever.
storage_wait() { # --exclusive | --shared
  mkdir -p -- "$storage_folder/images"
  exec {storage_lock}>"$storage_folder/lock"
  flock "$1" "$storage_lock"
}

# Needs a mount namespace of one's own: unshare --mount.
storage_begin() {
  storage_wait --exclusive
  storage_run=$(mktemp -d)
  cat >"$storage_run/storage.conf" <<END
[storage]
driver = "overlay"
graphroot = "$storage_folder/images"
runroot = "$storage_run/run"
END
  export CONTAINERS_STORAGE_CONF=$storage_run/storage.conf
  # Commands of a build run in a changed root and no more: what else isolates them is not to be had everywhere.
  export BUILDAH_ISOLATION=chroot
}

storage_end() {
  umount --recursive --quiet -- "$storage_folder/images/overlay" 2>/dev/null || : # mounted or not
  rm -rf --one-file-system -- "$storage_run"
}
