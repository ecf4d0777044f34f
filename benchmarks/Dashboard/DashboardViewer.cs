using System.Buffers.Binary;
using System.Net.Http.Json;

namespace CuFrames.Benchmarks.Dashboard;

/// <summary>What a browser does that shows the dashboard's overview: it takes the events, and the pictures of all tiles.</summary>
internal sealed class DashboardViewer : IDisposable
{
    private readonly HttpClient _client;
    private readonly CancellationTokenSource _end = new();
    private readonly Task[] _reading;
    private long _pictures;
    private long _bytes;

    /// <summary>Begins to look.</summary>
    /// <param name="url">The daemon's address.</param>
    /// <param name="streams">Keys of the tiles.</param>
    public DashboardViewer(string url, IReadOnlyList<string> streams)
    {
        _client = new HttpClient { BaseAddress = new Uri(url), Timeout = Timeout.InfiniteTimeSpan };
        _reading = [ReadEventsAsync(), ReadPicturesAsync(streams)];
    }

    /// <summary>Pictures until now.</summary>
    public long Pictures => Interlocked.Read(ref _pictures);

    /// <summary>Bytes of events and pictures until now.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    public void Dispose()
    {
        _end.Cancel();
        try
        {
            Task.WaitAll(_reading);
        }
        catch (AggregateException error) when (error.InnerExceptions.All(inner => inner is OperationCanceledException))
        {
            // As asked for.
        }

        _client.Dispose();
        _end.Dispose();
    }

    private async Task ReadEventsAsync()
    {
        using Stream stream = await _client.GetStreamAsync(new Uri("events/stream", UriKind.Relative), _end.Token).ConfigureAwait(false);
        byte[] buffer = new byte[64 << 10];
        while (await stream.ReadAsync(buffer, _end.Token).ConfigureAwait(false) is var count and > 0)
        {
            Interlocked.Add(ref _bytes, count);
        }

        throw new IOException("the stream of events has ended");
    }

    private async Task ReadPicturesAsync(IReadOnlyList<string> streams)
    {
        using HttpRequestMessage request = new(HttpMethod.Post, new Uri("tiles", UriKind.Relative)) { Content = JsonContent.Create(new { streams }) };
        using HttpResponseMessage response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, _end.Token).ConfigureAwait(false);
        response.EnsureSuccessStatusCode();
        using Stream stream = await response.Content.ReadAsStreamAsync(_end.Token).ConfigureAwait(false);
        byte[] head = new byte[1 + 64 + 1 + 64 + 5];
        byte[] content = [];
        while (true)
        {
            // Records: length of the key, key, kind, length, content.
            await stream.ReadExactlyAsync(head.AsMemory(0, 1), _end.Token).ConfigureAwait(false);
            int length = head[0] + 5;
            await stream.ReadExactlyAsync(head.AsMemory(1, length), _end.Token).ConfigureAwait(false);
            int size = BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(length - 3));
            content = content.Length < size ? new byte[size] : content;
            await stream.ReadExactlyAsync(content.AsMemory(0, size), _end.Token).ConfigureAwait(false);
            if (head[length - 4] != 0)
            {
                throw new IOException($"a stream has no picture: {System.Text.Encoding.UTF8.GetString(content.AsSpan(0, size))}");
            }

            Interlocked.Increment(ref _pictures);
            Interlocked.Add(ref _bytes, 1 + length + size);
        }
    }
}
