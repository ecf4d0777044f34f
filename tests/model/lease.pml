/*
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The lease protocol of CuFrames as a model for spin. README.md says what a run proves and what it leaves out.
 *
 * Processes: one publisher, one reader of the newest frame, one in-order reader, the publisher's service thread, which
 * takes back the page of a dead reader, and one failure, which kills one reader or none before any of its steps. The
 * publisher may also evict one reader when every slot is leased. A ring of 3 slots, FRAMES published frames.
 *
 * Memory: x86-TSO. A store goes into the store buffer of its process, first in, first out, and reaches the memory at
 * any later moment. A load reads the memory; no process loads a word that it stores itself, so no load has to look into
 * a buffer. A full fence lets its process go on only when its buffer is empty. The buffers hold as many stores as a
 * process ever has between two fences.
 *
 * The shared words, who writes and who reads them:
 *   state[slot]          publisher -> readers    the sequence that the slot holds, with EXAMINED added while the publisher
 *                                                looks for leases; 0 while it is being written
 *   content[slot]        publisher -> readers    the pixels: TORN while half written, then the sequence of their frame
 *   index[seq & mask]    publisher -> readers    sequence and slot in one word
 *   head                 publisher -> readers    the newest sequence
 *   lease[reader][slot]  reader -> publisher     the sequence that the reader holds in the slot, 0 for none
 *
 * Steps: a step holds at most one load of a shared word. What a process does after it, up to its next load, is seen by
 * nobody else (its stores only enter its own buffer), so it belongs to the same step. That drops states, not behaviour.
 *
 * Asserted where it happens:
 *   frame_is_whole          a reader loads from a slot that it leased the frame that it asked for, at each of its two
 *                           loads; not asserted for an evicted reader, whose leases do not count any more
 *   trusted_frame_is_whole  nobody, not even an evicted reader, trusts anything else: its last check finds out
 *   held_frame_is_trusted   a reader that was not evicted finds at its last check that the frame is still its own, also
 *                           while the publisher examines the slot
 *   sequence_increases      a reader never takes a sequence twice and never goes back
 *   slot_is_not_newest      the publisher never picks the newest frame's slot
 *   newest_can_be_taken     a reader fails to take the newest frame only if a newer one has been published meanwhile
 * Asserted when nothing can move any more:
 *   reader_is_at_rest       a reader that did not die has come to the end of the stream, or has been evicted
 *   slot_can_be_picked      no slot is leased any more, not even those that a dead reader held
 *   slot_holds_its_frame    each slot says which frame it holds, also where the publisher looked and let go again
 * Checked by spin: no deadlock; with pan -l -f also that the publisher does not drop frames for ever (label progress).
 *
 * Variants (-D), each of which breaks what stands beside it:
 *   NO_PUBLISHER_FENCE  no fence between state[slot] := examined and the scan          frame_is_whole
 *   NO_READER_FENCE     no fence between lease[slot] := seq and the second look        frame_is_whole
 *   NO_RECHECK          the reader takes no second look at state[slot]                 frame_is_whole
 *   NO_SCAN             the publisher does not look at the leases                      frame_is_whole
 *   NO_LAST_CHECK       the reader trusts what it read without asking the slot again   trusted_frame_is_whole
 *   ZERO_AT_ONCE        state[slot] := 0 before the scan instead of examined          held_frame_is_trusted
 *   NO_CURSOR           the reader of the newest frame forgets which one it took       sequence_increases
 *   PICK_NEWEST         the newest frame's slot is a candidate like any other          slot_is_not_newest
 *   NO_RECLAIM          the page of a dead reader stays                                slot_can_be_picked
 *   NO_RESTORE          the publisher leaves a leased slot examined                    slot_holds_its_frame
 *   NO_RELEASE          the readers keep their leases                                  progress
 * SEQUENTIAL takes the store buffers away (each store waits until it is in memory). It breaks nothing, even without
 * either fence: what the two variants without a fence show is the work of the buffers and of nothing else.
 * NO_EVICTION and FRAMES=n make the model smaller or larger.
 */

#ifndef FRAMES
#define FRAMES 5                /* the fourth frame reuses a slot, the fifth an index word */
#endif

#define SLOTS      3
#define READERS    2
#define NEWEST     0            /* the reader of the newest frame */
#define IN_ORDER   1            /* the in-order reader */
#define INDEX_SIZE 4            /* a power of two, larger than SLOTS */
#define NONE       SLOTS        /* no slot */
#define TORN       255

#define MARKED(seq) ((seq) + 128)

#ifdef ZERO_AT_ONCE
#define EXAMINED(seq) 0
#else
#define EXAMINED(seq) MARKED(seq)
#endif

/* Where a frame can be torn it can be lost as well; the variants are to show the former. */
#if defined(NO_PUBLISHER_FENCE) || defined(NO_READER_FENCE) || defined(NO_RECHECK) || defined(NO_SCAN)
#define MAY_BE_LOST(reader) true
#else
#define MAY_BE_LOST(reader) evicted[reader]
#endif

/* The shared words stand in one array, so that one rule drains every store buffer. */
#define STATE(slot)         (slot)
#define CONTENT(slot)       (SLOTS + (slot))
#define INDEX(seq)          (2 * SLOTS + (seq) % INDEX_SIZE)
#define HEAD                (2 * SLOTS + INDEX_SIZE)
#define LEASE(reader, slot) (HEAD + 1 + (reader) * SLOTS + (slot))
#define WORDS               (HEAD + 1 + READERS * SLOTS)

#define INDEX_WORD(seq, slot) ((seq) * INDEX_SIZE + (slot))
#define WORD_SEQ(word)        ((word) / INDEX_SIZE)
#define WORD_SLOT(word)       ((word) % INDEX_SIZE)

byte memory[WORDS];

/* Address and value. A reader has at most a release and the next lease pending, the publisher a 0, a frame and a mark. */
chan newest_stores = [2] of { byte, byte };
chan in_order_stores = [2] of { byte, byte };
chan publisher_stores = [7] of { byte, byte };

/* What sockets carry. System calls order memory, so these are not buffered. */
bool dead[READERS];             /* the process has ended, the kernel closes its socket */
bool evicted[READERS];          /* the publisher has closed the socket */
bool gone[READERS];             /* the publisher has dropped the reader's page: its leases do not exist any more */

/* For assertions only: the newest sequence in the publisher's own order; the readers that came to their end. */
byte published;
bool finished[READERS];

/* Verdicts: each is set and asserted in one step, so they are no part of a state. Spin's report names them. */
hidden byte frame_is_whole;
hidden byte trusted_frame_is_whole;
hidden byte held_frame_is_trusted;
hidden byte sequence_increases;
hidden byte slot_is_not_newest;
hidden byte newest_can_be_taken;
hidden byte reader_is_at_rest;
hidden byte slot_can_be_picked;
hidden byte slot_holds_its_frame;
hidden byte i;

inline full_fence(stores)
{
    empty(stores)
}

inline store(stores, address, value)
{
    stores ! address, value
#ifdef SEQUENTIAL
    ;
    full_fence(stores)
#endif
}

proctype StoreBuffer(chan stores)
{
    byte address, value;

end:
    do
    :: d_step {
           stores ? address, value ->
           memory[address] = value;
           address = 0;
           value = 0
       }
    od
}

/* ---- Readers ---- */

/* Finds the slot of a sequence in the index; NONE when a later sequence has taken over the index word. */
inline look_up(seq, slot)
{
    slot = (WORD_SEQ(memory[INDEX(seq)]) == seq -> WORD_SLOT(memory[INDEX(seq)]) : NONE)
}

#ifdef NO_RECHECK
#define STILL_HOLDS(slot, seq) true
#else
#define STILL_HOLDS(slot, seq) (memory[STATE(slot)] == seq)
#endif

inline load_pixels(reader, slot, seq)
{
    d_step {
        frame_is_whole = (memory[CONTENT(slot)] == seq || evicted[reader]);
        assert(frame_is_whole);
        torn = torn || memory[CONTENT(slot)] != seq
    }
}

#ifdef NO_LAST_CHECK
#define TRUSTED(slot, seq) true
#else
#define TRUSTED(slot, seq) (memory[STATE(slot)] == seq || memory[STATE(slot)] == MARKED(seq))
#endif

/* After its last load the reader checks that it was not evicted meanwhile: the slot must still say what it holds. */
inline last_check(reader, slot, seq)
{
    d_step {
        held_frame_is_trusted = (MAY_BE_LOST(reader) || TRUSTED(slot, seq));
        assert(held_frame_is_trusted);
        trusted_frame_is_whole = (!torn || !TRUSTED(slot, seq));
        assert(trusted_frame_is_whole);
        torn = false
    }
}

#ifdef NO_RELEASE
#define RELEASED(seq) seq
#else
#define RELEASED(seq) 0
#endif

proctype NewestReader()
{
    byte cursor, seq, slot;     /* cursor: the last sequence taken */
    bool torn;

    {
wait_for_frame:
        do
        :: evicted[NEWEST] || cursor == FRAMES -> break
        :: atomic {
#ifdef NO_CURSOR
               memory[HEAD] != 0 ->
#else
               memory[HEAD] != cursor ->
#endif
               seq = memory[HEAD]
           }
           atomic {
               look_up(seq, slot);
               if
               :: slot != NONE -> store(newest_stores, LEASE(NEWEST, slot), seq)
               :: else ->
                  newest_can_be_taken = (published > seq);
                  assert(newest_can_be_taken);
                  seq = 0;
                  slot = 0;
                  goto wait_for_frame
               fi
           }
           atomic {
#ifndef NO_READER_FENCE
               full_fence(newest_stores);
#endif
               if
               :: STILL_HOLDS(slot, seq) ->
                  sequence_increases = (seq > cursor);
                  assert(sequence_increases);
                  cursor = seq
               :: else ->
                  newest_can_be_taken = (published > seq);
                  assert(newest_can_be_taken);
                  store(newest_stores, LEASE(NEWEST, slot), 0);
                  seq = 0;
                  slot = 0;
                  goto wait_for_frame
               fi
           }
           load_pixels(NEWEST, slot, seq);
           load_pixels(NEWEST, slot, seq);
           atomic {
               last_check(NEWEST, slot, seq);
               store(newest_stores, LEASE(NEWEST, slot), RELEASED(seq));
               seq = 0;
               slot = 0
           }
        od;
        finished[NEWEST] = true
    } unless {
        dead[NEWEST]
    }
}

proctype InOrderReader()
{
    byte seq, last_taken, slot; /* seq: the last sequence that was taken or missed */
    bool torn;

    {
wait_for_frame:
        do
        :: evicted[IN_ORDER] || seq == FRAMES -> break
        :: atomic {
               memory[HEAD] > seq ->
               seq++
           }
           atomic {
               look_up(seq, slot);
               if
               :: slot != NONE -> store(in_order_stores, LEASE(IN_ORDER, slot), seq)
               :: else -> slot = 0; goto wait_for_frame
               fi
           }
           atomic {
#ifndef NO_READER_FENCE
               full_fence(in_order_stores);
#endif
               if
               :: STILL_HOLDS(slot, seq) ->
                  sequence_increases = (seq > last_taken);
                  assert(sequence_increases);
                  last_taken = seq
               :: else ->
                  store(in_order_stores, LEASE(IN_ORDER, slot), 0);
                  slot = 0;
                  goto wait_for_frame
               fi
           }
           load_pixels(IN_ORDER, slot, seq);
           load_pixels(IN_ORDER, slot, seq);
           atomic {
               last_check(IN_ORDER, slot, seq);
               store(in_order_stores, LEASE(IN_ORDER, slot), RELEASED(seq));
               slot = 0
           }
        od;
        finished[IN_ORDER] = true
    } unless {
        dead[IN_ORDER]
    }
}

/* ---- Failure ---- */

proctype Failure()
{
    if
    :: dead[NEWEST] = true
    :: dead[IN_ORDER] = true
    :: skip
    fi
}

/* The publisher's service thread sees a hang-up at any moment after the death, also in the middle of a scan. */
proctype Service()
{
end:
    do
#ifdef NO_RECLAIM
    :: false
#else
    :: d_step { dead[NEWEST] && !gone[NEWEST] -> gone[NEWEST] = true }
    :: d_step { dead[IN_ORDER] && !gone[IN_ORDER] -> gone[IN_ORDER] = true }
#endif
    od
}

/* ---- Publisher ---- */

#ifdef PICK_NEWEST
#define IS_NEWEST(slot) false
#else
#define IS_NEWEST(slot) (seq > 1 && holds[slot] == seq - 1)
#endif

#define LEASED(reader, slot) (!gone[reader] && memory[LEASE(reader, slot)])

/* The oldest slot that was not tried for this frame and does not hold the newest one; NONE when there is none left. */
inline pick_oldest()
{
    d_step {
        slot = NONE;
        i = 0;
        do
        :: i == SLOTS -> break
        :: else ->
           if
           :: (tried & (1 << i)) == 0 && !IS_NEWEST(i) && (slot == NONE || holds[i] < holds[slot]) -> slot = i
           :: else
           fi;
           i++
        od;
        slot_is_not_newest = (slot == NONE || published == 0 || holds[slot] != published);
        assert(slot_is_not_newest)
    }
}

/* Evicts a reader that holds a lease, one in a run. Hanging up is a system call: it leaves no earlier store pending. */
inline evict(victim)
{
    d_step {
        len(publisher_stores) == 0 && !evicted[NEWEST] && !evicted[IN_ORDER] &&
        (LEASED(victim, 0) || LEASED(victim, 1) || LEASED(victim, 2)) ->
        evicted[victim] = true;
        gone[victim] = true
    }
}

proctype Publisher()
{
    byte holds[SLOTS];          /* the publisher's own table: it does not ask shared memory what it wrote there */
    byte seq = 1, slot, tried;  /* tried: one bit a slot */

next_slot:
    do
    :: seq > FRAMES -> break
    :: else ->
       atomic {
           pick_oldest();
           if
           :: slot != NONE -> store(publisher_stores, STATE(slot), EXAMINED(holds[slot]))
           :: else ->
              /* Every slot is leased. The frame is dropped and uses up no sequence, or a holder is evicted first. */
              tried = 0;
              slot = 0;
              if
              :: true
#ifndef NO_EVICTION
              :: evict(NEWEST)
              :: evict(IN_ORDER)
#endif
              fi;
              goto next_slot
           fi
       }
#ifndef NO_SCAN
       atomic {
#ifndef NO_PUBLISHER_FENCE
           full_fence(publisher_stores);
#endif
           if
           :: LEASED(NEWEST, slot) -> goto leased
           :: else
           fi
       }
       atomic {
           if
           :: LEASED(IN_ORDER, slot) -> goto leased
           :: else
           fi
       }
#endif
progress:
       atomic {
           store(publisher_stores, STATE(slot), 0);
           store(publisher_stores, CONTENT(slot), TORN);
           store(publisher_stores, CONTENT(slot), seq);
           store(publisher_stores, STATE(slot), seq);
           store(publisher_stores, INDEX(seq), INDEX_WORD(seq, slot));
           store(publisher_stores, HEAD, seq);
           published = seq;
           holds[slot] = seq;
           seq++;
           slot = 0;
           tried = 0;
           goto next_slot
       }
leased:
       atomic {
#ifndef NO_RESTORE
           store(publisher_stores, STATE(slot), holds[slot]);
#endif
           tried = tried | (1 << slot);
           slot = 0
       }
    od;

    /* Nothing else can move: the buffers are empty, the readers have ended, every hang-up has been handled. */
    timeout ->
    d_step {
        i = 0;
        do
        :: i == SLOTS -> break
        :: else ->
           slot_can_be_picked = !LEASED(NEWEST, i) && !LEASED(IN_ORDER, i);
           assert(slot_can_be_picked);
           slot_holds_its_frame = (memory[STATE(i)] == holds[i]);
           assert(slot_holds_its_frame);
           i++
        od;
        reader_is_at_rest = (finished[NEWEST] || dead[NEWEST]) && (finished[IN_ORDER] || dead[IN_ORDER]);
        assert(reader_is_at_rest)
    }
}

init
{
    atomic {
        run StoreBuffer(newest_stores);
        run StoreBuffer(in_order_stores);
        run StoreBuffer(publisher_stores);
        run Publisher();
        run Service();
        run NewestReader();
        run InOrderReader();
        run Failure()
    }
}
