#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stands in for `docker compose` where there is no Docker engine: reads a compose file and runs its containers with podman.

Made for the tests: it honours the keys that docker/compose/*.yaml have, as the compose specification describes them, and refuses
every other key, so that a file cannot say something that was not tried. Differences between Docker and podman are settled
towards Docker: a read-only container gets no tmpfs that the file does not name, a new volume gets the content and the owner
of the image's folder, every container has a network of its own on a bridge.

    compose.py [-f FILE]... [-p NAME] COMMAND

    config [--quiet]                            checks the file and prints what holds
    up -d [--wait] [--wait-timeout S] [SERVICE...]
    ps [--format json]
    logs [--no-log-prefix] [SERVICE...]
    exec [-T] SERVICE COMMAND...
    run --rm [-T] SERVICE [COMMAND...]
    stop | start | restart [SERVICE...]
    kill [-s SIGNAL] [SERVICE...]
    down [--volumes]

It needs root, because it makes network namespaces and bridges, in the network namespace where it is called. podman's storage is
what $CONTAINERS_STORAGE_CONF says; volumes and notes on what runs lie below $COMPOSE_STATE.
"""

import argparse
import asyncio
import contextlib
import fcntl
import hashlib
import ipaddress
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml


class Refused(Exception):
    """What the file or the command asks for cannot be had; the text says why and what to do."""


# ------------------------------------------------------------------------------------------------------------ the file


class UniqueKeys(yaml.SafeLoader):
    """YAML in which a key may stand once: PyYAML itself takes the last one without a word."""


def _mapping(loader, node, deep=False):
    seen = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            raise Refused(f"{key_node.start_mark.name}:{key_node.start_mark.line + 1}: '{key}' stands twice.")
        seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep)


UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)

VARIABLE = re.compile(r"\$(?:(\$)|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-?])([^}]*))?\})")


def interpolate(value, variables, where):
    if isinstance(value, dict):
        return {key: interpolate(item, variables, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [interpolate(item, variables, f"{where}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(match):
        dollar, plain, braced, operator, text = match.groups()
        if dollar:
            return "$"
        name = plain or braced
        found = variables.get(name)
        is_missing = found is None or (operator or "").startswith(":") and found == ""
        if not is_missing:
            return found
        if operator and operator.endswith("-"):
            return text
        reason = text if operator else "it has no default, and Compose would put nothing in its place"
        raise Refused(f"{where}: the variable {name} is not set: {reason}.")

    return VARIABLE.sub(replace, value)


def read_variables(path):
    """A file of NAME=VALUE lines, such as .env."""
    result = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise Refused(f"{path}:{number}: expected NAME=VALUE, found '{line}'.")
        if value[:1] in "'\"" and value[-1:] == value[:1] and len(value) > 1:
            value = value[1:-1]
        else:
            value = re.sub(r"\s+#.*", "", value)
        result[name] = value
    return result


def merged(first, second):
    """How Compose puts one file over another: mappings by key, lists one after the other, a command replaced."""
    if isinstance(first, dict) and isinstance(second, dict):
        result = dict(first)
        for key, value in second.items():
            is_replaced = key in ("command", "entrypoint", "test") or key not in first
            result[key] = value if is_replaced else merged(first[key], value)
        return result
    if isinstance(first, list) and isinstance(second, list):
        return first + [item for item in second if item not in first]
    return second


TIME_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}


def seconds_of(value, where):
    text = str(value)
    parts = re.findall(r"(\d+(?:\.\d+)?)(us|ms|s|m|h)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise Refused(f"{where}: expected a time such as 10s or 1m30s, found '{value}'.")
    return sum(float(number) * TIME_UNITS[unit] for number, unit in parts)


def size_of(value, where):
    match = re.fullmatch(r"(\d+)(b|k|kb|m|mb|g|gb)?", str(value).lower())
    if not match:
        raise Refused(f"{where}: expected a size such as 128mb, found '{value}'.")
    return int(match[1]) * {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[(match[2] or "")[:1]]


def take(mapping, where, **kinds):
    """The known keys of a mapping. A key that is not known, or a value of another kind, ends it."""
    if not isinstance(mapping, dict):
        raise Refused(f"{where}: expected a mapping, found '{mapping}'.")
    for key, value in mapping.items():
        if key not in kinds:
            raise Refused(f"{where}.{key}: this key is not known here, so that nothing of it was tried. Known: {', '.join(sorted(kinds))}.")
        kind = kinds[key]
        if isinstance(value, bool) and kind is not bool or not isinstance(value, kind):
            raise Refused(f"{where}.{key}: found '{value}' ({type(value).__name__}), which is not accepted.")
    return mapping


def texts(value, where):
    """A list of texts, from a list or one text."""
    values = value if isinstance(value, list) else [value]
    for item in values:
        if not isinstance(item, str):
            raise Refused(f"{where}: expected text, found {item!r}; put it into quotes.")
    return values


def words(value, where):
    if isinstance(value, str):
        import shlex

        return shlex.split(value)
    return texts(value, where)


class Service:
    """One service of the file, checked; lengths are bytes and times seconds."""

    def __init__(self, name, raw, project):
        where = f"services.{name}"
        self.name = name
        take(
            raw, where, image=str, command=(str, list), entrypoint=(str, list), user=str, group_add=list, read_only=bool,
            tmpfs=(str, list), volumes=list, environment=(dict, list), env_file=(str, list), cap_drop=list, cap_add=list,
            security_opt=list, healthcheck=dict, depends_on=(dict, list), networks=(list, dict), ports=list, restart=str,
            stop_grace_period=str, stop_signal=str, shm_size=(str, int), deploy=dict, profiles=list, network_mode=str,
        )
        if "image" not in raw:
            raise Refused(f"{where}: has no image.")
        self.image = raw["image"]
        self.command = words(raw["command"], f"{where}.command") if "command" in raw else None
        self.entrypoint = words(raw["entrypoint"], f"{where}.entrypoint") if "entrypoint" in raw else None
        self.user = raw.get("user")
        self.groups = texts(raw.get("group_add", []), f"{where}.group_add")
        self.is_read_only = raw.get("read_only", False)
        self.tmpfs = texts(raw.get("tmpfs", []), f"{where}.tmpfs")
        self.cap_drop = texts(raw.get("cap_drop", []), f"{where}.cap_drop")
        self.cap_add = texts(raw.get("cap_add", []), f"{where}.cap_add")
        self.security = texts(raw.get("security_opt", []), f"{where}.security_opt")
        for option in self.security:
            if option not in ("no-new-privileges:true", "no-new-privileges"):
                raise Refused(f"{where}.security_opt: '{option}' is not known here. Known: no-new-privileges:true.")
        self.restart = raw.get("restart", "no")
        if self.restart not in ("no", "always", "on-failure", "unless-stopped"):
            raise Refused(f"{where}.restart: found '{self.restart}'. Accepted: no, always, on-failure, unless-stopped.")
        self.grace = seconds_of(raw.get("stop_grace_period", "10s"), f"{where}.stop_grace_period")
        self.stop_signal = raw.get("stop_signal")
        self.shm_size = size_of(raw.get("shm_size", "64mb"), f"{where}.shm_size")
        self.profiles = texts(raw.get("profiles", []), f"{where}.profiles")
        self.environment = self._environment(raw, where, project)
        self.mounts = [self._mount(item, f"{where}.volumes", project) for item in raw.get("volumes", [])]
        targets = [mount["target"] for mount in self.mounts]
        if len(set(targets)) != len(targets):
            raise Refused(f"{where}.volumes: two of them have the same target.")
        self.ports = [self._port(item, f"{where}.ports") for item in raw.get("ports", [])]
        if raw.get("network_mode", "none") != "none" or "network_mode" in raw and "networks" in raw:
            raise Refused(f"{where}.network_mode: found '{raw['network_mode']}'. Only none, without networks, is known here: no container gets another's network.")
        self.networks = [] if "network_mode" in raw else list(raw.get("networks", ["default"]))
        if isinstance(raw.get("networks"), dict) and any(raw["networks"].values()):
            raise Refused(f"{where}.networks: options of a network are not known here.")
        self.dependencies = self._dependencies(raw.get("depends_on", {}), f"{where}.depends_on")
        self.health = self._health(raw["healthcheck"], f"{where}.healthcheck") if "healthcheck" in raw else None
        self.gpus = self._gpus(raw.get("deploy", {}), f"{where}.deploy")
        self.digest = hashlib.sha256(json.dumps([raw, self.environment], sort_keys=True).encode()).hexdigest()

    @staticmethod
    def _environment(raw, where, project):
        result = {}
        for path in texts(raw.get("env_file", []), f"{where}.env_file"):
            path = project.folder / path
            if not path.is_file():
                raise Refused(f"{where}.env_file: {path} does not exist.")
            result.update(read_variables(path))
        given = raw.get("environment", {})
        if isinstance(given, list):
            given = dict(text.partition("=")[::2] if "=" in text else (text, None) for text in texts(given, f"{where}.environment"))
        for name, value in given.items():
            if isinstance(value, bool):
                raise Refused(f"{where}.environment.{name}: put {value} into quotes.")
            if value is None:
                value = project.variables.get(name)
            if value is not None:
                result[name] = str(value)
        return result

    @staticmethod
    def _mount(item, where, project):
        if isinstance(item, str):
            source, _, rest = item.partition(":")
            target, _, mode = rest.partition(":")
            if not target:
                raise Refused(f"{where}: expected SOURCE:TARGET or SOURCE:TARGET:ro, found '{item}'.")
            if mode not in ("", "rw", "ro"):
                raise Refused(f"{where}: '{mode}' of '{item}' is not known here. Known: rw, ro.")
            kind = "bind" if source[:1] in "./~" else "volume"
            result = {"type": kind, "source": source, "target": target, "read_only": mode == "ro"}
        else:
            result = dict(take(item, where, type=str, source=str, target=str, read_only=bool, tmpfs=dict, bind=dict))
            if result.get("type") not in ("bind", "volume", "tmpfs") or not result.get("target"):
                raise Refused(f"{where}: expected type (bind, volume or tmpfs) and target, found {item}.")
        if not result["target"].startswith("/"):
            raise Refused(f"{where}: '{result['target']}' is no absolute path.")
        if result["type"] == "tmpfs":
            take(result.get("tmpfs", {}), f"{where}.tmpfs", size=(int, str))
            return result
        if not result.get("source"):
            raise Refused(f"{where}: {item} has no source.")
        if result["type"] == "bind":
            take(result.get("bind", {}), f"{where}.bind", create_host_path=bool)
            path = (project.folder / Path(result["source"]).expanduser()).resolve()
            if path == Path("/dev/shm") or Path("/dev/shm") in path.parents:
                raise Refused(f"{where}: /dev/shm of the machine is not shared with containers.")
            result["source"] = str(path)
        elif result["source"] not in project.volumes:
            raise Refused(f"{where}: the volume '{result['source']}' is not among the top level's volumes.")
        return result

    @staticmethod
    def _port(item, where):
        match = re.fullmatch(r"(127\.0\.0\.1|\[::1\]):(\d+):(\d+)(?:/tcp)?", str(item))
        if not match:
            raise Refused(f"{where}: found '{item}'. Only TCP ports on loopback are known here, such as 127.0.0.1:8475:8475.")
        return match[1].strip("[]"), int(match[2]), int(match[3])

    @staticmethod
    def _dependencies(raw, where):
        if isinstance(raw, list):
            return {name: "service_started" for name in texts(raw, where)}
        result = {}
        for name, value in raw.items():
            take(value, f"{where}.{name}", condition=str, restart=bool)
            result[name] = value.get("condition", "service_started")
            if result[name] not in ("service_started", "service_healthy", "service_completed_successfully"):
                raise Refused(f"{where}.{name}.condition: found '{result[name]}'.")
        return result

    @staticmethod
    def _health(raw, where):
        take(raw, where, test=(str, list), interval=str, timeout=str, start_period=str, start_interval=str, retries=int, disable=bool)
        test = raw.get("test")
        if raw.get("disable") or test == ["NONE"]:
            return {"test": ["NONE"]}
        if isinstance(test, str):
            test = ["CMD-SHELL", test]
        if test is not None and (len(test) < 2 or test[0] not in ("CMD", "CMD-SHELL")):
            raise Refused(f"{where}.test: expected NONE, CMD or CMD-SHELL and a command, found {test}.")
        times = {key: seconds_of(raw[key], f"{where}.{key}") for key in ("interval", "timeout", "start_period", "start_interval") if key in raw}
        return {"test": test, "retries": raw.get("retries"), **times}

    @staticmethod
    def _gpus(raw, where):
        devices = take(take(take(raw, where, resources=dict).get("resources", {}), f"{where}.resources", reservations=dict).get(
            "reservations", {}), f"{where}.resources.reservations", devices=list).get("devices", [])
        where += ".resources.reservations.devices"
        for device in devices:
            take(device, where, driver=str, count=(int, str), device_ids=list, capabilities=list)
            if "gpu" not in device.get("capabilities", []):
                raise Refused(f"{where}: a reservation needs capabilities: [gpu], found {device}.")
            if "count" in device and "device_ids" in device:
                raise Refused(f"{where}: count and device_ids exclude each other.")
            if not isinstance(device.get("count", 1), int) and device["count"] != "all":
                raise Refused(f"{where}.count: expected a number or all, found '{device['count']}'.")
        return devices


class Project:
    """A compose file, or several of them, one over the other."""

    def __init__(self, files, name):
        if not files:
            raise Refused("Say with -f which file it is.")
        paths = [Path(file) for file in files]
        for path in paths:
            if not path.is_file():
                raise Refused(f"{path} does not exist.")
        self.folder = paths[0].resolve().parent
        dot_env = self.folder / ".env"
        self.variables = {**(read_variables(dot_env) if dot_env.is_file() else {}), **os.environ}
        raw = {}
        for path in paths:
            try:
                with open(path, encoding="utf-8") as stream:
                    one = yaml.load(stream, UniqueKeys)
            except yaml.YAMLError as error:
                raise Refused(f"{path} is no YAML: {error}") from error
            if not isinstance(one, dict):
                raise Refused(f"{path} is no compose file.")
            raw = merged(raw, interpolate(one, self.variables, str(path)))
        take(raw, paths[0].name, name=str, services=dict, volumes=dict, networks=dict)
        self.raw = raw
        self.name = name or self.variables.get("COMPOSE_PROJECT_NAME") or raw.get("name") or self.folder.name
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", self.name):
            raise Refused(f"The project's name '{self.name}' may have a-z, 0-9, _ and -.")
        self.volumes = raw.get("volumes", {})
        for volume, options in self.volumes.items():
            take(options or {}, f"volumes.{volume}", name=str)
        self.networks = {"default": {}, **raw.get("networks", {})}
        for network, options in self.networks.items():
            take(options or {}, f"networks.{network}", driver=str, internal=bool)
            if (options or {}).get("driver", "bridge") != "bridge":
                raise Refused(f"networks.{network}.driver: found '{options['driver']}'. Known: bridge.")
        self.services = {key: Service(key, value, self) for key, value in raw.get("services", {}).items()}
        if not self.services:
            raise Refused(f"{paths[0]} has no services.")
        for service in self.services.values():
            for network in service.networks:
                if network not in self.networks:
                    raise Refused(f"services.{service.name}.networks: '{network}' is not among the top level's networks.")
            for dependency in service.dependencies:
                if dependency not in self.services:
                    raise Refused(f"services.{service.name}.depends_on: there is no service '{dependency}'.")
        self.order = self._sorted()

    def _sorted(self):
        result, path = [], []

        def visit(service):
            if service in result:
                return
            if service in path:
                raise Refused(f"services.{service.name}.depends_on: goes in a circle.")
            path.append(service)
            for dependency in service.dependencies:
                visit(self.services[dependency])
            path.pop()
            result.append(service)

        for service in self.services.values():
            visit(service)
        return result

    def with_dependencies(self, names):
        """The services named, or all that have no profile, and what they depend on; first what others need."""
        wanted = set()

        def add(service):
            wanted.add(service.name)
            for dependency in service.dependencies:
                add(self.services[dependency])

        for service in self.named(names) if names else [s for s in self.services.values() if not s.profiles]:
            add(service)
        return [service for service in self.order if service.name in wanted]

    def named(self, names):
        for name in names:
            if name not in self.services:
                raise Refused(f"There is no service '{name}'. There are: {', '.join(self.services)}.")
        return [self.services[name] for name in names] if names else self.order


# ---------------------------------------------------------------------------------------------------------- containers


def run(*command, check=True, **options):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
    if check and result.returncode != 0:
        raise Refused(f"{' '.join(command[:3])} ended with status {result.returncode}: {result.stderr.strip() or result.stdout.strip()}")
    return result


def podman(*arguments, **options):
    return run("podman", *arguments, **options)


class Engine:
    """What Docker's engine and Compose keep of one project: containers, volumes, networks."""

    def __init__(self, project):
        state = os.environ.get("COMPOSE_STATE")
        if not state:
            raise Refused("COMPOSE_STATE names no folder for volumes.")
        if os.geteuid() != 0:
            raise Refused("compose.py makes network namespaces, for which it needs to be root.")
        self.project = project
        self.folder = Path(state) / project.name
        self.hash = hashlib.sha256(project.name.encode()).hexdigest()

    def container(self, service):
        return f"{self.project.name}-{service.name}-1"

    def inspect(self, service):
        """podman's notes on a service's container, or None."""
        result = podman("container", "inspect", self.container(service), check=False)
        return json.loads(result.stdout)[0] if result.returncode == 0 else None

    # -- networks

    def bridge(self, network):
        names = sorted(self.project.networks)
        index = names.index(network)
        # A device's name has at most 15 characters.
        return f"br-{self.hash[:8]}{index}", ipaddress.ip_network(f"10.{200 + int(self.hash[:2], 16) % 50}.{int(self.hash[2:4], 16) // 16 * 16 + index}.0/24")

    def address(self, name, network):
        names = [*self.project.services, *(f"{service}/run" for service in self.project.services)]
        return self.bridge(network)[1][names.index(name) + 2]

    def connect(self, name, networks):
        """A network namespace with an interface on each bridge. Its name is the container's, so that nobody else's is met."""
        namespace = f"{self.project.name}-{name.replace('/', '-')}"
        if Path("/run/netns", namespace).exists():
            return namespace
        run("ip", "netns", "add", namespace)
        run("ip", "-n", namespace, "link", "set", "lo", "up")
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        for index, network in enumerate(networks):
            device, subnet = self.bridge(network)
            if run("ip", "link", "show", device, check=False).returncode != 0:
                run("ip", "link", "add", device, "type", "bridge")
                run("ip", "address", "add", f"{subnet[1]}/24", "dev", device)
                run("ip", "link", "set", device, "up")
            inside, outside = f"eth{index}", f"ve{hashlib.sha256(f'{namespace} {network}'.encode()).hexdigest()[:8]}"
            run("ip", "link", "add", outside, "type", "veth", "peer", "name", inside, "netns", namespace)
            run("ip", "link", "set", outside, "master", device, "up")
            run("ip", "-n", namespace, "address", "add", f"{self.address(name, network)}/24", "dev", inside)
            run("ip", "-n", namespace, "link", "set", inside, "up")
            if index == 0 and not (self.project.networks[network] or {}).get("internal"):
                run("ip", "-n", namespace, "route", "add", "default", "via", str(subnet[1]))
        return namespace

    def disconnect(self):
        for path in Path("/run/netns").glob("*") if Path("/run/netns").is_dir() else ():
            if path.name in {f"{self.project.name}-{service}{tail}" for service in self.project.services for tail in ("", "-run")}:
                run("ip", "netns", "delete", path.name)
        for network in self.project.networks:
            run("ip", "link", "delete", self.bridge(network)[0], check=False)

    # -- volumes

    def volume(self, name, image, target):
        """The folder of a volume. A new one gets what the first container's image has there, with owner and mode, as from Docker."""
        options = self.project.volumes[name] or {}
        path = Path(os.environ["COMPOSE_STATE"], options["name"]) if "name" in options else self.folder / "volumes" / name
        if path.exists():
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        # Of a container, because podman mounts no image that lies in another storage.
        container = podman("create", "--pull", "never", "--network", "none", image, "true").stdout.strip()
        root = Path(podman("mount", container).stdout.strip())
        try:
            inside = root / target.lstrip("/")
            if inside.is_dir():
                run("cp", "--archive", "--no-target-directory", str(inside), str(path))
            else:
                path.mkdir(mode=0o755)
        finally:
            podman("rm", "--volumes", container)
        return path

    # -- containers

    def create(self, service, *, name=None, command=None, extra=()):
        """podman's arguments for a container, without create or run."""
        if service.gpus:
            # Nothing here hands devices over, so that it says so before a container fails in a way hard to read.
            found = "Its devices cannot be handed over by this runner" if Path("/dev/nvidiactl").exists() else "There is no GPU: /dev/nvidiactl is missing"
            raise Refused(f"The service {service.name} reserves a GPU (deploy.resources.reservations.devices). {found}. The variant without a GPU runs here.")
        if podman("image", "exists", service.image, check=False).returncode != 0:
            raise Refused(f"The image {service.image} of the service {service.name} is not there. docker/build.sh makes those of CuFrames.")
        name = name or service.name
        namespace = self.connect(name, service.networks)
        arguments = [
            "--name", namespace if "/" in name else self.container(service), "--network", f"ns:/run/netns/{namespace}", "--no-healthcheck",
            "--label", f"compose.digest={service.digest}", "--restart", "no" if "/" in name else service.restart, "--shm-size", str(service.shm_size),
            "--stop-timeout", str(int(service.grace)), "--pull", "never", *extra,
        ]
        for other in self.project.services.values():
            shared = [network for network in service.networks if network in other.networks]
            if shared:
                arguments += ["--add-host", f"{other.name}:{self.address(other.name, shared[0])}"]
        if service.is_read_only:
            # podman would put a tmpfs on /run, /tmp and /var/tmp, which Docker does not.
            arguments += ["--read-only", "--read-only-tmpfs=false"]
        if service.user:
            arguments += ["--user", service.user]
        if service.stop_signal:
            arguments += ["--stop-signal", service.stop_signal]
        for group in service.groups:
            arguments += ["--group-add", group]
        for capability in service.cap_drop:
            arguments += ["--cap-drop", capability]
        for capability in service.cap_add:
            arguments += ["--cap-add", capability]
        for option in service.security:
            arguments += ["--security-opt", option]
        for key, value in service.environment.items():
            arguments += ["--env", f"{key}={value}"]
        for item in service.tmpfs:
            path, _, options = item.partition(":")
            arguments += ["--tmpfs", f"{path}:{options or 'rw,noexec,nosuid,nodev'},notmpcopyup"]
        for mount in service.mounts:
            if mount["type"] == "tmpfs":
                size = (mount.get("tmpfs") or {}).get("size")
                limit = f",size={size_of(size, 'tmpfs.size')}" if size else ""
                arguments += ["--tmpfs", f"{mount['target']}:rw,noexec,nosuid,nodev{limit},notmpcopyup"]
                continue
            # Docker makes a folder in place of what is missing, be it meant as a file, which is never what was wanted.
            if mount["type"] == "bind" and not Path(mount["source"]).exists():
                raise Refused(f"services.{service.name}.volumes: {mount['source']} does not exist.")
            source = mount["source"] if mount["type"] == "bind" else str(self.volume(mount["source"], service.image, mount["target"]))
            arguments += ["--volume", f"{source}:{mount['target']}:{'ro' if mount.get('read_only') else 'rw'}"]
        entrypoint = service.entrypoint
        if entrypoint is not None:
            arguments += ["--entrypoint", json.dumps(entrypoint)]
        command = command or service.command or []
        return [*arguments, service.image, *command]

    def is_running(self, service):
        notes = self.inspect(service)
        return notes is not None and notes["State"]["Running"]

    def start(self, service):
        notes = self.inspect(service)
        if notes is not None and notes["Config"]["Labels"].get("compose.digest") != service.digest:
            self.remove(service)
            notes = None
        if notes is None:
            podman("create", *self.create(service))
        if notes is None or not notes["State"]["Running"]:
            podman("start", self.container(service))
        for host, port, inside in service.ports:
            self.forward(service, host, port, inside)

    def forward(self, service, host, port, inside):
        note = self.folder / f"port-{port}"
        if note.exists():
            return
        note.parent.mkdir(parents=True, exist_ok=True)
        reading, writing = os.pipe()
        process = subprocess.Popen(
            [sys.executable, __file__, "forward", str(writing), host, str(port), str(self.address(service.name, service.networks[0])), str(inside)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=[writing], start_new_session=True)
        os.close(writing)
        with os.fdopen(reading) as answer:
            problem = answer.read()
        if problem != "listening":
            process.wait()
            raise Refused(f"{host}:{port} of the service {service.name} cannot be used: {problem}")
        note.write_text(str(process.pid))

    def remove(self, service):
        if self.inspect(service) is not None:
            podman("rm", "--force", "--volumes", "--time", str(int(service.grace)), self.container(service))
        for _, port, _ in service.ports:
            note = self.folder / f"port-{port}"
            if note.exists():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(note.read_text()), signal.SIGTERM)
                note.unlink()

    # -- health

    def health_of(self, service):
        """The check that holds: the file's, over the image's."""
        images = json.loads(podman("image", "inspect", service.image).stdout)[0].get("Healthcheck") or {}
        nanoseconds = {key: images[name] / 1e9 for key, name in (("interval", "Interval"), ("timeout", "Timeout"), ("start_period", "StartPeriod")) if images.get(name)}
        result = {"test": images.get("Test"), "retries": images.get("Retries"), **nanoseconds}
        result.update({key: value for key, value in (service.health or {}).items() if value is not None})
        result = {"interval": 30, "timeout": 30, "start_period": 0, **result}
        result["retries"] = result["retries"] or 3
        return result if result["test"] and result["test"] != ["NONE"] else None

    def check(self, service, health):
        """One check, as the engine makes it: whether it passed, and what it said."""
        kind, *command = health["test"]
        if kind == "CMD-SHELL":
            command = ["/bin/sh", "-c", *command]
        try:
            result = podman("exec", self.container(service), *command, check=False, timeout=health["timeout"])
        except subprocess.TimeoutExpired:
            return False, f"took longer than {health['timeout']:g} s"
        return result.returncode == 0, (result.stdout + result.stderr).strip()

    def wait_healthy(self, service, deadline):
        health = self.health_of(service)
        if health is None:
            raise Refused(f"The service {service.name} is waited for, and neither it nor its image has a health check.")
        started, failures = time.monotonic(), 0
        while True:
            if not self.is_running(service):
                raise Refused(f"The service {service.name} ended before it was healthy:\n{self.log(service)}")
            is_healthy, said = self.check(service, health)
            if is_healthy:
                return
            is_starting = time.monotonic() - started < health["start_period"]
            failures = 0 if is_starting else failures + 1
            if failures >= health["retries"] or time.monotonic() > deadline:
                raise Refused(f"The service {service.name} is not healthy: {said}\n{self.log(service)}")
            time.sleep(min(health["interval"], health.get("start_interval", 5) if is_starting else health["interval"]))

    def wait_ended(self, service):
        status = int(podman("wait", self.container(service)).stdout)
        if status != 0:
            raise Refused(f"The service {service.name} was to succeed and ended with status {status}:\n{self.log(service)}")

    def log(self, service):
        result = podman("logs", "--tail", "30", self.container(service), check=False)
        return (result.stdout + result.stderr).rstrip()


# ------------------------------------------------------------------------------------------------------------ commands


def bring_up(engine, services, deadline):
    for service in services:
        for name, condition in service.dependencies.items():
            other = engine.project.services[name]
            if condition == "service_healthy":
                engine.wait_healthy(other, deadline)
            elif condition == "service_completed_successfully":
                engine.wait_ended(other)
        engine.start(service)


def up(engine, options):
    if not options.detach:
        raise Refused("up goes on in the background here only: up -d.")
    services = engine.project.with_dependencies(options.services)
    deadline = time.monotonic() + options.wait_timeout
    bring_up(engine, services, deadline)
    if options.wait:
        for service in services:
            if engine.health_of(service):
                engine.wait_healthy(service, deadline)
            elif not engine.is_running(service):
                raise Refused(f"The service {service.name} has ended:\n{engine.log(service)}")
    for service in services:
        print(f"Container {engine.container(service)} started", file=sys.stderr)


def ps(engine, options):
    rows = []
    for service in engine.project.order:
        notes = engine.inspect(service)
        if notes is None or not notes["State"]["Running"]:
            continue
        health = engine.health_of(service)
        state = "" if health is None else "healthy" if engine.check(service, health)[0] else "unhealthy"
        rows.append({"Name": engine.container(service), "Service": service.name, "Image": service.image, "State": "running", "Health": state})
    if options.format == "json":
        for row in rows:
            print(json.dumps(row))
    else:
        for row in rows:
            print(f"{row['Name']:<32} {row['Image']:<32} {row['Service']:<14} running{' (' + row['Health'] + ')' if row['Health'] else ''}")


def logs(engine, options):
    for service in engine.project.named(options.services):
        if engine.inspect(service) is None:
            continue
        text = subprocess.run(["podman", "logs", engine.container(service)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
        for line in text.splitlines():
            print(line if options.no_log_prefix else f"{service.name}-1  | {line}")


def execute(engine, options):
    (service,) = engine.project.named([options.service])
    if not engine.is_running(service):
        raise Refused(f"The service {service.name} is not running.")
    sys.stdout.flush()
    return subprocess.run(["podman", "exec", engine.container(service), *options.command], stdin=subprocess.DEVNULL).returncode


def run_once(engine, options):
    (service,) = engine.project.named([options.service])
    if not options.rm:
        raise Refused("run leaves nothing behind here: run --rm.")
    deadline = time.monotonic() + 300
    bring_up(engine, [other for other in engine.project.with_dependencies([service.name]) if other is not service], deadline)
    for name, condition in service.dependencies.items():
        if condition == "service_healthy":
            engine.wait_healthy(engine.project.services[name], deadline)
    arguments = engine.create(service, name=f"{service.name}/run", command=options.command, extra=["--rm"])
    sys.stdout.flush()
    status = subprocess.run(["podman", "run", *arguments], stdin=subprocess.DEVNULL).returncode
    run("ip", "netns", "delete", f"{engine.project.name}-{service.name}-run")
    return status


def stop(engine, options):
    for service in reversed(engine.project.named(options.services)):
        if engine.inspect(service) is not None:
            podman("stop", "--time", str(int(service.grace)), engine.container(service))


def start(engine, options):
    for service in engine.project.named(options.services):
        if engine.inspect(service) is not None:
            engine.start(service)


def restart(engine, options):
    stop(engine, options)
    start(engine, options)


def kill(engine, options):
    for service in engine.project.named(options.services):
        if engine.is_running(service):
            podman("kill", "--signal", options.signal, engine.container(service))


def down(engine, options):
    for service in reversed(engine.project.order):
        engine.remove(service)
    engine.disconnect()
    if options.volumes:
        for name, volume in engine.project.volumes.items():
            path = Path(os.environ["COMPOSE_STATE"], volume["name"]) if volume and "name" in volume else engine.folder / "volumes" / name
            shutil.rmtree(path, ignore_errors=False) if path.exists() else None
        if engine.folder.exists():
            shutil.rmtree(engine.folder)


async def forward(answer, host, port, address, inside):
    """Copies bytes between a port of the machine and one of a container, as Docker's proxy does for loopback."""

    async def copy(reader, writer):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def client(reader, writer):
        try:
            there_reader, there_writer = await asyncio.open_connection(address, inside)
        except OSError:
            writer.close()
            return
        await asyncio.gather(copy(reader, there_writer), copy(there_reader, writer))

    with os.fdopen(answer, "w") as pipe:
        try:
            server = await asyncio.start_server(client, host, port)
        except OSError as error:
            pipe.write(str(error))
            return
        pipe.write("listening")
    await server.serve_forever()


def main():
    if sys.argv[1:2] == ["forward"]:
        answer, host, port, address, inside = sys.argv[2:]
        asyncio.run(forward(int(answer), host, int(port), address, int(inside)))
        return 0
    parser = argparse.ArgumentParser(prog="docker compose", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("-f", "--file", action="append", default=[])
    parser.add_argument("-p", "--project-name")
    commands = parser.add_subparsers(dest="subcommand", required=True)

    def command(name, does, *, services=True):
        sub = commands.add_parser(name, allow_abbrev=False)
        sub.set_defaults(does=does)
        if services:
            sub.add_argument("services", nargs="*")
        return sub

    sub = command("config", None, services=False)
    sub.add_argument("-q", "--quiet", action="store_true")
    sub = command("up", up)
    sub.add_argument("-d", "--detach", action="store_true")
    sub.add_argument("--wait", action="store_true")
    sub.add_argument("--wait-timeout", type=float, default=300)
    command("ps", ps, services=False).add_argument("--format", choices=["table", "json"], default="table")
    command("logs", logs).add_argument("--no-log-prefix", action="store_true")
    for name, does in (("exec", execute), ("run", run_once)):
        sub = command(name, does, services=False)
        sub.add_argument("-T", "--no-TTY", action="store_true")
        if name == "run":
            sub.add_argument("--rm", action="store_true")
        sub.add_argument("service")
        sub.add_argument("command", nargs=argparse.REMAINDER)
    for name, does in (("stop", stop), ("start", start), ("restart", restart)):
        command(name, does)
    command("kill", kill).add_argument("-s", "--signal", default="KILL")
    command("down", down, services=False).add_argument("-v", "--volumes", action="store_true")

    options = parser.parse_args()
    try:
        project = Project(options.file, options.project_name)
        if options.subcommand == "config":
            if not options.quiet:
                yaml.safe_dump({"name": project.name, **project.raw}, sys.stdout, sort_keys=False)
            return 0
        engine = Engine(project)
        # One command at a time, as with an engine; a container's own processes do not hold the lock.
        engine.folder.parent.mkdir(parents=True, exist_ok=True)
        with open(engine.folder.parent / "lock", "w", encoding="utf-8") as lock:
            if options.subcommand not in ("exec", "run", "logs"):
                fcntl.flock(lock, fcntl.LOCK_EX)
            return options.does(engine, options) or 0
    except Refused as refused:
        print(f"compose.py: {refused}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
