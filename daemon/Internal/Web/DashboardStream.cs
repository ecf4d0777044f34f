using System.Buffers;
using System.Text;
using System.Threading.Channels;
using CuFrames.Daemon.Internal.Access;
using CuFrames.Daemon.Internal.Metrics;
using CuFrames.Daemon.Internal.State;
using Microsoft.AspNetCore.Http;

namespace CuFrames.Daemon.Internal.Web;

/// <summary>
/// What happens, as server-sent events, for one page: everything at first, then each second what is different, and log events as they come. A daemon
/// that nobody looks at does nothing here.
/// </summary>
/// <param name="sampler">Gives figures.</param>
/// <param name="set">Gives the cameras that are written down, those that do not run included. Any thread.</param>
/// <param name="events">The log's events.</param>
/// <param name="details">Describes one camera for its page; null: there is none. Any thread.</param>
internal sealed class DashboardStream(Sampler sampler, Func<CameraSet> set, EventHistory events, Func<string, CancellationToken, Task<byte[]?>> details)
{
    /// <summary>Past events that a page gets.</summary>
    private const int PastEvents = 100;

    private static readonly TimeSpan Pace = TimeSpan.FromSeconds(1);

    /// <summary>Answers until the caller goes. <c>?camera=KEY</c>: only of that camera.</summary>
    internal async Task AnswerAsync(WebRequest request)
    {
        string camera = request.Context.Request.Query["camera"].ToString();
        string? only = camera.Length > 0 ? camera : null;
        HttpResponse response = request.Context.Response;
        response.ContentType = "text/event-stream";
        events.Watch(out EventRecord[] past, out Channel<EventRecord> next);
        try
        {
            Sender sender = new(response.Body, request.Gone);
            bool mayControl = request.Caller!.May(Permission.Control);
            sender.Add("hello", DashboardJson.Of(json =>
            {
                json.WriteString("version", Program.Version);
                json.WriteNumber("process", Environment.ProcessId);
                json.WriteString("caller", request.Caller.Name);
                json.WriteBoolean("control", mayControl);
                json.WriteBoolean("login", request.Caller.Peer is null);
            }));
            foreach (EventRecord record in past.Where(record => IsWanted(record, only)).TakeLast(PastEvents))
            {
                sender.Add("log", DashboardJson.Of(record));
            }

            await SendAsync(sender, next, only, request.Gone).ConfigureAwait(false);
        }
        finally
        {
            events.Forget(next);
        }
    }

    private async Task SendAsync(Sender sender, Channel<EventRecord> next, string? only, CancellationToken gone)
    {
        Dictionary<string, byte[]> sent = [];
        string order = "";
        byte[] described = [];
        long newest = 0;
        using PeriodicTimer timer = new(Pace);
        Task<bool> tick = timer.WaitForNextTickAsync(gone).AsTask();
        Task<bool> happening = next.Reader.WaitToReadAsync(gone).AsTask();
        bool isDue = true;
        while (true)
        {
            while (next.Reader.TryRead(out EventRecord? record))
            {
                if (IsWanted(record, only))
                {
                    sender.Add("log", DashboardJson.Of(record));
                }
            }

            if (isDue)
            {
                DaemonSnapshot snapshot = await sampler.AskAsync(gone).ConfigureAwait(false);
                AddSnapshot(sender, snapshot, set(), only, sent, ref order);
                if (only is not null && await details(only, gone).ConfigureAwait(false) is { } description && !description.AsSpan().SequenceEqual(described))
                {
                    sender.Add("details", described = description);
                }

                if (DashboardJson.Of(sampler.History, snapshot.Cameras.Select(camera => camera.Key), only, newest, out long last) is { } rows)
                {
                    sender.Add(newest == 0 ? "history" : "sample", rows);
                    newest = last;
                }
            }

            await sender.FlushAsync().ConfigureAwait(false);
            await Task.WhenAny(tick, happening).ConfigureAwait(false);
            isDue = tick.IsCompleted;
            if (isDue)
            {
                await tick.ConfigureAwait(false);
                tick = timer.WaitForNextTickAsync(gone).AsTask();
            }

            if (happening.IsCompleted)
            {
                await happening.ConfigureAwait(false);
                happening = next.Reader.WaitToReadAsync(gone).AsTask();
            }
        }
    }

    /// <summary>Adds what is different from what the page has: cameras, their order, those that have gone; the process always, as a sign of life.</summary>
    private static void AddSnapshot(Sender sender, DaemonSnapshot snapshot, CameraSet set, string? only, Dictionary<string, byte[]> sent, ref string order)
    {
        long began = new DateTimeOffset(snapshot.Utc).ToUnixTimeMilliseconds() - (snapshot.Time / 1_000_000);
        Dictionary<string, CameraSnapshot> running = snapshot.Cameras.ToDictionary(camera => camera.Key);

        // One that may run and does not is about to: the snapshot is a moment old.
        List<ConfiguredCamera> cameras =
            [.. set.All.Where(camera => (only is null || camera.Key == only) && (running.ContainsKey(camera.Key) || camera.Obstacle.Length > 0))];
        string keys = string.Join(' ', cameras.Select(camera => camera.Key));
        List<byte[]> changed = [];
        foreach (ConfiguredCamera camera in cameras)
        {
            byte[] now = running.TryGetValue(camera.Key, out CameraSnapshot? facts) ? DashboardJson.Of(facts, began) : DashboardJson.Of(camera);
            if (!sent.TryGetValue(camera.Key, out byte[]? before) || !before.AsSpan().SequenceEqual(now))
            {
                sent[camera.Key] = now;
                changed.Add(now);
            }
        }

        bool hasOtherOrder = keys != order || sent.Count != cameras.Count;
        foreach (string gone in sent.Keys.Except(cameras.Select(camera => camera.Key)).ToList())
        {
            sent.Remove(gone);
        }

        order = keys;
        sender.Add("snapshot", DashboardJson.Of(json =>
        {
            json.WriteNumber("time", new DateTimeOffset(snapshot.Utc).ToUnixTimeMilliseconds());
            if (hasOtherOrder || cameras.Count == 0)
            {
                json.WriteStartArray("order");
                cameras.ForEach(camera => json.WriteStringValue(camera.Key));
                json.WriteEndArray();
            }

            json.WriteStartArray("cameras");
            changed.ForEach(camera => json.WriteRawValue(camera, skipInputValidation: true));
            json.WriteEndArray();
            DashboardJson.Write(json, snapshot);
        }));
    }

    private static bool IsWanted(EventRecord record, string? camera) =>
        camera is null || record.Stream == camera || (record.Stream?.StartsWith(camera, StringComparison.Ordinal) == true && record.Stream[camera.Length] == '@');

    /// <summary>Puts events together, so that a page gets those of one moment in one piece.</summary>
    private sealed class Sender(Stream output, CancellationToken gone)
    {
        private readonly ArrayBufferWriter<byte> _waiting = new();

        internal void Add(string name, byte[] json)
        {
            _waiting.Write(Encoding.ASCII.GetBytes($"event: {name}\ndata: "));
            _waiting.Write(json);
            _waiting.Write("\n\n"u8);
        }

        internal async Task FlushAsync()
        {
            if (_waiting.WrittenCount == 0)
            {
                return;
            }

            await output.WriteAsync(_waiting.WrittenMemory, gone).ConfigureAwait(false);
            await output.FlushAsync(gone).ConfigureAwait(false);
            _waiting.Clear();
        }
    }
}
