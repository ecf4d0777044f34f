# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client of the control API that owes nothing to CuFrames: Google's own gRPC for Python.

    grpc_caller.py SOCKET FOLDER        FOLDER has control_pb2.py, which protoc makes of protocol/control.proto

Reads one JSON object a line, {"method", "request", "timeout" in s or null, "take": how many messages before it cancels, or null}, and
answers each with {"status", "text", "messages"}. A message of a stream is told at once, as {"message"}.
"""

import json
import sys

import grpc
from google.protobuf import json_format

sys.path.insert(0, sys.argv[2])
import control_pb2  # noqa: E402

service = control_pb2.DESCRIPTOR.services_by_name["Control"]
# A snapshot is larger than the 4 MiB that grpc takes when it is not told: docs/control.md.
channel = grpc.insecure_channel("unix:" + sys.argv[1], options=[("grpc.max_receive_message_length", 32 << 20)])


def say(answer):
    print(json.dumps(answer), flush=True)


def type_of(descriptor):
    return getattr(control_pb2, descriptor.name)


def call(method, request, timeout, take):
    described = service.methods_by_name[method]
    is_stream = method == "WatchEvents"
    make = channel.unary_stream if is_stream else channel.unary_unary
    stub = make(
        f"/{service.full_name}/{method}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=type_of(described.output_type).FromString,
    )
    message = json_format.ParseDict(request, type_of(described.input_type)())
    messages = []
    try:
        if is_stream:
            running = stub(message, timeout=timeout)
            for event in running:
                messages.append(json_format.MessageToDict(event))
                say({"message": messages[-1]})
                if take is not None and len(messages) == take:
                    running.cancel()
        else:
            messages.append(json_format.MessageToDict(stub(message, timeout=timeout)))
        say({"status": "OK", "text": "", "messages": messages})
    except grpc.RpcError as error:
        say({"status": error.code().name, "text": error.details(), "messages": messages})


for line in sys.stdin:
    wanted = json.loads(line)
    call(wanted["method"], wanted["request"], wanted["timeout"], wanted["take"])
