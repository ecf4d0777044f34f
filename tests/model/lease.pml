/*
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The lease protocol of CuFrames as a model for spin. README.md says what a run proves and what it leaves out.
 *
 * Processes: one publisher, one reader of the newest frame, one in-order reader, the publisher's service thread, which
 * takes back the page of a dead reader, and one failure, which kills one reader or none before any of its steps. The
 * publisher may also evict one reader when every slot is leased. A ring of 3 slots, FRAMES published frames.
 *
 * With STREAM_RELEASE or EVENT_RELEASE the reader of the newest frame hands each frame over to a GPU and goes on; the GPU
 * loads the pixels any time later and ends the lease, in the order in which it was given the frames.
 *   STREAM_RELEASE   the GPU writes zero into the lease word. The reader never asks whether it has.
 *   EVENT_RELEASE    the reader records an event behind the GPU's work, then marks the lease word. The publisher counts a
 *                    marked word as a lease until it sees the event complete. The reader writes zero, or leases the slot
 *                    again, after it has seen the event complete.
 *
 * Memory: x86-TSO. A store goes into the store buffer of its process, first in, first out, and reaches the memory at
 * any later moment. A load reads the memory; no process loads a word that it stores itself, so no load has to look into
 * a buffer. A full fence lets its process go on only when its buffer is empty. The buffers hold as many stores as a
 * process ever has between two fences. What the GPU stores goes through a buffer of the GPU's own, which nobody can fence.
 *
 * The shared words, who writes and who reads them:
 *   state[slot]          publisher -> readers    the sequence that the slot holds, with EXAMINED added while the publisher
 *                                                looks for leases; 0 while it is being written
 *   content[slot]        publisher -> readers    the pixels: TORN while half written, then the sequence of their frame
 *   index[seq & mask]    publisher -> readers    sequence and slot in one word
 *   head                 publisher -> readers    the newest sequence
 *   lease[reader][slot]  reader -> publisher     the sequence that the reader holds in the slot, 0 for none; marked when
 *                                                an event ends it. With STREAM_RELEASE the GPU writes the 0
 *   recorded[slot]       reader -> publisher     the event: the sequence that it was last recorded behind,
 *   completed[slot]      GPU -> both             and the last one that the GPU is done with. An event that was never
 *                                                recorded is complete, as in CUDA
 *
 * Steps: a step holds at most one load of a shared word. What a process does after it, up to its next load, is seen by
 * nobody else (its stores only enter its own buffer), so it belongs to the same step. That drops states, not behaviour.
 *
 * Asserted where it happens:
 *   frame_is_whole          a reader loads from a slot that it leased the frame that it asked for, at each of its two
 *                           loads; not asserted for an evicted reader, whose leases do not count any more. So does a
 *                           GPU, at its load, unless its reader was evicted or has died
 *   trusted_frame_is_whole  nobody, not even an evicted reader, trusts anything else: its last check finds out
 *   held_frame_is_trusted   a reader that was not evicted finds at its last check that the frame is still its own, also
 *                           while the publisher examines the slot
 *   sequence_increases      a reader never takes a sequence twice and never goes back
 *   slot_is_not_newest      the publisher never picks the newest frame's slot
 *   newest_can_be_taken     a reader fails to take the newest frame only if a newer one has been published meanwhile
 *   release_is_carried_out  with STREAM_RELEASE: a reader that was not evicted never leases a slot for which the GPU has
 *                           still a zero to write
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
 * With STREAM_RELEASE:
 *   EARLY_RELEASE       the reader writes zero as soon as the GPU has the frame        frame_is_whole
 *   RELEASE_TWICE       the GPU writes zero twice for one lease                        release_is_carried_out
 * With EVENT_RELEASE:
 *   EARLY_RELEASE       the reader writes zero as soon as the GPU has the frame        frame_is_whole
 *   NO_EVENT_QUERY      the publisher takes a marked word for zero                     frame_is_whole
 *   BIT_BEFORE_RECORD   the reader marks the word before it records the event          frame_is_whole
 *   LEASE_UNFINISHED    the reader leases a slot again without noting that the
 *                       earlier release is over, and writes that one's zero later      frame_is_whole
 * SEQUENTIAL takes the store buffers away (each store waits until it is in memory). It breaks nothing, even without
 * either fence: what the two variants without a fence show is the work of the buffers and of nothing else.
 * NO_EVICTION, FRAMES=n and SLOTS=n (2 or 3) make the model smaller or larger.
 */

#if defined(STREAM_RELEASE) || defined(EVENT_RELEASE)
#define GPU_RELEASE
#endif

#ifndef FRAMES
#define FRAMES 5                /* the fourth frame reuses a slot, the fifth an index word */
#endif

#ifndef SLOTS
#define SLOTS      3
#endif

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
#define RECORDED(slot)      (LEASE(READERS, 0) + (slot))
#define COMPLETED(slot)     (RECORDED(SLOTS) + (slot))

#ifdef EVENT_RELEASE
#define WORDS COMPLETED(SLOTS)
#else
#define WORDS LEASE(READERS, 0)
#endif

#define INDEX_WORD(seq, slot) ((seq) * INDEX_SIZE + (slot))
#define WORD_SEQ(word)        ((word) / INDEX_SIZE)
#define WORD_SLOT(word)       ((word) % INDEX_SIZE)

byte memory[WORDS];

/*
 * Address and value. A reader has at most a release and the next lease pending, the publisher a 0, a frame and a mark. A
 * reader with events has a zero for each slot, a record, a mark and the next lease. The GPU has a store for each slot.
 */
#ifdef EVENT_RELEASE
chan newest_stores = [SLOTS + 3] of { byte, byte };
#else
chan newest_stores = [2] of { byte, byte };
#endif
chan in_order_stores = [2] of { byte, byte };
chan publisher_stores = [7] of { byte, byte };

#ifdef GPU_RELEASE
chan gpu_stores = [2 * SLOTS] of { byte, byte };
chan gpu_work = [SLOTS] of { byte, byte };      /* slot and sequence, in the order of the stream */
#endif

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
hidden byte release_is_carried_out;
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

#ifdef GPU_RELEASE
/*
 * The reader's steps that differ. What it tells the GPU is a system call or a doorbell, which the GPU may see at once,
 * before any of the stores that belong to it.
 */
inline hand_over(slot, seq)
{
#ifdef BIT_BEFORE_RECORD
    store(newest_stores, LEASE(NEWEST, slot), MARKED(seq));
#endif
    gpu_work ! slot, seq;
#ifdef EVENT_RELEASE
    store(newest_stores, RECORDED(slot), seq);
#ifndef BIT_BEFORE_RECORD
    store(newest_stores, LEASE(NEWEST, slot), MARKED(seq));
#endif
    unfinished[slot] = seq;
#endif
#ifdef EARLY_RELEASE
    store(newest_stores, LEASE(NEWEST, slot), 0)
#else
    skip
#endif
}

/* The reader writes zero for a release that it has seen the GPU carry out. It knows without a load what it recorded. */
inline finish(slot)
{
    unfinished[slot] != 0 && memory[COMPLETED(slot)] >= unfinished[slot] ->
    store(newest_stores, LEASE(NEWEST, slot), 0);
    unfinished[slot] = 0
}

/* Also called while a frame is held: a reader with several leases takes and releases in any order. */
inline finish_any()
{
    if
    :: atomic { finish(0) }
    :: atomic { finish(1) }
#if SLOTS > 2
    :: atomic { finish(2) }
#endif
    :: true
    fi
}

/* Whether the GPU has still a zero to write into a slot's lease word. For the assertion only: no reader can know. */
#define IS_QUEUED(slot) (gpu_work ?? [eval(slot), _] || gpu_stores ?? [eval(LEASE(NEWEST, slot)), _])

proctype Gpu()
{
    byte slot, seq;

end:
    do
    :: atomic {
           gpu_work ? slot, seq ->
           frame_is_whole = (memory[CONTENT(slot)] == seq || evicted[NEWEST] || dead[NEWEST]);
           assert(frame_is_whole);
#ifdef STREAM_RELEASE
           store(gpu_stores, LEASE(NEWEST, slot), 0);
#ifdef RELEASE_TWICE
           store(gpu_stores, LEASE(NEWEST, slot), 0);
#endif
#else
           store(gpu_stores, COMPLETED(slot), seq);
#endif
           slot = 0;
           seq = 0
       }
    od
}
#endif

proctype NewestReader()
{
    byte cursor, seq, slot;     /* cursor: the last sequence taken */
#ifdef EVENT_RELEASE
    byte unfinished[SLOTS];     /* the sequence whose release by an event the reader has not seen carried out; 0 for none */
#endif
#ifndef GPU_RELEASE
    bool torn;
#endif

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
#ifdef EVENT_RELEASE
               :: slot != NONE -> skip
#else
               :: slot != NONE ->
#ifdef STREAM_RELEASE
#ifndef EARLY_RELEASE /* which breaks this too, and is to show the torn frame */
                  release_is_carried_out = (evicted[NEWEST] || !IS_QUEUED(slot));
                  assert(release_is_carried_out);
#endif
#endif
                  store(newest_stores, LEASE(NEWEST, slot), seq)
#endif
               :: else ->
                  newest_can_be_taken = (published > seq);
                  assert(newest_can_be_taken);
                  seq = 0;
                  slot = 0;
                  goto wait_for_frame
               fi
           }
#ifdef EVENT_RELEASE
           atomic {
               memory[COMPLETED(slot)] >= unfinished[slot] ->
#ifndef LEASE_UNFINISHED
               unfinished[slot] = 0;
#endif
               store(newest_stores, LEASE(NEWEST, slot), seq)
           }
#endif
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
#ifdef EVENT_RELEASE
           finish_any();
#endif
#ifndef GPU_RELEASE
           load_pixels(NEWEST, slot, seq);
           load_pixels(NEWEST, slot, seq);
#endif
           atomic {
#ifdef GPU_RELEASE
               hand_over(slot, seq);
#else
               last_check(NEWEST, slot, seq);
               store(newest_stores, LEASE(NEWEST, slot), RELEASED(seq));
#endif
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

#ifdef EVENT_RELEASE
#define IS_MARKED(slot)   (memory[LEASE(NEWEST, slot)] >= MARKED(0))
#define IS_COMPLETE(slot) (memory[COMPLETED(slot)] >= memory[RECORDED(slot)])
#define IS_ENDED(slot)    (IS_MARKED(slot) && IS_COMPLETE(slot))
#else
#define IS_ENDED(slot)    false
#endif

/* What the publisher's steps 2 and 3 come to, in one look. For choices that are nobody's guarantee, and for assertions. */
#define HOLDS(reader, slot) (LEASED(reader, slot) && !(reader == NEWEST && IS_ENDED(slot)))

#if SLOTS > 2
#define HOLDS_ANY(reader) (HOLDS(reader, 0) || HOLDS(reader, 1) || HOLDS(reader, 2))
#else
#define HOLDS_ANY(reader) (HOLDS(reader, 0) || HOLDS(reader, 1))
#endif

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
        HOLDS_ANY(victim) ->
        evicted[victim] = true;
        gone[victim] = true
    }
}

proctype Publisher()
{
    byte holds[SLOTS];          /* the publisher's own table: it does not ask shared memory what it wrote there */
    byte seq = 1, slot, tried;  /* tried: one bit a slot */
#ifdef EVENT_RELEASE
    bool ask_event;             /* the lease word is marked: the event tells whether the slot is leased */
#endif

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
#ifdef EVENT_RELEASE
           :: LEASED(NEWEST, slot) && !IS_MARKED(slot) -> goto leased
#ifndef NO_EVENT_QUERY
           :: LEASED(NEWEST, slot) && IS_MARKED(slot) -> ask_event = true
#endif
#else
           :: LEASED(NEWEST, slot) -> goto leased
#endif
           :: else
           fi
       }
#if defined(EVENT_RELEASE) && !defined(NO_EVENT_QUERY)
       if
       :: atomic {
              ask_event ->
              ask_event = false;
              if
              :: !gone[NEWEST] && !IS_COMPLETE(slot) -> goto leased
              :: else
              fi
          }
       :: !ask_event
       fi;
#endif
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
           slot_can_be_picked = !HOLDS(NEWEST, i) && !HOLDS(IN_ORDER, i);
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
#ifdef GPU_RELEASE
        run StoreBuffer(gpu_stores);
        run Gpu();
#endif
        run Publisher();
        run Service();
        run NewestReader();
        run InOrderReader();
        run Failure()
    }
}
