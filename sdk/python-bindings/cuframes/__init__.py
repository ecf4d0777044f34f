# SPDX-License-Identifier: LGPL-2.1-or-later
"""CuFrames: decoded video frames of other processes, read where they lie, in main memory or on a GPU, without a copy; frames that others
read; and packets, coded pictures and sounds, likewise.

The manual is docs/python.md. Nothing is loaded or started before the first use, so a process that has only imported this package may fork.
"""

from ._version import __version__
from .directory import library_path, library_version, list_streams, probe, runtime_directory
from .errors import (
    AccessDenied,
    AlreadyPublished,
    Busy,
    Closed,
    CudaError,
    Disconnected,
    Dropped,
    Error,
    Evicted,
    ForkError,
    FrameLost,
    FrameReleased,
    InternalError,
    Interrupted,
    InvalidArgument,
    LeasesExhausted,
    PacketLost,
    PacketTooLarge,
    ProtocolError,
    Refused,
    ShuttingDown,
    StreamNotFound,
    TimedOut,
    WrongState,
)
from .frame import Frame
from .information import (
    Event,
    Format,
    FrameFlags,
    PacketFlags,
    PacketPublisherInfo,
    PacketSubscriberInfo,
    PublisherInfo,
    StreamInfo,
    SubscriberInfo,
    SubscriberStatistics,
)
from .log import set_log
from .packet import Packet
from .packet_publisher import PacketPublisher
from .packet_subscriber import PacketSubscriber
from .packet_track import PacketTrack
from .plane import Plane
from .publisher import Publisher
from .subscriber import Subscriber
from .writable_frame import WritableFrame

__all__ = [
    "AccessDenied",
    "AlreadyPublished",
    "Busy",
    "Closed",
    "CudaError",
    "Disconnected",
    "Dropped",
    "Error",
    "Event",
    "Evicted",
    "ForkError",
    "Format",
    "Frame",
    "FrameFlags",
    "FrameLost",
    "FrameReleased",
    "InternalError",
    "Interrupted",
    "InvalidArgument",
    "LeasesExhausted",
    "Packet",
    "PacketFlags",
    "PacketLost",
    "PacketPublisher",
    "PacketPublisherInfo",
    "PacketSubscriber",
    "PacketSubscriberInfo",
    "PacketTooLarge",
    "PacketTrack",
    "Plane",
    "ProtocolError",
    "Publisher",
    "PublisherInfo",
    "Refused",
    "ShuttingDown",
    "StreamInfo",
    "StreamNotFound",
    "Subscriber",
    "SubscriberInfo",
    "SubscriberStatistics",
    "TimedOut",
    "WritableFrame",
    "WrongState",
    "__version__",
    "library_path",
    "library_version",
    "list_streams",
    "probe",
    "runtime_directory",
    "set_log",
]
