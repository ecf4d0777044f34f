#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the stand-in for Frigate's image starts: a hello to the MQTT broker of the configuration, then frigate.py.

The report is in /media/frigate/report.json when the container has ended, as Frigate's recordings would be.
"""

import os
import socket
import sys
import time

import yaml

CONNECT = bytes.fromhex("10 10 0004 4d515454 04 02 003c 0004") + b"test"
CONNECTED = bytes.fromhex("20 02 00 00")


def greet(host):
    """The broker's answer to a client that asks to be connected. Frigate tries again, too, while the broker starts."""
    for _ in range(60):
        try:
            with socket.create_connection((host, 1883), timeout=10) as broker:
                broker.sendall(CONNECT)
                return broker.recv(4)
        except OSError as error:
            print(f"MQTT: {host}: {error}", flush=True)
            time.sleep(1)
    return b""


with open("/config/config.yml", encoding="utf-8") as file:
    configuration = yaml.safe_load(file)
answer = greet(configuration["mqtt"]["host"])
if answer != CONNECTED:
    sys.exit(f"MQTT: the broker answered {answer.hex() or 'nothing'}")
print("MQTT: connected", flush=True)
report = os.open("/media/frigate/report.json", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
os.dup2(report, 1)
arguments = ["/config/config.yml", "--cache", "/tmp/cache", "--logs", "/tmp", "--probe-every", "5"]
if os.path.exists("/config/pictures.json"):
    arguments += ["--pictures", "/config/pictures.json"]
os.execv(sys.executable, [sys.executable, "/opt/frigate/frigate.py", *arguments])
