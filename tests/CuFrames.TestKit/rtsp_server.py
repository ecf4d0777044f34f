#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real RTSP camera for tests and the demo: serves an MP4 file over TCP and UDP with GStreamer's RTSP server.

Every client gets the file from its beginning. Needs python3-gi, gir1.2-gst-rtsp-server-1.0 and GStreamer's good and bad
plugins.

Standard output, one JSON object a line:
    {"event": "ready", "port": 8554, "url": "rtsp://127.0.0.1:8554/camera"}
    {"event": "connected", "connections": 1, "open": 1}     connections: since the start; open: now
    {"event": "closed", "connections": 1, "open": 0}
    {"event": "setup", "transport": "tcp"}                  what a client asked for
Standard input, one command a line:
    hang    every stream stops, connections stay open
    resume  streams go on
    drop    every connection is closed
    quit    end; so does the end of standard input, so that no server outlives the test that started it
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402


STDOUT_LOCK = threading.Lock()


def say(**fields):
    # GStreamer reports from threads of its own.
    with STDOUT_LOCK:
        sys.stdout.write(json.dumps(fields) + "\n")
        sys.stdout.flush()


# What brings the sound of the file into RTP.
AUDIO = {
    "aac": "aacparse ! rtpmp4gpay name=pay1 pt=97",
    "pcma": "rtppcmapay name=pay1 pt=8",
}


class Server:
    def __init__(self, options, path):
        self.connections = 0
        self.open = 0
        self.pipelines = []
        self.loop = GLib.MainLoop()
        self.server = GstRtspServer.RTSPServer()
        self.server.set_address(options.address)
        self.server.set_service(str(options.port))

        factory = GstRtspServer.RTSPMediaFactory()
        audio = f"d. ! queue ! {AUDIO[options.audio]}" if options.audio else ""
        factory.set_launch(
            f'( filesrc location="{path}" ! qtdemux name=d  d. ! queue ! {options.codec}parse config-interval=-1 '
            f"! rtp{options.codec}pay name=pay0 pt=96 {audio} )"
        )
        factory.set_shared(False)
        factory.connect("media-configure", self.on_media)
        if options.user:
            self.require_login(factory, options)
        self.server.get_mount_points().add_factory("/camera", factory)
        self.server.connect("client-connected", self.on_client)
        if self.server.attach(None) == 0:
            sys.exit(f"cannot listen on {options.address}:{options.port}")
        port = self.server.get_bound_port()
        say(event="ready", port=port, url=f"rtsp://{options.address}:{port}/camera")

    def require_login(self, factory, options):
        auth = GstRtspServer.RTSPAuth()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        if options.digest:
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
            auth.add_digest(options.user, options.password, token)
        else:
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic(options.user, options.password), token)
        self.server.set_auth(auth)
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("viewer", "media.factory.access", True)
        permissions.add_permission_for_role("viewer", "media.factory.construct", True)
        factory.set_permissions(permissions)

    def on_media(self, _factory, media):
        self.pipelines.append(media)
        media.connect("unprepared", lambda m: self.pipelines.remove(m) if m in self.pipelines else None)

    def on_client(self, _server, client):
        self.connections += 1
        self.open += 1
        say(event="connected", connections=self.connections, open=self.open)
        client.connect("closed", self.on_closed)
        client.connect("setup-request", self.on_setup)

    def on_closed(self, _client):
        self.open -= 1
        say(event="closed", connections=self.connections, open=self.open)

    def on_setup(self, _client, context):
        status, transport = context.request.get_header(GstRtsp.RTSPHeaderField.TRANSPORT, 0)
        is_tcp = status == GstRtsp.RTSPResult.OK and "TCP" in transport
        say(event="setup", transport="tcp" if is_tcp else "udp")

    def set_state(self, state):
        for media in self.pipelines:
            media.get_element().get_parent().set_state(state)

    def on_input(self, channel, _condition):
        line = channel.readline()
        command = line.strip()
        if command == "hang":
            self.set_state(Gst.State.PAUSED)
        elif command == "resume":
            self.set_state(Gst.State.PLAYING)
        elif command == "drop":
            self.server.client_filter(lambda _server, _client: GstRtspServer.RTSPFilterResult.REMOVE)
        elif command == "quit" or not line:
            self.loop.quit()
            return False
        return True

    def run(self):
        GLib.io_add_watch(sys.stdin, GLib.PRIORITY_DEFAULT, GLib.IO_IN | GLib.IO_HUP, self.on_input)
        self.loop.run()


def repeated(path, seconds, folder, has_audio):
    """The file played again and again for `seconds`, by copying packets: the server itself cannot loop."""
    result = os.path.join(folder, "repeated.mov")
    audio = [] if has_audio else ["-an"]
    subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-y", "-stream_loop", "-1", "-i", path, "-t", str(seconds), "-c", "copy", *audio, result],
        check=True,
    )
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="MP4 or MOV file with one H.264 or H.265 stream")
    parser.add_argument("--codec", choices=["h264", "h265"], default="h264")
    parser.add_argument("--audio", choices=sorted(AUDIO), help="serve the file's sound too, which is of this codec; pcma needs a .mov")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--repeat-seconds", type=float, default=0, help="play the file repeatedly for that long; 0: once")
    parser.add_argument("--user", help="ask for a login")
    parser.add_argument("--password", default="")
    parser.add_argument("--digest", action="store_true", help="digest instead of basic authentication")
    options = parser.parse_args()

    Gst.init(None)
    with tempfile.TemporaryDirectory(prefix="cuframes-rtsp-") as folder:
        path = os.path.abspath(options.file)
        if options.repeat_seconds > 0:
            path = repeated(path, options.repeat_seconds, folder, options.audio is not None)
        Server(options, path).run()


if __name__ == "__main__":
    main()
