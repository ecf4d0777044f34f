# SPDX-License-Identifier: LGPL-2.1-or-later
"""Signals, forks, the interpreter's end, and what piles up."""

import os
import signal
import subprocess
import sys
import threading
import time

import cuframes
import pytest
import support

PRELUDE = """
import cuframes, os, signal, sys
directory = sys.argv[1]
publisher = cuframes.Publisher("a", "gray8", 64, 48, directory=directory)
"""


@pytest.mark.parametrize("wait", [
    "subscriber.next()", "subscriber.next(60)", "next(subscriber)", "__import__('asyncio').run(subscriber.next_async())",
])
def test_control_c_ends_a_wait(directory, wait):
    code = PRELUDE + f"""
subscriber = cuframes.Subscriber("a", directory=directory)
try:
    print("waiting", flush=True)
    {wait}
except KeyboardInterrupt:
    publisher.publish(bytes(64 * 48))
    print("interrupted, and then frame", subscriber.next(5).sequence, flush=True)
"""
    environment = {**os.environ, "PYTHONPATH": str(support.PACKAGE)}
    with subprocess.Popen([sys.executable, "-c", code, directory], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout.readline() == "waiting\n"
        time.sleep(0.3)  # Into the wait.
        process.send_signal(signal.SIGINT)
        # A wait that does not end must not hold the tests up.
        killer = threading.Timer(support.PATIENCE, process.kill)
        killer.start()
        assert process.stdout.readline() == "interrupted, and then frame 1\n"
        killer.cancel()
        assert process.wait(support.PATIENCE) == 0


def test_signal_handlers_of_python_run_during_a_wait(directory):
    done = support.run_python(PRELUDE + """
subscriber = cuframes.Subscriber("a", directory=directory)
signal.signal(signal.SIGALRM, lambda *_: publisher.publish(bytes(64 * 48)))
signal.setitimer(signal.ITIMER_REAL, 0.2)
print(subscriber.next(30).sequence)
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL and signal.getsignal(signal.SIGINT) is signal.default_int_handler
""", directory)
    assert done.stdout == "1\n"


def test_a_child_that_was_forked_afterwards_is_refused(directory):
    support.run_python(PRELUDE + """
subscriber = cuframes.Subscriber("a", directory=directory, leases=2)
publisher.publish(bytes(64 * 48))
frame = subscriber.next(5)
held = memoryview(frame.y.memoryview())
child = os.fork()
if child == 0:
    status = 1
    try:
        calls = [
            lambda: cuframes.Subscriber("a", directory=directory), lambda: cuframes.Publisher("b", "gray8", 64, 48, directory=directory), lambda: subscriber.next(5),
            cuframes.list_streams, lambda: publisher.publish(bytes(64 * 48)), lambda: subscriber.info, lambda: frame.check(), lambda: frame.y.row(0), lambda: frame.to_host(),
            cuframes.runtime_directory, subscriber.interrupt]
        refused = 0
        for number, call in enumerate(calls):
            try:
                call()
                print("call", number, "was not refused", flush=True)
            except cuframes.ForkError as error:
                assert error.code == 1003 and "fork" in str(error).lower()
                refused += 1
        # Letting go of things in the child is no error, and changes nothing.
        del held
        del frame
        subscriber.close()
        publisher.close()
        status = 0 if refused == len(calls) else 2
    finally:
        sys.stdout.flush()
        os._exit(status)
assert os.waitpid(child, 0)[1] == 0
assert frame.is_valid and publisher.info.held_slots == 1 and publisher.info.subscribers == 1
publisher.publish(bytes(64 * 48))
assert subscriber.next(5).sequence == 2
""", directory)


def test_processes_that_only_imported_may_fork(peers, directory):
    peers("publish", "--key", "a", "--format", "nv12:94x62", "--fps", 200).expect("ready")
    done = support.run_python("""
import multiprocessing, sys
import cuframes

def read(index):
    import checker
    with cuframes.Subscriber("a", directory=sys.argv[1], timeout=60) as subscriber:
        look = checker.Checker()
        for _ in range(50):
            with subscriber.next() as frame:
                look.count(frame)
                look.verify(frame)
        return look.is_clean and look.frames

assert cuframes.library_version() and cuframes.Frame
with multiprocessing.get_context("fork").Pool(3) as pool:
    print(pool.map(read, range(3)))
with cuframes.Subscriber("a", directory=sys.argv[1], timeout=60) as subscriber:
    subscriber.next().release()
with multiprocessing.get_context("fork").Pool(1) as pool:
    try:
        pool.map(read, range(1))
    except cuframes.ForkError as error:
        print(error.code, "spawn" in str(error))
""", directory)
    assert done.stdout == "[50, 50, 50]\n1003 True\n"


def test_importing_loads_nothing():
    support.run_python("""
import cuframes, threading
maps = open("/proc/self/maps").read()
assert "libcuframes" not in maps and threading.active_count() == 1
""")


def test_the_end_of_the_interpreter_is_the_end_of_streams(directory):
    done = support.run_python(PRELUDE + """
def tell(event):
    pass

subscriber = cuframes.Subscriber("a", directory=directory, on_event=tell)
other = cuframes.Publisher("b", "gray8", 64, 48, directory=directory, on_event=tell)
publisher.publish(bytes(64 * 48))
frame = subscriber.next(5)
view = frame.y.memoryview()
capsule = frame.y.__dlpack__()
cycle = [frame, view, capsule]
cycle.append(cycle)
sys.modules["builtins"].kept = (publisher, subscriber, other, frame, view, capsule, cycle)
cuframes.set_log(print, "information")
""", directory)
    assert done.stderr == ""
    assert not [name for name in os.listdir(directory) if name.endswith(".sock")]


def counts():
    """Descriptors, threads and KiB of memory of this process."""
    with open("/proc/self/status") as status:
        facts = dict(line.split(":", 1) for line in status)
    return len(os.listdir("/proc/self/fd")), int(facts["Threads"]), int(facts["VmRSS"].split()[0])


def test_nothing_piles_up_over_a_thousand_subscribers_and_publishers(directory):
    def cycle():
        with cuframes.Publisher("a", "gray8", 64, 48, directory=directory) as publisher:
            with cuframes.Subscriber("a", directory=directory, on_event=lambda event: None) as subscriber:
                subscriber.fileno()
                publisher.publish(bytes(64 * 48))
                with subscriber.next(10) as frame:
                    frame.y.row(0)
                    frame.y.__dlpack__()

    for _ in range(200):
        cycle()
    descriptors, threads, memory = counts()
    for _ in range(1000):
        cycle()
    support.wait_until(lambda: counts()[0] <= descriptors and counts()[1] <= threads, f"{descriptors} descriptors and {threads} threads again")
    # The heaps of both runtimes keep some slack; what piled up would be a multiple of it.
    assert counts()[2] < memory + 8 * 1024


def test_nothing_piles_up_over_a_hundred_thousand_frames(directory):
    with cuframes.Publisher("a", "gray8", 64, 48, directory=directory) as publisher, cuframes.Subscriber("a", directory=directory, timeout=90) as subscriber:
        def cycle(count):
            for _ in range(count):
                with publisher.frame():
                    pass
                with subscriber.next() as frame:
                    frame.y.memoryview()
                    frame.y.__dlpack__()
                    frame.y.__array_interface__

        cycle(10_000)
        descriptors, threads, memory = counts()
        cycle(100_000)
        support.wait_until(lambda: counts()[0] <= descriptors and counts()[1] <= threads, f"{descriptors} descriptors and {threads} threads again")
        assert counts()[2] < memory + 4 * 1024
        assert support.held(subscriber) == 0 and subscriber.info.missed == 0
