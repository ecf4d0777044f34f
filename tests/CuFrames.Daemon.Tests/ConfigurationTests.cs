using CuFrames.Daemon.Internal;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Daemon.Tests;

/// <summary>What <c>cuframesd --check</c> says about files, good and bad.</summary>
public sealed class ConfigurationTests : IDisposable
{
    private const string Quotas = "{readers: 100, leases: none, streams: none, users: {1: {readers: 100, leases: 8, streams: none}}}";
    private const string Secret = "Geh3imes-Passwort";
    private readonly TemporaryDirectory _folder = new();

    /// <summary>
    /// Text of the file, where <c>|</c> separates lines and <c>^</c> stands before the place of each problem; then, for each problem, key and
    /// beginning of the text.
    /// </summary>
    public static TheoryData<string, string[]> BadFiles => new()
    {
        { "^", ["the key 'cameras' is missing. Accepted: cameras: and below it one key per camera"] },
        { "cameras: [|^", ["this is not YAML"] },
        { "cameras: ^[|web: off", ["this is not YAML: the text cannot be understood from here on."] },
        { "cameras: {}|^---|cameras: {}", ["a second document begins here. Accepted: one YAML document."] },
        { "^- a", ["found a list. Accepted: a mapping with the keys directory, state, gpu, taps, web, log, metrics, control, permissions, limits, defaults, cameras."] },
        { "^hello", ["found a text. Accepted: a mapping with the keys directory, state, gpu, taps, web, log, metrics, control, permissions, limits, defaults, cameras."] },
        { "cameras: {}|^camaras: {}", ["camaras: unknown key 'camaras' (did you mean 'cameras'?). Accepted: directory, state, gpu, taps, web, log, metrics, control, permissions, limits, defaults, cameras."] },
        { "cameras: {}|^cameras: {}", ["cameras: the key stands here a second time; the first is in line 1. Accepted: each key once."] },
        { "cameras: ^[]", ["cameras: found a list. Accepted: a mapping of stream keys to cameras."] },
        { "cameras: ^*nowhere", ["this is not YAML: No anchor '&nowhere' stands before this alias."] },
        { "? ^[a]|: 1|cameras: {}", ["a key must be a text."] },
        { "directory: ^run|cameras: {}", ["directory: found a relative path. Accepted: an absolute path."] },
        { "cameras: {^Front: {source: test}}", ["cameras.Front: 'Front' is not a stream key. Accepted: 1 to 64 of a-z, 0-9"] },
        { "cameras: {^a: }", ["cameras.a: the key 'source' is missing. Accepted: a URL (rtsp://, http://, ...), a file's path, or test"] },
        { "cameras: {a: ^rtsp://x:" + Secret + "@h/}", ["cameras.a: found a text. Accepted: a mapping with the keys source,"] },
        { "cameras:|  ^a: {^sorce: test}", ["cameras.a: the key 'source' is missing", "cameras.a.sorce: unknown key 'sorce' (did you mean 'source'?). Accepted: source, enabled, transport,"] },
        { "cameras:|  a: {source: ^[1]}", ["cameras.a.source: found a list. Accepted: a URL"] },
        { "cameras:|  a: {source: ^''}", ["cameras.a.source: found an empty text. Accepted: a URL"] },
        { "cameras:|  a: {source: ^'test:nv13@640x480'}", ["cameras.a.source: found 'test:nv13@640x480', which is not test:[FORMAT@]WIDTHxHEIGHT[@RATE] with a format of nv12, i420,"] },
        { "cameras:|  a: {source: ^'test:8x8'}", ["cameras.a.source: found 'test:8x8', which is not test:"] },
        { "cameras:|  a: {source: ^'test:64x64@0'}", ["cameras.a.source: found 'test:64x64@0', whose rate is neither"] },
        { "cameras:|  a: {source: test, enabled: ^yes}", ["cameras.a.enabled: found 'yes'. Accepted: true, false."] },
        { "cameras:|  a: {source: rtsp://h/, transport: ^upd}", ["cameras.a.transport: found 'upd' (did you mean 'udp'?). Accepted: tcp, udp."] },
        { "cameras:|  a: {source: a.mp4, transport: ^udp}", ["cameras.a.transport: the key has no meaning for a file. Accepted: the key only where the source is a camera's URL."] },
        { "cameras:|  a: {source: test, loop: ^true}", ["cameras.a.loop: the key has no meaning for the test pattern. Accepted: the key only where the source is a camera's URL or a file."] },
        { "cameras:|  a: {source: rtsp://h/, decode: ^nvdek}", ["cameras.a.decode: found 'nvdek' (did you mean 'nvdec'?). Accepted: auto, nvdec, software; always, on-demand; all, keyframes; or a list with one word of some of these groups, such as [nvdec, on-demand]."] },
        { "cameras:|  a: {source: test, decode: ^software}", ["cameras.a.decode: the key has no meaning for the test pattern. Accepted: the key only where the source is a camera's URL or a file."] },
        { "cameras:|  a: {source: test, memory: ^cuda_ipc}", ["cameras.a.memory: found 'cuda_ipc' (did you mean 'cuda-ipc'?). Accepted: host, cuda, cuda-ipc."] },
        { "cameras:|  a: {source: test, memory: ^[host]}", ["cameras.a.memory: found a list. Accepted: host, cuda, cuda-ipc."] },
        { "taps: ^on|cameras: {}", ["taps: found 'on'. Accepted: off, or a mapping with the keys http, clients, stream_clients."] },
        { "taps: {^htpp: off}|cameras: {}", ["taps.htpp: unknown key 'htpp' (did you mean 'http'?). Accepted: http, clients, stream_clients."] },
        { "taps: {http: ^8475}|cameras: {}", ["taps.http: found '8475'. Accepted: off, or a loopback address with a port"] },
        { "taps: {http: ^127.0.0.1}|cameras: {}", ["taps.http: found '127.0.0.1'. Accepted: off, or a loopback address with a port"] },
        { "taps: {http: ^localhost:8475}|cameras: {}", ["taps.http: found 'localhost:8475'. Accepted: off, or a loopback address with a port"] },
        { "taps: {http: ^0.0.0.0:8475}|cameras: {}", ["taps.http: found '0.0.0.0:8475', which other machines can reach. Accepted: off, or a loopback address"] },
        { "web: ^on|cameras: {}", ["web: found 'on'. Accepted: off, a loopback address with a port, such as 127.0.0.1:8476, or a mapping with the keys listen, dashboard, metrics, certificate, key."] },
        { "web: ^0.0.0.0:8476|cameras: {}", ["web: found '0.0.0.0:8476', which other machines can reach. Accepted: off, a loopback address"] },
        { "web: {listen: ^192.0.2.1:8476}|cameras: {}", ["web.listen: found '192.0.2.1:8476', which other machines can reach. Accepted: off, or an address"] },
        { "log: {level: ^debug, format: ^xml}|cameras: {}", ["log.level: found 'debug'. Accepted: error, warning, info.", "log.format: found 'xml'. Accepted: text, json."] },
        { "metrics: {otlp: ^http://u:Geh3imes-Passwort@h:4318}|cameras: {}", ["metrics.otlp: found an address with a user name"] },
        { "metrics: {otlp: ^ftp://h}|cameras: {}", ["metrics.otlp: found something else. Accepted: off, or the address of a collector"] },
        { "web: {certificate: ^/etc/x.pem}|cameras: {}", ["web.certificate: the key stands without 'key'. Accepted: certificate and key together"] },
        { "web: {dashboard: ^yes}|cameras: {}", ["web.dashboard: found 'yes'. Accepted: on, off."] },
        { "permissions: {^veiw: own}|cameras: {}", ["permissions.veiw: unknown key 'veiw' (did you mean 'view'?). Accepted: view, control, publish, quotas, tokens, audit."] },
        { "permissions: {view: ^all}|cameras: {}", ["permissions.view: found 'all'. Accepted: own, everyone, or {users: [...], groups: [...]} with names or ids."] },
        { "permissions: {control: {users: [^nobody-here]}}|cameras: {}", ["permissions.control.users[0]: there is no user 'nobody-here'. Accepted: the name or the id of a user of this machine."] },
        { "permissions: {publish: {^users: [root]}}|cameras: {}", ["permissions.publish.users: unknown key 'users'"] },
        { "permissions: {publish: {group: ^nobody-here}}|cameras: {}", ["permissions.publish.group: there is no group 'nobody-here'."] },
        { "permissions: {quotas: {readers: ^many}}|cameras: {}", ["permissions.quotas.readers: found 'many'. Accepted: none, or a whole number from 0 to 1000000."] },
        { "permissions: {quotas: {users: {^nobody-here: {readers: 1}}}}|cameras: {}", ["permissions.quotas.users.nobody-here: there is no user 'nobody-here'."] },
        { "permissions: {quotas: {users: {root: {^users: 1}}}}|cameras: {}", ["permissions.quotas.users.root.users: unknown key 'users'"] },
        { "permissions: {quotas: {users: {root: {readers: 1}, ^'0': {readers: 2}}}}|cameras: {}", ["permissions.quotas.users.0: user 0 stands here a second time. Accepted: each user once."] },
        { "permissions: {audit: ^audit.jsonl}|cameras: {}", ["permissions.audit: found a relative path. Accepted: off, or the absolute path of a file."] },
        { "permissions: {tokens: ^x}|cameras: {}", ["permissions.tokens: found 'x'. Accepted: a list, such as [a, b]."] },
        { "permissions: {tokens: [^^{}]}|cameras: {}", ["permissions.tokens[0]: the key 'name' is missing", "permissions.tokens[0]: the key 'file' is missing"] },
        { "permissions: {tokens: [{name: x, file: ^/nowhere/x.token}]}|cameras: {}", ["permissions.tokens[0].file: /nowhere/x.token cannot be read: its directory does not exist. Accepted: the path of a file that holds the token"] },
        { "permissions: {tokens: [{name: x, file: ^/etc/passwd}]}|cameras: {}", ["permissions.tokens[0].file: /etc/passwd has the mode 0644 and the group 0, so others than the daemon may get at it: chmod 0600 /etc/passwd, or 0640 with owner root and group 0. Accepted:"] },
        { "control: {tcp: ^192.0.2.7}|cameras: {}", ["control.tcp: found '192.0.2.7'. Accepted: off, or an address with a port"] },
        { "control: {tcp: ^'192.0.2.7:8477'}|cameras: {}", ["control.tcp: 'certificate' is not named. Accepted: tcp together with certificate and key: tokens do not travel in the clear."] },
        { "control: {key: ^/etc/x.key}|cameras: {}", ["control.key: 'certificate' is not named."] },
        { "control: {certificate: ^/nowhere/x.pem, key: /nowhere/x.key}|cameras: {}", ["control.certificate: /nowhere/x.pem cannot be read: Could not find a part of the path"] },
        { "taps: {clients: ^0}|cameras: {}", ["taps.clients: found '0'. Accepted: a whole number from 1 to 1024."] },
        { "taps: {stream_clients: ^49}|cameras: {}", ["taps.stream_clients: found '49'. Accepted: a whole number from 1 to 48."] },
        { "limits: {^files: 5}|cameras: {}", ["limits.files: unknown key 'files'. Accepted: memory, descriptors, cameras."] },
        { "limits: {memory: ^1, descriptors: ^7, cameras: ^0}|cameras: {}", ["limits.memory: found '1', which has no unit. Accepted: auto, none, or a size", "limits.descriptors: found '7'. Accepted: auto, or a whole number from 64", "limits.cameras: found '0'. Accepted: a whole number from 1 to 10000."] },
        { "limits: {cameras: 1}|cameras: ^{a: {source: test}, b: {source: test}}", ["cameras: 2 cameras, and limits.cameras is 1. Accepted: fewer cameras, or a higher limit."] },
        { "gpu: ^0|cameras: {}", ["gpu: found a text. Accepted: a mapping with the keys device, memory_limit, max_decoders."] },
        { "gpu: {^devise: 0}|cameras: {}", ["gpu.devise: unknown key 'devise' (did you mean 'device'?). Accepted: device, memory_limit, max_decoders."] },
        { "gpu: {device: ^-1}|cameras: {}", ["gpu.device: found '-1'. Accepted: a number from 0 to 255, or a UUID (GPU-... or MIG-...) as nvidia-smi -L prints it."] },
        { "gpu: {device: ^256}|cameras: {}", ["gpu.device: found '256'. Accepted: a number from 0 to 255"] },
        { "gpu: {device: ^GPU-1234}|cameras: {}", ["gpu.device: found 'GPU-1234'. Accepted: a number from 0 to 255"] },
        { "gpu: {device: ^8f3a6d3c-1111-2222-3333-444455556666}|cameras: {}", ["gpu.device: found '8f3a6d3c-1111-2222-3333-444455556666'. Accepted: a number"] },
        { "gpu: {memory_limit: ^4096}|cameras: {}", ["gpu.memory_limit: found '4096', which has no unit. Accepted: none, or a size from 1MiB to 1024GiB, such as 512MiB or 4GiB."] },
        { "gpu: {memory_limit: ^1 KiB}|cameras: {}", ["gpu.memory_limit: found '1 KiB'. Accepted: none, or a size"] },
        { "gpu: {max_decoders: ^0}|cameras: {}", ["gpu.max_decoders: found '0'. Accepted: none, or a whole number from 1 to 1024."] },
        { "gpu: {max_decoders: ^many}|cameras: {a: {source: test, memory: ^gpu}}", ["gpu.max_decoders: found 'many'.", "cameras.a.memory: found 'gpu'."] },
        { "cameras:|  a: {source: rtsp://h/, decode_threads: ^65}", ["cameras.a.decode_threads: found '65'. Accepted: a whole number from 0 (one per core) to 64."] },
        { "cameras:|  a: {source: rtsp://h/, decode_threads: ^1.5}", ["cameras.a.decode_threads: found '1.5'. Accepted: a whole number"] },
        { "cameras:|  a: {source: rtsp://h/, decode_threads: ^99999999999}", ["cameras.a.decode_threads: found '99999999999'. Accepted: a whole number"] },
        { "cameras:|  a: {source: test, paced: ^maybe}", ["cameras.a.paced: found 'maybe'. Accepted: auto, true, false."] },
        { "cameras:|  a: {source: test, slots: ^1}", ["cameras.a.slots: found '1'. Accepted: a whole number from 2 to 48."] },
        { "cameras:|  a: {source: test, max_slots: ^-3}", ["cameras.a.max_slots: found '-3'. Accepted: a whole number from 2 to 48."] },
        { "cameras:|  a: {source: test, slots: 8, max_slots: ^4}", ["cameras.a.max_slots: max_slots is 4 and slots is 8. Accepted: a limit that is not below"] },
        { "cameras:|  a: {source: test, memory_limit: ^256}", ["cameras.a.memory_limit: found '256', which has no unit. Accepted: auto, or a size from 1MiB to 1024GiB, such as 256MiB or 2GiB."] },
        { "cameras:|  a: {source: test, memory_limit: ^4KiB}", ["cameras.a.memory_limit: found '4KiB'. Accepted: auto, or a size from 1MiB"] },
        { "cameras:|  a: {source: rtsp://h/, open_timeout: ^10}", ["cameras.a.open_timeout: found '10', which has no unit. Accepted: a time from 100ms to 10min, such as 500ms or 10s."] },
        { "cameras:|  a: {source: rtsp://h/, stall_timeout: ^1h}", ["cameras.a.stall_timeout: found '1h'. Accepted: a time from 100ms to 10min"] },
        { "cameras:|  a: {source: test, lease_timeout: ^{}}", ["cameras.a.lease_timeout: found a mapping. Accepted: a time from 100ms"] },
        { "cameras:|  a: {source: rtsp://h/, lossless: ^true}", ["cameras.a.lossless: a live source cannot wait for its readers. Accepted: false, unless the source is a file or the test pattern."] },
        { "cameras:|  a: {source: test, lossless: ^5}", ["cameras.a.lossless: found '5', which has no unit. Accepted: false, true (5s), or a time"] },
        { "cameras:|  a: {source: test, readers: ^all}", ["cameras.a.readers: found 'all'. Accepted: own, everyone, or {users: [...], groups: [...]} with names or ids."] },
        { "cameras:|  a: {source: test, readers: ^{users: []}}", ["cameras.a.readers: no user and no group is named. Accepted: own, everyone,"] },
        { "cameras:|  a: {source: test, readers: {users: ^root}}", ["cameras.a.readers.users: found 'root'. Accepted: a list, such as [a, b]."] },
        { "cameras:|  a: {source: test, readers: {users: [root, ^no-such-user], ^group: [0]}}", ["cameras.a.readers.users[1]: there is no user 'no-such-user'. Accepted: the name or the id of a user of this machine.", "cameras.a.readers.group: unknown key 'group' (did you mean 'groups'?). Accepted: users, groups."] },
        { "cameras:|  a: {source: test, readers: {groups: [^no-such-group]}}", ["cameras.a.readers.groups[0]: there is no group 'no-such-group'."] },
        { "cameras:|  a: {source: rtsp://h/, username: ^'a:b', password: x}", ["cameras.a.username: found a colon in it. Accepted: a text without a colon."] },
        { "cameras:|  a: {source: rtsp://h/, password: ^" + Secret + "}", ["cameras.a.password: a password without the key 'username'. Accepted: a user name together with a password."] },
        { "cameras:|  a: {source: rtsp://h/, username: ^a}", ["cameras.a.username: a user name without the key 'password' or 'password_file'."] },
        { "cameras:|  a: {source: rtsp://h/, username: a, password: ^[" + Secret + "]}", ["cameras.a.password: found a list. Accepted: a text."] },
        { "cameras:|  a: {source: 'rtsp://a:" + Secret + "@h/', password: ^b}", ["cameras.a.password: the source's URL holds a user name already. Accepted: the credentials either"] },
        { "cameras:|  a: {source: test, password: ^" + Secret + "}", ["cameras.a.password: the key has no meaning for the test pattern."] },
        { "cameras:|  a: {source: rtsp://h/, username: a, password: " + Secret + ", password_file: ^f}", ["cameras.a.password_file: the key 'password' stands beside it. Accepted: one of the two."] },
        { "cameras:|  a: {source: rtsp://h/, username: a, password_file: ^nowhere}", ["cameras.a.password_file: {folder}/nowhere cannot be read: there is no such file."] },
        { "cameras:|  a: {source: rtsp://h/, username: a, password_file: ^empty}", ["cameras.a.password_file: the file {folder}/empty is empty, has several lines or more than 4096 bytes."] },
        { "cameras:|  a: {source: ^'rtsp://${CUFRAMES_TEST_NOT_DEFINED}/'}", ["cameras.a.source: the environment variable CUFRAMES_TEST_NOT_DEFINED is not defined."] },
        { "cameras:|  a: {source: ^'rtsp://${A-B}/'}", ["cameras.a.source: found '${' that no variable's name and '}' follow. Accepted: ${NAME}, or $${ for the two characters themselves."] },
        { "cameras:|  a: {source: test, slots: ^'${CUFRAMES_TEST_SECRET}'}", ["cameras.a.slots: found '${CUFRAMES_TEST_SECRET}'. Accepted: a whole number"] },
        { "cameras:|  a: {source: rtsp://h/, decode: [nvdec, ^software]}", ["cameras.a.decode[1]: 'software' beside 'nvdec'. Accepted: one of auto, nvdec, software."] },
        { "cameras:|  a: {source: rtsp://h/, decode: [on-demand, ^always, ^fast]}", ["cameras.a.decode[1]: 'always' beside 'on-demand'. Accepted: one of always, on-demand.", "cameras.a.decode[2]: found 'fast'."] },
        { "cameras:|  a: {source: rtsp://h/, decode: ^on-demand, packets: off}", ["cameras.a.decode: decode: on-demand and packets: off. Accepted: on-demand only with packets:"] },
        { "defaults: {decode: on-demand}|cameras:|  a: {source: rtsp://h/, packets: ^off}", ["cameras.a.packets: decode: on-demand and packets: off."] },
        { "cameras:|  a: {source: test, packets: ^off}", ["cameras.a.packets: the key has no meaning for the test pattern. Accepted: the key only where the source is a camera's URL or a file."] },
        { "cameras:|  a: {source: a.mp4, packets: ^offf}", ["cameras.a.packets: found 'offf' (did you mean 'off'?). Accepted: on, off, or a mapping with the keys memory, time, readers, such as {memory: 64MiB}."] },
        { "cameras:|  a: {source: a.mp4, packets: {memory: ^1KiB, ^tims: 5s}}", ["cameras.a.packets.memory: found '1KiB'. Accepted: a size from 64KiB to 4GiB", "cameras.a.packets.tims: unknown key 'tims' (did you mean 'time'?). Accepted: memory, time, readers."] },
        { "cameras:|  a: {source: a.mp4, packets: {time: ^0s, readers: ^all}}", ["cameras.a.packets.time: found '0s'. Accepted: a time from 1s to 24h", "cameras.a.packets.readers: found 'all'. Accepted: camera, own, everyone, or {users: [...], groups: [...]} with names or ids."] },
        { "cameras:|  a: {source: test, renditions: ^[]}", ["cameras.a.renditions: found a list. Accepted: a mapping of names to renditions"] },
        { "cameras:|  a: {source: test, renditions: {s: ^640x360}}", ["cameras.a.renditions.s: found a text. Accepted: a mapping with the keys size, scale, fit, fps, format, tensor, memory, readers."] },
        { "cameras:|  a: {source: test, renditions: {^Big: {}}}", ["cameras.a.renditions.Big: 'Big' is not a rendition's name. Accepted: 1 to 64 of a-z, 0-9"] },
        { "cameras:|  a: {source: test, renditions: {^a@b: {}}}", ["cameras.a.renditions.a@b: 'a@b' is not a rendition's name."] },
        { "cameras:|  a: {source: test, renditions: {s: {^sise: 640x360}}}", ["cameras.a.renditions.s.sise: unknown key 'sise' (did you mean 'size'?). Accepted: size, scale, fit, fps, format, tensor, memory, readers."] },
        { "cameras:|  a: {source: test, renditions: {s: {size: ^640}, t: {size: ^0x5}, u: {size: ^16385x5}, v: {size: ^-4x5}}}", ["cameras.a.renditions.s.size: found '640'. Accepted: WIDTHxHEIGHT with 1 to 16384", "cameras.a.renditions.t.size: found '0x5'.", "cameras.a.renditions.u.size: found '16385x5'.", "cameras.a.renditions.v.size: found '-4x5'."] },
        { "cameras:|  a: {source: test, renditions: {s: {size: 640x360, scale: ^0.5}}}", ["cameras.a.renditions.s.scale: the key 'size' stands beside it. Accepted: one of the two."] },
        { "cameras:|  a: {source: test, renditions: {s: {scale: ^0}, t: {scale: ^9}, u: {scale: ^half}, v: {scale: ^NaN}}}", ["cameras.a.renditions.s.scale: found '0'. Accepted: a number from 0.01 to 8, such as 0.5.", "cameras.a.renditions.t.scale: found '9'.", "cameras.a.renditions.u.scale: found 'half'.", "cameras.a.renditions.v.scale: found 'NaN'."] },
        { "cameras:|  a: {source: test, renditions: {s: {size: 5x5, fit: ^letter}}}", ["cameras.a.renditions.s.fit: found 'letter'. Accepted: letterbox, stretch, crop."] },
        { "cameras:|  a: {source: test, renditions: {s: {scale: 0.5, fit: ^crop}}}", ["cameras.a.renditions.s.fit: the key has no meaning without the key 'size'."] },
        { "cameras:|  a: {source: test, renditions: {s: {fps: ^0}, t: {fps: ^fast}}}", ["cameras.a.renditions.s.fps: found '0'. Accepted: none, or a number from 0.01 to 1000", "cameras.a.renditions.t.fps: found 'fast'."] },
        { "cameras:|  a: {source: test, renditions: {s: {format: ^rgb}}}", ["cameras.a.renditions.s.format: found 'rgb' (did you mean 'rgba'?). Accepted: source, nv12, i420, p010, gray8, rgb24, bgr24, rgba, bgra, rgbp, bgrp, rgbp_f16, bgrp_f16, rgbp_f32, bgrp_f32."] },
        { "cameras:|  a: {source: test, renditions: {s: {tensor: ^{}}, t: {format: rgbp, tensor: ^{scale: 1}}}}", ["cameras.a.renditions.s.tensor: the key has no meaning with the format source. Accepted:", "cameras.a.renditions.t.tensor: the key has no meaning with the format rgbp."] },
        { "cameras:|  a: {source: test, renditions: {s: {format: rgbp_f32, tensor: ^1}}}", ["cameras.a.renditions.s.tensor: found a text. Accepted: a mapping with the keys scale, mean, std."] },
        { "cameras:|  a: {source: test, renditions: {s: {format: rgbp_f32, tensor: {^deviation: 1}}}}", ["cameras.a.renditions.s.tensor.deviation: unknown key 'deviation'. Accepted: scale, mean, std."] },
        { "cameras:|  a: {source: test, renditions: {s: {format: rgbp_f32, tensor: {scale: ^0, mean: ^1, std: [1, ^0, ^one]}}}}", ["cameras.a.renditions.s.tensor.scale: found '0'. Accepted: a number other than 0, such as 1", "cameras.a.renditions.s.tensor.mean: found '1'. Accepted: three numbers in the order", "cameras.a.renditions.s.tensor.std[1]: found '0'.", "cameras.a.renditions.s.tensor.std[2]: found 'one'."] },
        { "cameras:|  a: {source: test, renditions: {s: {format: rgbp_f32, tensor: {mean: ^[1, 2]}}}}", ["cameras.a.renditions.s.tensor.mean: found a list of 2."] },
        { "cameras:|  a: {source: test, renditions: {s: {format: rgbp_f16, tensor: ^{scale: 1000}}}}", ["cameras.a.renditions.s.tensor: Samples become 0 to 255000 in channel 0 of rgbp_f16, which holds up to 65504"] },
        { "cameras:|  a: {source: test, renditions: {s: {memory: ^gpu}}}", ["cameras.a.renditions.s.memory: found 'gpu'. Accepted: auto (the camera's), host, cuda, cuda-ipc."] },
        { "cameras:|  a: {source: test, renditions: ^{s: {memory: auto}, t: {memory: cuda}}}", ["cameras.a.renditions: rendition t has memory: cuda, and the camera's own frames lie in main memory. Accepted: memory: cuda or cuda-ipc of the camera too, or memory: host of the rendition."] },
        { "defaults: {renditions: {t: {memory: cuda-ipc}}}|cameras:|  a: {source: test, memory: cuda}|  b: ^{source: test}", ["cameras.b: rendition t has memory: cuda-ipc, and the camera's own frames lie in main memory."] },
        { "cameras:|  a@b: {source: test, renditions: ^{s: {}}}", ["cameras.a@b.renditions: the key of a stream has one '@' at most, and this camera's has it."] },
        { "cameras:|  a: {source: test, renditions: {s: {}}}|  ^a@s: {source: test}", ["cameras.a@s: this is the key of camera a's rendition s too. Accepted: another key, or another name of the rendition."] },
        { "defaults: {slots: ^many}|cameras:|  a: {source: test, paced: ^1}|  ^b: {}", ["defaults.slots: found 'many'. Accepted: a whole number", "cameras.a.paced: found '1'.", "cameras.b: the key 'source' is missing"] },
        { "defaults: ^1|cameras: {}", ["defaults: found a text. Accepted: a mapping with the keys source,"] },
    };

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(BadFiles))]
    public void A_bad_file_is_refused_with_place_key_and_accepted_values(string content, string[] problems)
    {
        content = content.Replace('|', '\n');
        string[] places = [.. Enumerable.Range(0, content.Length).Where(i => content[i] == '^').Select(i => PlaceOf(content, i))];
        string path = Write(content.Replace("^", "", StringComparison.Ordinal));
        File.WriteAllText(Path.Combine(_folder.Path, "empty"), "\n");
        (int exitCode, string output, string errors) = Check(path);
        Assert.Equal(2, exitCode);
        Assert.Equal("", output);
        string[] lines = errors.TrimEnd('\n').Split('\n');
        Assert.Equal(problems.Length, lines.Length);
        Assert.Equal(problems.Length, places.Length);
        for (int i = 0; i < lines.Length; i++)
        {
            Assert.StartsWith($"{path}:{places[i]}: {problems[i].Replace("{folder}", _folder.Path, StringComparison.Ordinal)}", lines[i], StringComparison.Ordinal);
        }

        Assert.DoesNotContain(Secret, errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Renditions_are_printed_and_those_among_the_defaults_hold_where_there_can_be_some()
    {
        string path = Write(
            """
            defaults:
              renditions: {all: {}}
            cameras:
              a:
                source: test
                renditions:
                  small: { size: 640x360, fit: letterbox, fps: 5, format: rgb24 }
                  half: { scale: 0.5 }
                  net: { scale: 1, format: bgrp_f16, tensor: { mean: [0.406, -1e-3, 0.485], std: [0.5, 1, 2] } }
                  "1": { size: 1x16384, fit: crop, fps: 12.5, format: source, memory: host }
                  whole:
              b: {source: test}
              c: {source: test, memory: cuda, renditions: {same: {memory: auto}, down: {memory: host}, other: {memory: cuda-ipc}}}
              d@all: {source: test}
              e: {source: test, renditions: {}}
            """);
        (int exitCode, string output, string errors) = Check(path);
        Assert.Equal("", errors);
        Assert.Equal(0, exitCode);
        string[] lines = output.Split('\n');
        Assert.Equal(
            [
                "    renditions:",
                "      small: {size: 640x360, fit: letterbox, fps: 5, format: rgb24, memory: host, readers: camera}",
                "      half: {scale: 0.5, fps: none, format: source, memory: host, readers: camera}",
                "      net: {scale: 1, fps: none, format: bgrp_f16, tensor: {scale: 0.00392156862745098, mean: [0.406, -0.001, 0.485], std: [0.5, 1, 2]}, memory: host, readers: camera}",
                "      '1': {size: 1x16384, fit: crop, fps: 12.5, format: source, memory: host, readers: camera}",
                "      whole: {scale: 1, fps: none, format: source, memory: host, readers: camera}",
                "    renditions:",
                "      all: {scale: 1, fps: none, format: source, memory: host, readers: camera}",
                "    renditions:",
                "      same: {scale: 1, fps: none, format: source, memory: cuda, readers: camera}",
                "      down: {scale: 1, fps: none, format: source, memory: host, readers: camera}",
                "      other: {scale: 1, fps: none, format: source, memory: cuda-ipc, readers: camera}",
            ],
            lines.Where(line => line.StartsWith("      ", StringComparison.Ordinal) || line.Contains("renditions", StringComparison.Ordinal)));
        // What is printed is a configuration again.
        (exitCode, string again, errors) = Check(Write(output));
        Assert.Equal(("", 0, output), (errors, exitCode, again));
    }

    [Fact]
    public void Everything_that_holds_is_printed_without_secrets()
    {
        File.WriteAllText(Path.Combine(_folder.Path, "pw"), Secret + "\n");
        string path = Write(
            """
            directory: /run/somewhere
            gpu: {device: GPU-8F3A6D3C-1111-2222-3333-444455556666, memory_limit: 512 MiB, max_decoders: 12}
            taps: {http: 127.0.0.1:8475, clients: 5}
            web: {listen: "[::]:8476", metrics: off, certificate: /etc/x.pem, key: /etc/x.key}
            log: {level: warning, format: json}
            metrics: {otlp: "https://collector.example:4318/"}
            permissions:
              view: everyone
              control: {users: [root], groups: [daemon]}
              publish: {group: daemon}
              quotas: {readers: 100, users: {daemon: {leases: 8}}}
              audit: /var/log/cuframes/audit.jsonl
            defaults: &defaults
              decode: nvdec
              slots: 4
              username: viewer
              password: ${CUFRAMES_TEST_SECRET}
            cameras:
              one: {source: rtsp://h/a, slots: 30, transport: udp, memory_limit: 1.5GiB, readers: {users: [root, 7], groups: [0]}, memory: cuda}
              two: {source: "http://h/x?token=Geh3imes-Passwort", password_file: pw, open_timeout: 0.5s, enabled: false, decode: [keyframes, software], memory: cuda-ipc, packets: off}
              three: {source: clips/a.mp4, loop: true, lossless: true, paced: false, decode_threads: 0, decode: [on-demand, nvdec], readers: everyone, packets: {memory: 16389KiB, time: 10min, readers: everyone}}
              four: {source: "test:i420@64x48@30000/1001", lossless: 2min}
              five: {source: "rtsp://x:${CUFRAMES_TEST_SECRET}@h/", readers: own}
              "6@small": {source: test, slots: 2, max_slots: 48}
            """);
        (int exitCode, string output, string errors) = Check(path);
        Assert.Equal("", errors);
        Assert.Equal(0, exitCode);
        Assert.Equal(
            $$"""
            directory: /run/somewhere
            state: /kept
            gpu:
              device: GPU-8f3a6d3c-1111-2222-3333-444455556666
              memory_limit: 536870912B
              max_decoders: 12
            taps: {http: '127.0.0.1:8475', clients: 5, stream_clients: 16}
            web: {listen: '[::]:8476', dashboard: on, metrics: off, certificate: '/etc/x.pem', key: '/etc/x.key'}
            log: {level: warning, format: json}
            metrics: {otlp: 'https://collector.example:4318/v1/metrics'}
            control: {tcp: off}
            permissions:
              view: everyone
              control: {users: [0], groups: [1]}
              publish: {group: 1}
              quotas: {{Quotas}}
              tokens: []
              audit: /var/log/cuframes/audit.jsonl
            limits: {memory: auto, descriptors: auto, cameras: 1000}
            cameras:
              one:
                source: rtsp://viewer:***@h/a
                enabled: true
                paced: auto
                transport: udp
                decode: nvdec
                decode_threads: 1
                loop: false
                open_timeout: 10000ms
                stall_timeout: 5000ms
                packets: {memory: 33554432B, time: 60000ms, readers: camera}
                memory: cuda
                slots: 30
                max_slots: 30
                memory_limit: 1610612736B
                lease_timeout: 5000ms
                lossless: false
                readers: {users: [0, 7], groups: [0]}
                isolated: false
                stuck_timeout: 30000ms
              two:
                source: http://viewer:***@h/x?token=***
                enabled: false
                paced: auto
                transport: tcp
                decode: [software, keyframes]
                decode_threads: 1
                loop: false
                open_timeout: 500ms
                stall_timeout: 5000ms
                packets: off
                memory: cuda-ipc
                slots: 4
                max_slots: 24
                memory_limit: auto
                lease_timeout: 5000ms
                lossless: false
                readers: own
                isolated: false
                stuck_timeout: 30000ms
              three:
                source: {{_folder.Path}}/clips/a.mp4
                enabled: true
                paced: false
                decode: [nvdec, on-demand]
                decode_threads: 0
                loop: true
                open_timeout: 10000ms
                stall_timeout: 5000ms
                packets: {memory: 16785408B, time: 600000ms, readers: everyone}
                memory: host
                slots: 4
                max_slots: 24
                memory_limit: auto
                lease_timeout: 5000ms
                lossless: 5000ms
                readers: everyone
                isolated: false
                stuck_timeout: 30000ms
              four:
                source: test:i420@64x48@30000/1001
                enabled: true
                paced: auto
                memory: host
                slots: 4
                max_slots: 24
                memory_limit: auto
                lease_timeout: 5000ms
                lossless: 120000ms
                readers: own
                isolated: false
                stuck_timeout: 30000ms
              five:
                source: rtsp://x:***@h/
                enabled: true
                paced: auto
                transport: tcp
                decode: nvdec
                decode_threads: 1
                loop: false
                open_timeout: 10000ms
                stall_timeout: 5000ms
                packets: {memory: 33554432B, time: 60000ms, readers: camera}
                memory: host
                slots: 4
                max_slots: 24
                memory_limit: auto
                lease_timeout: 5000ms
                lossless: false
                readers: own
                isolated: false
                stuck_timeout: 30000ms
              '6@small':
                source: test:nv12@1280x720@25
                enabled: true
                paced: auto
                memory: host
                slots: 2
                max_slots: 48
                memory_limit: auto
                lease_timeout: 5000ms
                lossless: false
                readers: own
                isolated: false
                stuck_timeout: 30000ms

            """,
            output);
    }

    [Fact]
    public void What_is_printed_is_a_good_configuration_itself()
    {
        string path = Write("cameras:\n  a: {source: test}\n  b: {source: 'http://h/a b?x=1'}\n  1: {source: a.mp4, lossless: 1s, memory_limit: 2GiB, memory: cuda}\ngpu: {max_decoders: 3, device: MIG-8f3a6d3c-1111-2222-3333-444455556666}\n");
        (_, string first, _) = Check(path);
        (int exitCode, string second, string errors) = Check(Write(first));
        Assert.Equal("", errors);
        Assert.Equal(0, exitCode);
        Assert.Equal(first, second);
    }

    [Fact]
    public void A_text_that_is_no_YAML_is_always_a_problem_and_never_a_fault()
    {
        // What callers of the control API send is read by the same code.
        byte[] example = File.ReadAllBytes(Path.Combine(Repository.Root, "daemon", "cuframes.example.yaml"));
        byte[] marks = [.. "[]{},:&*!|>'\"%@`#?- \n\t\0~<=\u00ff"u8];
        Random random = new(20261121);
        int good = 0, bad = 0;
        for (int i = 0; i < 5000; i++)
        {
            byte[] text = [.. example];
            for (int change = random.Next(1, 6); change > 0; change--)
            {
                text[random.Next(text.Length)] = marks[random.Next(marks.Length)];
            }

            (DaemonConfiguration? configuration, IReadOnlyList<string> problems) = ConfigurationReader.Read("/etc/cuframes.yaml", text[..random.Next(text.Length + 1)], _ => "x");
            Assert.Equal(configuration is null, problems.Count > 0);
            _ = configuration is null ? bad++ : good++;
        }

        Assert.True(good > 0 && bad > 1000, $"{good} good, {bad} bad");
    }

    [Fact]
    public void The_example_is_good()
    {
        string example = File.ReadAllText(Path.Combine(Repository.Root, "daemon", "cuframes.example.yaml"));
        File.WriteAllText(Path.Combine(_folder.Path, "garden.password"), "x");
        (int exitCode, string output, string errors) = Check(Write(example), ("FRONT_DOOR_PASSWORD", Secret));
        // A machine without the group 'video' has one problem, and no other.
        Assert.True(exitCode == 0 || errors.Split('\n').Length == 2 && errors.Contains("there is no group 'video'", StringComparison.Ordinal), errors);
        Assert.DoesNotContain(Secret, output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--directory", "/elsewhere", "directory: /elsewhere")]
    [InlineData("--check", null, "directory: /from/environment")]
    public void The_option_wins_over_the_environment(string option, string? value, string expected)
    {
        string path = Write("cameras: {}");
        string[] arguments = ["--check", "--config", path, .. option == "--check" ? Array.Empty<string>() : [option, value!]];
        (int exitCode, string output, _) = DaemonProcess.Execute(new Dictionary<string, string?> { ["CUFRAMES_DIR"] = "/from/environment", ["STATE_DIRECTORY"] = "/kept" }, arguments);
        Assert.Equal(0, exitCode);
        Assert.Equal(expected + "\nstate: /kept\ngpu:\n  device: 0\n  memory_limit: none\n  max_decoders: none\ntaps: {http: off, clients: 64, stream_clients: 16}\nweb: {listen: '127.0.0.1:8476', dashboard: on, metrics: on}\nlog: {level: info, format: text}\nmetrics: {otlp: off}\ncontrol: {tcp: off}\npermissions:\n  view: own\n  control: own\n  quotas: {readers: none, leases: none, streams: none}\n  tokens: []\n  audit: off\nlimits: {memory: auto, descriptors: auto, cameras: 1000}\ncameras: {}\n", output);
    }

    [Fact]
    public void A_file_that_cannot_be_read_is_told()
    {
        string path = Path.Combine(_folder.Path, "nowhere.yaml");
        (int exitCode, _, string errors) = Check(path);
        Assert.Equal(2, exitCode);
        Assert.Equal($"{path}: the configuration cannot be read: there is no such file. Name the file with --config or $CUFRAMES_CONFIG.\n", errors);

        (exitCode, _, errors) = Check(_folder.Path);
        Assert.Equal(2, exitCode);
        Assert.Contains("it is a directory", errors, StringComparison.Ordinal);

        (exitCode, _, errors) = Check("/dev/zero");
        Assert.Equal(2, exitCode);
        Assert.Contains("more than 1048576 bytes", errors, StringComparison.Ordinal);

        string latin = Path.Combine(_folder.Path, "latin.yaml");
        File.WriteAllBytes(latin, [0x61, 0xE9, 0x3A]);
        (exitCode, _, errors) = Check(latin);
        Assert.Equal(2, exitCode);
        Assert.Equal($"{latin}:1:1: the file is not UTF-8 text. Accepted: YAML in UTF-8.\n", errors);
    }

    [Fact]
    public void A_wrong_command_line_ends_with_2_and_help_and_version_with_0()
    {
        Dictionary<string, string?> environment = [];
        (int exitCode, _, string errors) = DaemonProcess.Execute(environment, "--confg", "x");
        Assert.Equal(2, exitCode);
        Assert.Contains("--confg", errors, StringComparison.Ordinal);

        (exitCode, string output, _) = DaemonProcess.Execute(environment, "--help");
        Assert.Equal(0, exitCode);
        Assert.All(["--config", "--check", "--directory", "--version"], option => Assert.Contains(option, output, StringComparison.Ordinal));

        (exitCode, output, _) = DaemonProcess.Execute(environment, "--version");
        Assert.Equal(0, exitCode);
        Assert.Matches(@"^\d+\.\d+\.\d+", output);
    }

    [Fact]
    public void Without_check_a_bad_file_ends_the_start_with_2_and_every_problem_in_the_log()
    {
        string path = Write("cameras:\n  a: {source: test, slots: 1}\n  b: {source: test, paced: 1}\n");
        (int exitCode, _, string errors) = DaemonProcess.Execute(new Dictionary<string, string?> { ["JOURNAL_STREAM"] = "8:1" }, "--config", path);
        Assert.Equal(2, exitCode);
        string[] lines = errors.TrimEnd('\n').Split('\n');
        Assert.Equal(2, lines.Length);
        Assert.StartsWith($"<3>[201 configuration-invalid] {path}:2:28: cameras.a.slots: found '1'", lines[0], StringComparison.Ordinal);
        Assert.StartsWith($"<3>[201 configuration-invalid] {path}:3:28: cameras.b.paced: found '1'", lines[1], StringComparison.Ordinal);
    }

    /// <summary>Line and column of a character, both from 1; earlier marks do not count.</summary>
    private static string PlaceOf(string content, int index)
    {
        int line = content.AsSpan(0, index).Count('\n') + 1;
        ReadOnlySpan<char> before = content.AsSpan(0, index)[(content.AsSpan(0, index).LastIndexOf('\n') + 1)..];
        return $"{line}:{before.Length - before.Count('^') + 1}";
    }

    private string Write(string content)
    {
        string path = Path.Combine(_folder.Path, "test.yaml");
        File.WriteAllText(path, content);
        return path;
    }

    private static (int ExitCode, string Output, string Errors) Check(string path, params (string Name, string Value)[] variables)
    {
        Dictionary<string, string?> environment = new() { ["CUFRAMES_TEST_SECRET"] = Secret, ["CUFRAMES_TEST_NOT_DEFINED"] = null, ["STATE_DIRECTORY"] = "/kept" };
        foreach ((string name, string value) in variables)
        {
            environment[name] = value;
        }

        return DaemonProcess.Execute(environment, "--check", "--config", path);
    }
}
