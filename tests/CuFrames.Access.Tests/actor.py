# SPDX-License-Identifier: LGPL-2.1-or-later
"""Does what it is told, as the user that it runs as, and says what came of it.

Reads one JSON object a line and answers each with one.
"""

import base64
import errno
import fcntl
import http.client
import json
import os
import socket
import struct
import sys


def hello(path, message):
    """Asks for a stream. The type of the answer, its bytes, and how many descriptors came with it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(60)
        s.connect(path)
        s.send(bytes.fromhex(message))
        data, descriptors, _, _ = socket.recv_fds(s, 65536, 16)
        for number in descriptors:
            os.close(number)
        return {"type": data[5], "answer": data.hex(), "descriptors": len(descriptors)}


def tap(path, count):
    """Reads bytes from a tap's socket."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        s.connect(path)
        content = b""
        while len(content) < count:
            part = s.recv(count - len(content))
            if not part:
                break
            content += part
        return {"content": base64.b64encode(content).decode()}


def web(port, method, path, headers, body, count):
    """Sends a request. The status and the first bytes of what it is answered with."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body.encode() if body is not None else None, headers)
    response = connection.getresponse()
    content = response.read(count)
    connection.close()
    return {"status": response.status, "content": base64.b64encode(content).decode()}


def call(target, method, message, token, ca):
    """Makes a unary call with Google's own gRPC."""
    import grpc

    if ca is None:
        channel = grpc.insecure_channel(target)
    else:
        with open(ca, "rb") as file:
            channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(file.read()))
    stub = channel.unary_unary("/cuframes.control.v1.Control/" + method)
    metadata = [("authorization", "Bearer " + token)] if token is not None else []
    try:
        answer = stub(bytes.fromhex(message), timeout=60, metadata=metadata)
        return {"status": "OK", "text": "", "answer": answer.hex()}
    except grpc.RpcError as error:
        return {"status": error.code().name, "text": error.details()}
    finally:
        channel.close()


def publish(folder, key):
    """Takes a key and listens, as a publisher does."""
    lock, path = f"{folder}/{key}.lock", f"{folder}/{key}.sock"
    try:
        number = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        return {"error": errno.errorcode[error.errno]}
    fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.bind(path)
        s.listen()
    os.unlink(path)
    os.unlink(lock)
    os.close(number)
    return {"error": ""}


def attack(path):
    """Tries to take over or to remove what is another user's."""
    found = {}
    for name, attempt in {
        "remove": lambda: os.unlink(path),
        "rename": lambda: os.rename(path, path + ".old"),
        "replace": lambda: os.rename(make_file(os.path.dirname(path)), path),
        "lock": lambda: fcntl.flock(os.open(path, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB),
    }.items():
        try:
            attempt()
            found[name] = ""
        except OSError as error:
            found[name] = errno.errorcode[error.errno]
    return found


def make_file(folder):
    path = f"{folder}/mine.{os.getuid()}"
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    return path


def vanish(port, request, reset=False):
    """Sends a request and closes the connection at once, before anybody can look who sent it. The port that it had."""
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.send(request.encode())
        if reset:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return {"port": s.getsockname()[1]}


def crowd(port, count):
    """Makes connections and keeps them, without a word on any."""
    held.extend(socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(count))
    return {}


def hold(path, message, count):
    """Becomes a reader several times over, and stays. The types of the answers."""
    found = []
    for _ in range(count):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.settimeout(60)
        s.connect(path)
        s.send(bytes.fromhex(message))
        found.append(s.recv(65536).hex())
        held.append(s)
    return {"answers": found}


held = []
actions = {"hello": hello, "tap": tap, "web": web, "call": call, "publish": publish, "attack": attack, "vanish": vanish, "hold": hold, "crowd": crowd}

for line in sys.stdin:
    wanted = json.loads(line)
    action = actions[wanted.pop("do")]
    try:
        answer = action(**wanted)
    except OSError as error:
        answer = {"failed": str(error)}
    print(json.dumps(answer), flush=True)
