/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The packet ring of docs/protocol.md, 14.10 and 14.11: one publisher that never waits, one reader that holds nothing. Bytes are cells that
 * hold the sequence of the packet that was written there last; a packet has one or two cells and does not go around the ring's end.
 *
 * The publisher's stores reach memory late, and in any order (as on arm64; weaker than x86), unless a release store or a fence stands between
 * them. The reader's loads are in the order in which they stand here; NO_READER_FENCE gives them the order that a machine may choose without the fence.
 *
 * Assertions:
 *   bounds_are_sound          oldest, read first, is not above head plus one
 *   descriptor_is_whole       a descriptor that passed step 3 of 14.11 is its packet's
 *   valid_packet_is_whole     a packet that passed step 6 has its own bytes, all of them
 *   losses_are_exact          what was taken and what was told to be lost are all packets
 *
 * Variants, each of which breaks one of them:
 *   NO_PUBLISHER_FENCE        step 4 of 14.10 without its fence
 *   MOVE_OLDEST_LATE          step 4 after step 5
 *   NO_RELEASE                head is stored without waiting for what it announces
 *   MOVE_TOO_LITTLE           step 3 forgets the index
 *   NO_READER_FENCE           step 6 of 14.11 reads oldest before the bytes
 *   NO_LAST_LOOK              no step 6
 *   NO_DESCRIPTOR_LOOK        no step 3
 */

#ifndef PACKETS
#define PACKETS 6
#endif
#define CELLS 4
#define ENTRIES 2 /* of the index */

/* Places in memory. */
#define OLDEST 0
#define HEAD 1
#define CELL(i) (2 + (i))
#define SEQUENCE(e) (2 + CELLS + 3 * (e))
#define POSITION(e) (SEQUENCE(e) + 1)
#define SIZE(e) (SEQUENCE(e) + 2)
#define PLACES (2 + CELLS + 3 * ENTRIES)

byte memory[PLACES];

/* What the publisher has stored and memory does not have yet. */
byte stored[PLACES];
bool is_stored[PLACES];
byte waiting;

/* What is true, for the assertions. */
byte true_position[PACKETS + 1];
byte true_size[PACKETS + 1];

bool bounds_are_sound = true;
bool descriptor_is_whole = true;
bool valid_packet_is_whole = true;
bool losses_are_exact = true;

/* A second store to a place waits for the first one. */
inline store(place, value) {
  atomic {
    !is_stored[place];
    stored[place] = value;
    is_stored[place] = true;
    waiting++
  }
}

inline fence() {
  waiting == 0
}

/* Stores that stand before it reach memory before it. */
inline store_release(place, value) {
  fence();
  store(place, value)
}

inline reach(place) {
  memory[place] = stored[place];
  stored[place] = 0;
  is_stored[place] = false;
  waiting--
}

#define REACHES(place) :: atomic { is_stored[place] -> reach(place) }

proctype store_buffer() {
end:
  do
  REACHES(0)
  REACHES(1)
  REACHES(2)
  REACHES(3)
  REACHES(4)
  REACHES(5)
  REACHES(6)
  REACHES(7)
  REACHES(8)
  REACHES(9)
  REACHES(10)
  REACHES(11)
  od
}

inline move_oldest() {
  if
  :: oldest != before -> store_release(OLDEST, oldest)
  :: else
  fi
}

proctype publisher() {
  byte sequence = 1, oldest = 1, before, end_of_last, position, size, cell;
  do
  :: sequence <= PACKETS ->
     if
     :: size = 1
     :: size = 2
     fi;
     d_step {
       position = end_of_last;
       if
       :: position % CELLS + size > CELLS -> position = position + CELLS - position % CELLS
       :: else
       fi;
       before = oldest;
       do
       :: oldest < sequence && (
#ifndef MOVE_TOO_LITTLE
            oldest + ENTRIES <= sequence ||
#endif
            true_position[oldest] + CELLS < position + size) -> oldest++
       :: else -> break
       od;
       true_position[sequence] = position;
       true_size[sequence] = size
     }
#ifndef MOVE_OLDEST_LATE
     move_oldest();
#ifndef NO_PUBLISHER_FENCE
     fence();
#endif
#endif
     cell = 0;
     do
     :: cell < size ->
        store(CELL((position + cell) % CELLS), sequence);
        cell++
     :: else -> break
     od;
     store(SEQUENCE(sequence % ENTRIES), sequence);
     store(POSITION(sequence % ENTRIES), position);
     store(SIZE(sequence % ENTRIES), size);
#ifdef MOVE_OLDEST_LATE
     move_oldest();
     fence();
#endif
#ifdef NO_RELEASE
     store(HEAD, sequence);
#else
     store_release(HEAD, sequence);
#endif
     atomic {
       end_of_last = position + size;
       sequence++;
       position = 0; size = 0; cell = 0; before = 0
     }
  :: else -> break
  od
}

proctype reader() {
  byte cursor, taken, missed, oldest, head, sequence, from, d_sequence, d_position, d_size, cell;
  bool is_whole;
next:
  do
  :: cursor == PACKETS -> break
  :: else ->
end:
     memory[HEAD] != cursor;
     oldest = memory[OLDEST];
     head = memory[HEAD];
     bounds_are_sound = oldest <= head + 1;
     assert(bounds_are_sound);
     atomic {
       sequence = cursor + 1;
       if
       :: sequence < oldest -> sequence = oldest
       :: else
       fi;
       if
       :: sequence > head -> /* all of them are lost: the next one that comes is taken */
          cursor = oldest - 1;
          sequence = 0; oldest = 0; head = 0;
          goto next
       :: else
       fi
     }
     d_sequence = memory[SEQUENCE(sequence % ENTRIES)];
     d_position = memory[POSITION(sequence % ENTRIES)];
     d_size = memory[SIZE(sequence % ENTRIES)];
#ifndef NO_DESCRIPTOR_LOOK
     atomic {
       if
       :: memory[OLDEST] > sequence -> d_sequence = 0; d_position = 0; d_size = 0; goto next
       :: else
       fi
     }
#endif
     descriptor_is_whole = d_sequence == sequence && d_position == true_position[sequence] && d_size == true_size[sequence];
     assert(descriptor_is_whole);
#ifdef NO_READER_FENCE
     oldest = memory[OLDEST];
#endif
     is_whole = true;
     cell = 0;
     do
     :: cell < d_size ->
        is_whole = is_whole && memory[CELL((d_position + cell) % CELLS)] == sequence;
        cell++
     :: else -> break
     od;
#ifndef NO_READER_FENCE
     oldest = memory[OLDEST];
#endif
#ifdef NO_LAST_LOOK
     oldest = 0;
#endif
     atomic {
       valid_packet_is_whole = is_whole || oldest > sequence;
       assert(valid_packet_is_whole);
       missed = missed + sequence - from - 1;
       taken++;
       from = sequence;
       cursor = sequence;
       d_sequence = 0; d_position = 0; d_size = 0; cell = 0; is_whole = false; oldest = 0; head = 0; sequence = 0
     }
  od;
  losses_are_exact = taken + missed == PACKETS;
  assert(losses_are_exact)
}

init {
  atomic {
    memory[OLDEST] = 1;
    run store_buffer();
    run publisher();
    run reader()
  }
}
