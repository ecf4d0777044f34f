#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts a daemon in a network of its own and looks for what can be reached from another machine.

    scan.py COMMAND...      runs COMMAND until its standard error has said what READY names, then looks

Makes two network namespaces with a pair of veth between them: the daemon's machine, and another one, which tries to connect to each of the 65,535
ports of TCP, by IPv4 and by IPv6. A listener of our own on one port shows that such a port would be found. Prints JSON: the sockets of internet
protocols that the daemon's process has, and the ports that the other machine found open. Needs root, or user namespaces.
"""

import errno
import json
import os
import re
import select
import socket
import subprocess
import sys

ADDRESSES = [("192.0.2.1", "192.0.2.2", 24), ("2001:db8::1", "2001:db8::2", 64)]
KNOWN_PORT = 4711
READY = [b"[101 ready]", b"[700 control-ready]", b"[720 web-ready]"]


def ip(*arguments, inside=None):
    enter = ["nsenter", f"--net=/proc/{inside}/ns/net"] if inside else []
    subprocess.run([*enter, "ip", *arguments], check=True)


def sockets_of(process):
    """The process's sockets in /proc/net, which is the kernel's list (sock_diag gives the same)."""
    own = set()
    for name in os.listdir(f"/proc/{process}/fd"):
        try:
            match = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(f"/proc/{process}/fd/{name}"))
        except FileNotFoundError:
            continue
        if match:
            own.add(match[1])
    found = []
    for kind in ("tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6", "icmp", "icmp6"):
        path = f"/proc/{process}/net/{kind}"
        if not os.path.exists(path):
            continue
        for line in open(path).read().splitlines()[1:]:
            words = line.split()
            if words[9] in own:
                address, port = words[1].split(":")
                found.append({"kind": kind, "address": readable(address), "port": int(port, 16), "listens": not kind.startswith("tcp") or words[3] == "0A"})
    return found


def readable(text):
    # Words of 32 bits in the machine's order.
    raw = b"".join(bytes.fromhex(text[i:i + 8])[::-1] for i in range(0, len(text), 8))
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def scan(address):
    """All ports that take a connection, tried some hundreds at a time."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found, pending, left, poll = [], {}, iter(range(1, 65536)), select.poll()
    refused = 0

    def judge(connection, port, error):
        nonlocal refused
        if error == 0:
            found.append(port)
        elif error == errno.ECONNREFUSED:
            refused += 1
        else:
            raise OSError(error, f"port {port}: {os.strerror(error)}")
        connection.close()

    more = True
    while more or pending:
        while more and len(pending) < 500:
            port = next(left, None)
            if port is None:
                more = False
                break
            connection = socket.socket(family, socket.SOCK_STREAM)
            connection.setblocking(False)
            error = connection.connect_ex((address, port))
            if error == errno.EINPROGRESS:
                pending[connection.fileno()] = (connection, port)
                poll.register(connection, select.POLLOUT)
            else:
                judge(connection, port, error)
        for number, _ in poll.poll(10000) if pending else []:
            connection, port = pending.pop(number)
            poll.unregister(number)
            judge(connection, port, connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    return {"open": found, "refused": refused}


def main():
    if sys.argv[1] == "--connect":
        print(json.dumps(scan(sys.argv[2])))
        return
    if sys.argv[1] != "--inside":
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        os.execvp("unshare", ["unshare", *user, "--net", "--fork", "--kill-child", sys.executable, __file__, "--inside", *sys.argv[1:]])

    ip("link", "set", "lo", "up")
    with subprocess.Popen(["unshare", "--net", "sh", "-c", "echo ready; exec sleep 600"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as other:
        try:
            print(json.dumps(look(other)))
        finally:
            other.kill()


def look(other):
    other.stdout.readline()
    ip("link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", str(other.pid))
    for own, far, length in ADDRESSES:
        more = ["nodad"] if ":" in own else []
        ip("address", "add", f"{own}/{length}", "dev", "wire", *more)
        ip("address", "add", f"{far}/{length}", "dev", "wire", *more, inside=other.pid)
    ip("link", "set", "wire", "up")
    ip("link", "set", "wire", "up", inside=other.pid)

    daemon = subprocess.Popen(sys.argv[2:], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    missing = list(READY)
    while missing:
        line = daemon.stderr.readline()
        if not line:
            daemon.wait()
            raise RuntimeError("The daemon has ended.")
        sys.stderr.buffer.write(line)
        missing = [text for text in missing if text not in line]
    listener = socket.create_server(("::", KNOWN_PORT), family=socket.AF_INET6, dualstack_ipv6=True)
    result = {"sockets": sockets_of(daemon.pid), "known": KNOWN_PORT, "scans": {}}
    for own, _, _ in ADDRESSES:
        told = subprocess.run(["nsenter", f"--net=/proc/{other.pid}/ns/net", sys.executable, __file__, "--connect", own], check=True, capture_output=True)
        result["scans"][own] = json.loads(told.stdout)
    # What is meant for this machine is there: else nothing was looked at.
    loopback = socket.create_connection(("127.0.0.1", 8476), timeout=10)
    loopback.close()
    listener.close()
    daemon.terminate()
    daemon.stderr.read()
    daemon.wait()
    return result


if __name__ == "__main__":
    main()
