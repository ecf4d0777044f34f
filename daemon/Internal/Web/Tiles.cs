using System.Collections.Concurrent;
using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
using CuFrames.Daemon.Internal.Taps;
using CuFrames.Interop;
using CuFrames.Protocol;
using Microsoft.AspNetCore.Http;

namespace CuFrames.Daemon.Internal.Web;

/// <summary>
/// The live pictures of the dashboard: one answer carries those of all streams that a page has in view, one a second of each at most, as a row of
/// <see cref="TileRecord"/>. Each is made once for all who look, and none while nobody does.
/// </summary>
/// <remarks>
/// An answer looks at all of its streams four times a second, makes what is due and sends it in one piece. That costs much less than to be woken for each
/// frame of each stream, and makes no picture later than by that quarter of a second.
/// </remarks>
/// <param name="find">Finds a stream by its key: the camera, what is published of it, and where. Any thread.</param>
internal sealed class Tiles(Func<string, CancellationToken, Task<TilePlace?>> find)
{
    /// <summary>From one look at the streams to the next.</summary>
    internal const int LookMilliseconds = 250;

    /// <summary>Streams of one answer. A page has fewer tiles in view.</summary>
    private const int MostStreams = 128;

    /// <summary>After a stream had no picture it is tried again, nanoseconds.</summary>
    private const long NextAttempt = 2_000_000_000;

    /// <summary>Who scrolls asks anew, and the stream's readers need not come and go with that.</summary>
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(3);

    private readonly ConcurrentDictionary<(string Directory, string Key), TileFeed> _feeds = [];

    /// <summary>Answers <c>{"streams": ["front@tile", ...]}</c> until the caller goes.</summary>
    internal async Task AnswerAsync(WebRequest request)
    {
        List<Tile> tiles = [.. ReadKeys(await request.ReadBodyAsync().ConfigureAwait(false)).Select(key => new Tile(key))];
        HttpResponse response = request.Context.Response;
        response.ContentType = "application/octet-stream";
        await response.StartAsync(request.Gone).ConfigureAwait(false);
        await response.BodyWriter.FlushAsync(request.Gone).ConfigureAwait(false);
        using TileMaker maker = new();
        using PeriodicTimer timer = new(TimeSpan.FromMilliseconds(LookMilliseconds));
        try
        {
            do
            {
                await Task.WhenAll(tiles.Where(tile => tile.IsDue).Select(tile => JoinAsync(tile, request))).ConfigureAwait(false);
                if (Add(tiles, maker, response.BodyWriter))
                {
                    await response.BodyWriter.FlushAsync(request.Gone).ConfigureAwait(false);
                }
            }
            while (await timer.WaitForNextTickAsync(request.Gone).ConfigureAwait(false));
        }
        finally
        {
            _ = LeaveAsync(tiles);
        }
    }

    private static List<string> ReadKeys(byte[] body)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(body);
            List<string> keys = [.. document.RootElement.GetProperty("streams").EnumerateArray().Select(key => key.GetString()!).Distinct()];
            if (keys.Count <= MostStreams && keys.TrueForAll(StreamKey.IsValid))
            {
                return keys;
            }
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            // Told below.
        }

        throw new WebException(StatusCodes.Status400BadRequest, $"What is sent here is {{\"streams\": [...]}} with at most {MostStreams} keys of streams");
    }

    /// <summary>Begins to look at a stream, or says why that cannot be.</summary>
    private async Task JoinAsync(Tile tile, WebRequest request)
    {
        string key = tile.Key;
        if (await find(key, request.Gone).ConfigureAwait(false) is not { } place)
        {
            tile.Fail($"There is no stream '{key}'.");
        }
        else if (request.Caller!.FindReadObstacle(place.Camera, place.Stream.Readers) is { } obstacle)
        {
            tile.Fail(obstacle);
        }
        else if (!place.Stream.Kinds.Contains(TapKind.Jpeg))
        {
            tile.Fail($"No picture is made of '{key}', whose memory is cuda-ipc: its own process cannot open it.");
        }
        else
        {
            tile.Place = (place.Directory, key);
            tile.Feed = _feeds.GetOrAdd(tile.Place, name => new TileFeed(name.Directory, name.Key));
            tile.Feed.Join();
        }
    }

    /// <summary>Adds what is new to an answer.</summary>
    /// <returns>Whether something was added.</returns>
    private bool Add(List<Tile> tiles, TileMaker maker, PipeWriter answer)
    {
        bool hasAdded = false;
        foreach (Tile tile in tiles)
        {
            try
            {
                if (tile.Feed?.TryAdd(ref tile.Number, maker, answer) == true)
                {
                    (tile.Told, hasAdded) = ("", true);
                }
            }
            catch (Exception error) when (error is CuFramesException or TapException)
            {
                // A feed that has failed begins anew when all have left it, so it is left at once.
                Leave(tile);
                tile.Fail(error.Message);
            }

            if (tile.Problem != tile.Told && tile.Feed is null)
            {
                tile.Told = tile.Problem;
                TileRecord.Write(answer, tile.Key, TileRecord.Problem, Encoding.UTF8.GetBytes(tile.Problem));
                hasAdded = true;
            }
        }

        return hasAdded;
    }

    private async Task LeaveAsync(List<Tile> tiles)
    {
        await Task.Delay(Linger).ConfigureAwait(false);
        tiles.ForEach(Leave);
    }

    private void Leave(Tile tile)
    {
        if (tile.Feed is { } feed && feed.Leave())
        {
            // Who has it in his hand goes on with it; the next one gets another.
            _feeds.TryRemove(KeyValuePair.Create(tile.Place, feed));
        }

        tile.Feed = null;
    }

    /// <summary>One stream of an answer.</summary>
    private sealed class Tile(string key)
    {
        /// <summary>Number of the picture that the answer has; a field, as it is handed over to be moved on.</summary>
        internal long Number;

        private long _nextAttempt;

        internal string Key { get; } = key;

        internal (string Directory, string Key) Place { get; set; }

        /// <summary>Gives pictures; null: there are none now.</summary>
        internal TileFeed? Feed { get; set; }

        /// <summary>Why there are none.</summary>
        internal string Problem { get; private set; } = "";

        /// <summary>Which problem the page knows.</summary>
        internal string Told { get; set; } = "";

        internal bool IsDue => Feed is null && MonotonicClock.NowNanoseconds >= _nextAttempt;

        internal void Fail(string problem)
        {
            (Problem, Number) = (problem, 0);
            _nextAttempt = MonotonicClock.NowNanoseconds + NextAttempt;
        }
    }
}
