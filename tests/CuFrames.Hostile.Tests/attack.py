#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks a server of HTTP/1.1 (TCP) or HTTP/2 (Unix socket), as another user if asked to, until its standard input ends.

    attack.py KIND TARGET [--user N] [--seed N] [--connections N]

TARGET is unix:PATH or ADDRESS:PORT. Prints a line when the attack is under way, and at the end one of JSON with what it has done.
"""

import argparse
import json
import os
import random
import select
import socket
import struct
import sys
import threading
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SERVICE = b"/cuframes.control.v1.Control/"
METHODS = [b"GetDaemon", b"ListCameras", b"GetCamera", b"ListReaders", b"WatchEvents", b"GetStatistics", b"TakeSnapshot", b"AddCamera", b"EvictReader", b"Nothing"]
PATHS = [b"/", b"/metrics", b"/health/live", b"/health/ready", b"/health/cameras/pattern", b"/events/stream", b"/api/cameras", b"/api/login", b"/tiles", b"/../etc/passwd", b"/%00%ff", b"//", b"/a?b"]


class Attack:
    def __init__(self, kind, target, connections, seed):
        self.kind, self.target, self.connections = kind, target, connections
        self.is_unix = target.startswith("unix:")
        self.random = random.Random(seed)
        self.end = threading.Event()
        self.counts = {"connections": 0, "refused": 0, "answers": 0, "sent": 0, "most_open": 0}

    def connect(self):
        try:
            if self.is_unix:
                connection = socket.socket(socket.AF_UNIX)
                connection.settimeout(1)
                connection.connect(self.target[5:])
            else:
                address, port = self.target.rsplit(":", 1)
                connection = socket.create_connection((address, int(port)), timeout=1)
        except OSError:
            self.counts["refused"] += 1
            return None
        self.counts["connections"] += 1
        return connection

    def send(self, connection, data):
        try:
            connection.sendall(data)
            self.counts["sent"] += len(data)
            return True
        except OSError:
            return False

    def look(self, connection, seconds):
        """Reads a little of what comes."""
        connection.settimeout(seconds)
        try:
            if connection.recv(65536):
                self.counts["answers"] += 1
        except OSError:
            pass

    # ------------------------------------------------------------------------------------------------ HTTP/2

    @staticmethod
    def frame(kind, flags, stream, payload, length=None):
        return struct.pack(">I", len(payload) if length is None else length)[1:] + bytes([kind & 255, flags & 255]) + struct.pack(">I", stream & 0xFFFFFFFF) + payload

    @staticmethod
    def header(name, value):
        def text(what):
            # Lengths from 127 on need a second byte.
            size = len(what)
            if size < 127:
                return bytes([size]) + what
            rest, tail = size - 127, b""
            while rest >= 128:
                tail += bytes([rest % 128 + 128])
                rest //= 128
            return bytes([127]) + tail + bytes([rest]) + what
        return b"\x00" + text(name) + text(value)

    def call(self, method, more=b""):
        return b"".join(self.header(*pair) for pair in (
            (b":method", b"POST"), (b":scheme", b"http"), (b":path", SERVICE + method), (b":authority", b"x"), (b"content-type", b"application/grpc"), (b"te", b"trailers"))) + more

    def begin(self):
        return PREFACE + self.frame(4, 0, 0, b"")

    def any_frame(self):
        chance = self.random
        stream = chance.choice([0, 1, 1, 3, 5, 2, 7, 0x7FFFFFFF, 0xFFFFFFFF])
        choice = chance.randrange(14)
        if choice == 0:
            return self.frame(chance.randrange(256), chance.randrange(256), stream, chance.randbytes(chance.randrange(200)))
        if choice == 1:
            return self.frame(chance.randrange(10), chance.randrange(256), stream, b"", length=chance.choice([0, 1, 16384, 16385, 0xFFFFFF]))
        if choice == 2:
            return self.frame(1, 4 | chance.randrange(2), stream | 1, self.call(chance.choice(METHODS)))
        if choice == 3:
            return self.frame(1, 5, stream | 1, chance.randbytes(chance.randrange(400)))
        if choice == 4:
            return self.frame(0, 1, stream | 1, struct.pack(">BI", chance.randrange(3), chance.choice([0, 5, 0xFFFFFFFF, 4 << 20])) + chance.randbytes(chance.randrange(50)))
        if choice == 5:
            return self.frame(8, 0, stream, struct.pack(">I", chance.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF])))
        if choice == 6:
            return self.frame(4, chance.randrange(2), 0, b"".join(struct.pack(">HI", chance.randrange(10), chance.choice([0, 1, 0xFFFFFFFF, 0x7FFFFFFF, 16384])) for _ in range(chance.randrange(6))))
        if choice == 7:
            return self.frame(3, 0, stream | 1, struct.pack(">I", chance.randrange(15)))
        if choice == 8:
            return self.frame(6, chance.randrange(2), 0, chance.randbytes(8)) * chance.randrange(1, 60)
        if choice == 9:
            return self.frame(1, 0, stream | 1, self.call(b"GetDaemon")) + self.frame(9, 0, stream | 1, b"") * chance.randrange(40)
        if choice == 10:
            return self.frame(2, 0, stream, chance.randbytes(5))
        if choice == 11:
            return self.frame(7, 0, 0, chance.randbytes(8 + chance.randrange(30)))
        if choice == 12:
            return self.frame(1, 4, stream | 1, self.call(b"ListCameras")) + self.frame(0, 8 | 1, stream | 1, bytes([255]) + chance.randbytes(4))
        return self.frame(1, 5, stream | 1, self.call(b"WatchEvents", self.header(b"grpc-timeout", chance.choice([b"1n", b"99999999H", b"x", b"-1S", chance.randbytes(9)]))))

    # ------------------------------------------------------------------------------------------------ HTTP/1.1

    def any_request(self):
        chance = self.random
        path, host = chance.choice(PATHS), b"Host: 127.0.0.1\r\n"
        choice = chance.randrange(12)
        if choice == 0:
            return chance.randbytes(chance.randrange(1, 600))
        if choice == 1:
            return chance.choice([b"GET", b"POST", b"PUT", b"TRACE", b"CONNECT", b"GE T", b"", chance.randbytes(5)]) + b" " + path + b" HTTP/" + chance.choice([b"1.1", b"1.0", b"9.9", b"2.0", b""]) + b"\r\n" + host + b"\r\n"
        if choice == 2:
            return b"POST " + path + b" HTTP/1.1\r\n" + host + b"Content-Type: application/json\r\nContent-Length: " + chance.choice([b"-1", b"99999999999999999999", b"5, 6", b"0x10", b"10", b""]) + b"\r\n\r\n{}"
        if choice == 3:
            return b"POST " + path + b" HTTP/1.1\r\n" + host + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + chance.choice([b"FFFFFFFFFFFFFFFF\r\n", b"5\r\nabc", b"zz\r\n", b"-1\r\n\r\n", b"1;" + b"a" * 3000])
        if choice == 4:
            return b"POST " + path + b" HTTP/1.1\r\n" + host + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n" + host + b"\r\n"
        if choice == 5:
            return b"GET " + path + b" HTTP/1.1\r\n" + chance.choice([b"", b"Host: \r\n", b"Host: evil.example\r\n", host * 2, b"Host: [::1\r\n", b"Host : x\r\n"]) + b"\r\n"
        if choice == 6:
            return b"GET " + path + b" HTTP/1.1\r\n" + host + b"Authorization: Bearer " + chance.randbytes(chance.randrange(200)).replace(b"\n", b" ") + b"\r\n\r\n"
        if choice == 7:
            return b"GET " + path + b" HTTP/1.1\r\n" + host + b"Cookie: " + b"a=b; " * chance.randrange(300) + b"\r\n\r\n"
        if choice == 8:
            return b"POST " + path + b" HTTP/1.1\r\n" + host + b"Content-Type: application/json\r\nContent-Length: 200\r\n\r\n" + b"[" * 200
        if choice == 9:
            return (b"GET " + path + b" HTTP/1.1\r\n" + host + b"\r\n") * chance.randrange(1, 40)
        if choice == 10:
            return b"GET " + path + b" HTTP/1.1\r\n" + host + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
        return PREFACE + b"\0" * 30

    # ------------------------------------------------------------------------------------------------ kinds

    def whole(self):
        """A request that the server answers."""
        if self.is_unix:
            return self.begin() + self.frame(1, 4, 1, self.call(b"ListCameras")) + self.frame(0, 1, 1, b"\0\0\0\0\0")
        return b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

    def one(self):
        """One connection of an attack that makes them one after the other."""
        chance, connection = self.random, self.connect()
        if connection is None:
            # A listener whose queue is full refuses for a moment.
            time.sleep(0.001)
            return
        with connection:
            if self.kind == "malformed":
                data = (chance.choice([b"", self.begin(), PREFACE]) + b"".join(self.any_frame() for _ in range(chance.randrange(1, 12)))) if self.is_unix else b"".join(self.any_request() for _ in range(chance.randrange(1, 4)))
                self.send(connection, data)
                self.look(connection, 0.005)
            elif self.kind == "huge":
                big = b"x" * chance.choice([5000, 20000, 70000, 1 << 20])
                if self.is_unix:
                    block = self.call(b"GetDaemon", self.header(b"x-" + big[:60], big))
                    parts = [block[i:i + 16000] for i in range(0, len(block), 16000)]
                    self.send(connection, self.begin() + self.frame(1, 4 if len(parts) == 1 else 0, 1, parts[0]) + b"".join(self.frame(9, 4 if i == len(parts) - 2 else 0, 1, part) for i, part in enumerate(parts[1:])))
                else:
                    self.send(connection, chance.choice([
                        b"GET /" + big + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + big + b"\r\n\r\n",
                        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: y\r\n" * (len(big) // 6) + b"\r\n",
                        b"POST /api/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1048576\r\n\r\n" + big]))
                self.look(connection, 0.005)
            elif self.kind == "half":
                data = self.whole()
                self.send(connection, data[:chance.randrange(1, len(data))])
                if chance.random() < 0.5:
                    # Closed at once and without a farewell: the other side reads a reset.
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif self.kind == "resets":
                # Calls that are taken back as soon as they are made (CVE-2023-44487).
                calls = b"".join(self.frame(1, 5, stream, self.call(b"ListCameras")) + self.frame(3, 0, stream, b"\0\0\0\x08") for stream in range(1, 400, 2))
                self.send(connection, self.begin() + calls)
                self.look(connection, 0.005)
            # "flood": nothing but the connection.

    def hold(self):
        """Many connections at once that are slow, silent, or take no answer."""
        text = self.whole() if self.kind != "silent" else b""
        if self.kind == "slow" and not self.is_unix:
            text = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X-Wait: more\r\n" * 500
        if self.kind == "deaf":
            # Answers that nobody takes: as many calls as a connection may have.
            text = (self.begin() + b"".join(self.frame(1, 4, stream, self.call(b"WatchEvents" if stream % 4 == 1 else b"ListCameras")) + self.frame(0, 1, stream, b"\0\0\0\0\0") for stream in range(1, 180, 2))) \
                if self.is_unix else b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 200
        open_ones = {}
        while not self.end.is_set():
            for _ in range(min(20, self.connections - len(open_ones))):
                connection = self.connect()
                if connection is None:
                    break
                connection.setblocking(False)
                open_ones[connection] = 0
            self.counts["most_open"] = max(self.counts["most_open"], len(open_ones))
            for connection, place in list(open_ones.items()):
                step = len(text) if self.kind == "deaf" else 1
                if place < len(text) and (self.kind == "deaf" or self.random.random() < 0.05):
                    try:
                        count = connection.send(text[place:place + step])
                        self.counts["sent"] += count
                        open_ones[connection] = place + count
                    except BlockingIOError:
                        pass
                    except OSError:
                        connection.close()
                        del open_ones[connection]
            if self.kind != "deaf":
                # The server's end of a connection, which a slow client notices like any other.
                for connection in select.select(list(open_ones), [], [], 0)[0] if len(open_ones) < 1000 else []:
                    try:
                        is_over = not connection.recv(4096)
                    except BlockingIOError:
                        continue
                    except OSError:
                        is_over = True
                    if is_over:
                        connection.close()
                        del open_ones[connection]
                    else:
                        self.counts["answers"] += 1
            self.end.wait(0.05)
        for connection in open_ones:
            connection.close()

    def burn(self):
        """No attack: what any busy program does to a machine with few cores."""
        while not self.end.is_set():
            sum(range(10000))

    def run(self):
        if self.kind == "burn":
            self.burn()
        elif self.kind in ("slow", "silent", "deaf"):
            self.hold()
        else:
            while not self.end.is_set():
                self.one()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["malformed", "huge", "half", "resets", "flood", "slow", "silent", "deaf", "burn"])
    parser.add_argument("target")
    parser.add_argument("--user", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--connections", type=int, default=400)
    options = parser.parse_args()
    if options.user:
        os.setgroups([])
        os.setgid(options.user)
        os.setuid(options.user)
    attack = Attack(options.kind, options.target, options.connections, options.seed)
    thread = threading.Thread(target=attack.run)
    thread.start()
    print("ready", flush=True)
    sys.stdin.read()
    attack.end.set()
    thread.join()
    print(json.dumps(attack.counts), flush=True)


if __name__ == "__main__":
    main()
