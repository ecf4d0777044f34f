#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Checks the models of the lease protocol, lease.pml, and of the packet ring, packets.pml: the protocol itself must hold in every
# reachable state, and each broken variant of it must break exactly the assertion that guards against it. README.md explains the cases.
# Prints one line a case and last "N passed, N failed, 0 skipped"; exits 0 only if nothing failed.

set -u -o pipefail
export LC_ALL=C

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd) || exit 1
cc=${CC:-cc}
passed=0
failed=0

summary() {
  echo "$passed passed, $failed failed, 0 skipped"
}

require() { # command, Debian package
  command -v "$1" >/dev/null && return
  echo "FAIL  the model cannot be checked: '$1' is not installed; install it with: apt-get install $2"
  failed=1
  summary
  exit 1
}

require spin spin
require "$cc" gcc

work=$(mktemp -d) || exit 1
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cd -- "$work" || exit 1
cp -- "$here"/*.pml . || exit 1
model=lease

pass() { # name, detail
  passed=$((passed + 1))
  echo "ok    $1: $2"
}

fail() { # name, what was expected
  failed=$((failed + 1))
  echo "FAIL  $1: expected $2; this was found:"
  sed 's/^/      /' report
}

# Builds the verifier and runs the search; everything that was printed is in the file "report" afterwards.
# The verifier stops at the first error, at 4 GiB, or after ten minutes; the last two leave the search incomplete.
search() { # safety | progress, -D macros of the model...
  local kind=$1 build=(-DSAFETY) options=()
  shift
  if [ "$kind" = progress ]; then
    build=(-DNP -DNFAIR=3) # fairness over the nine processes needs three groups of them
    options=(-l -f)
  fi
  rm -f -- pan* ./*.trail
  {
    spin "-P$cc -E -x c" -a "$@" "$model.pml" &&
      "$cc" -O2 "${build[@]}" -DCOLLAPSE -DMEMLIM=4096 -o pan pan.c &&
      timeout --foreground 600 ./pan -m10000 -w25 "${options[@]}" "${pan_options[@]}"
  } >report 2>&1 </dev/null
  if [ -e "$model.pml.trail" ]; then
    {
      echo 'The steps to the error:'
      spin "-P$cc -E -x c" -t -p "$@" "$model.pml" 2>&1 | tail -n 100
    } >>report
  fi
}
pan_options=()

# States, time and memory of the last search.
effort() {
  awk '/ states, stored/ { states = $1 } /elapsed time/ { seconds = $4 } /total actual memory usage/ { mib = $1 }
    END { printf "%d states, %s s, %.0f MiB", states, seconds, mib }' report
}

# The search came to its end and left out nothing.
is_complete() {
  grep -q '^Full statespace search for:' report &&
    grep -q 'elapsed time' report &&
    ! grep -Eq 'Search not completed|max search depth too small|out of memory|hash table is full|truncated' report
}

holds() { # name, safety | progress, -D macros...
  local name=$1
  shift
  search "$@"
  if ! is_complete || ! grep -q ', errors: 0$' report; then
    fail "$name" 'a complete search without an error'
  else
    pass "$name" "$(effort), complete"
  fi
}

breaks() { # name, the assertion, -D macros...
  local name=$1 assertion=$2
  shift 2
  search safety "$@"
  if grep -q "^pan:1: assertion violated $assertion (at depth " report && grep -q ', errors: 1$' report; then
    pass "$name" "breaks $assertion"
  else
    fail "$name" "that the assertion $assertion is violated"
  fi
}

# A statement that is never reached would mean that the assertions were checked in fewer situations than it seems. Only
# the ends of the kinds of process that run for ever may be left: the store buffers, the service thread, the GPU.
covers() { # name, kinds of process that run for ever; of the last search
  if is_complete && [ "$(grep -cE '^\s+'"$model"'\.pml:[0-9]+, state [0-9]+, "-end-"$' report)" -eq "$2" ] &&
    ! grep -E '^\s+'"$model"'\.pml:[0-9]+, state ' report | grep -qv '"-end-"$'; then
    pass "$1" 'every statement of the model was reached'
  else
    fail "$1" 'that the search above reached every statement of the model'
  fi
}

holds 'protocol' safety

covers 'protocol, coverage' 2

holds 'protocol, publisher makes progress' progress -DFRAMES=4 -DNO_EVICTION
holds 'no fences on a machine without store buffers' safety -DFRAMES=4 \
  -DSEQUENTIAL -DNO_PUBLISHER_FENCE -DNO_READER_FENCE

breaks 'no publisher fence' frame_is_whole -DNO_PUBLISHER_FENCE
breaks 'no reader fence' frame_is_whole -DNO_READER_FENCE
breaks 'no second look at the state' frame_is_whole -DNO_RECHECK
breaks 'no scan of the leases' frame_is_whole -DNO_SCAN
breaks 'no last check of an evicted reader' trusted_frame_is_whole -DNO_LAST_CHECK
breaks 'zero before the scan' held_frame_is_trusted -DZERO_AT_ONCE
breaks 'no cursor' sequence_increases -DNO_CURSOR
breaks 'newest slot picked' slot_is_not_newest -DPICK_NEWEST
breaks 'leases of the dead kept' slot_can_be_picked -DNO_RECLAIM
breaks 'state not restored' slot_holds_its_frame -DNO_RESTORE

# Releases that the GPU carries out. A ring of 2 slots comes round twice within 5 frames.
stream=(-DSTREAM_RELEASE -DSLOTS=2 -DFRAMES=5)
holds 'STREAM releases' safety "${stream[@]}"
covers 'STREAM releases, coverage' 3
holds 'STREAM releases, 3 slots' safety -DSTREAM_RELEASE -DFRAMES=4
breaks 'STREAM, zero before the GPU is done' frame_is_whole "${stream[@]}" -DEARLY_RELEASE
breaks 'STREAM, two zeros for one lease' release_is_carried_out "${stream[@]}" -DRELEASE_TWICE

event=(-DEVENT_RELEASE -DSLOTS=2 -DFRAMES=5 -DNO_EVICTION)
holds 'EVENT releases' safety "${event[@]}"
covers 'EVENT releases, coverage' 3
holds 'EVENT releases, with eviction' safety -DEVENT_RELEASE -DSLOTS=2 -DFRAMES=4
breaks 'EVENT, zero before the GPU is done' frame_is_whole "${event[@]}" -DEARLY_RELEASE
breaks 'EVENT, event not asked' frame_is_whole "${event[@]}" -DNO_EVENT_QUERY
breaks 'EVENT, bit before record' frame_is_whole "${event[@]}" -DBIT_BEFORE_RECORD
breaks 'EVENT, leased again unfinished' frame_is_whole "${event[@]}" -DLEASE_UNFINISHED

# The last assertions of the plain model would also notice this one, in runs that end; here only the runs that never end count.
pan_options=(-A)
search progress -DFRAMES=4 -DNO_EVICTION -DNO_RELEASE
if grep -q '^pan:1: non-progress cycle (at depth ' report && grep -q ', errors: 1$' report; then
  pass 'leases never released' 'the publisher drops frames for ever'
else
  fail 'leases never released' 'a cycle without progress'
fi

pan_options=()
model=packets
holds 'packets' safety
covers 'packets, coverage' 1
breaks 'packets, no publisher fence' descriptor_is_whole -DNO_PUBLISHER_FENCE
breaks 'packets, oldest moved late' descriptor_is_whole -DMOVE_OLDEST_LATE
breaks 'packets, head not released' descriptor_is_whole -DNO_RELEASE
breaks 'packets, index forgotten' descriptor_is_whole -DMOVE_TOO_LITTLE
breaks 'packets, no reader fence' valid_packet_is_whole -DNO_READER_FENCE
breaks 'packets, no last look' valid_packet_is_whole -DNO_LAST_LOOK
breaks 'packets, no look after the descriptor' descriptor_is_whole -DNO_DESCRIPTOR_LOOK

summary
[ "$failed" -eq 0 ]
