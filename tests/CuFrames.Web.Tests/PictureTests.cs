using System.Diagnostics;
using CuFrames.Client;
using CuFrames.Media;
using CuFrames.Protocol;
using Microsoft.Playwright;
using Xunit;

namespace CuFrames.Web.Tests;

/// <summary>Tiles show the camera's own pictures, and cost nothing when nobody sees them.</summary>
public sealed class PictureTests(Browser browser)
{
    private const int Width = 320;
    private const int Height = 180;

    [Fact]
    public async Task Each_tile_shows_its_own_camera()
    {
        // They count frames at very different paces, so that none has the number of another.
        using WebDaemon daemon = new(
            """
            cameras:
              slow: {source: "test:nv12@320x180@2"}
              fast: {source: "test:i420@320x180@50"}
              faster: {source: "test:nv12@320x180@200"}
            """);

        // The policy of the page would not let the test look at what an image has.
        await using WatchedPage watched = await browser.OpenAsync(bypassPolicy: true);
        IPage page = watched.Page;
        await page.GotoAsync(daemon.Url);
        Dictionary<string, long> numbers = [];
        foreach (string key in (string[])["slow", "fast", "faster"])
        {
            await watched.WaitForAsync($"() => document.querySelector('[data-key={key}] img')?.naturalWidth === {Width}");
        }

        Stopwatch time = Stopwatch.StartNew();
        foreach (string key in (string[])["slow", "fast", "faster"])
        {
            numbers[key] = Check(await ReadAsync(page, key));
        }

        Assert.True(numbers["slow"] < numbers["fast"] && numbers["fast"] < numbers["faster"], string.Join(", ", numbers));

        // The next ones are newer: a picture that stands still would be another camera's or an old one.
        foreach (string key in (string[])["slow", "fast", "faster"])
        {
            string before = await page.EvaluateAsync<string>($"() => document.querySelector('[data-key={key}] img').src");
            await watched.WaitForAsync($"() => document.querySelector('[data-key={key}] img').src !== '{before}' && document.querySelector('[data-key={key}] img').complete");
            Assert.True(Check(await ReadAsync(page, key)) > numbers[key]);
        }

        // And they are those of about now: the pattern's number is its time.
        long newest = Check(await ReadAsync(page, "faster"));
        using FrameSubscriber subscriber = daemon.Daemon.Subscribe("faster");
        using Frame frame = await subscriber.NextAsync(TestContext.Current.CancellationToken);
        Assert.InRange((long)frame.Sequence - newest, 0, (long)(200 * (time.Elapsed.TotalSeconds + 60)));
        Assert.Empty(watched.TakeTroubles());
    }

    [Fact]
    public async Task Only_tiles_in_view_are_computed_and_none_when_nobody_looks()
    {
        using WebDaemon daemon = new(WebDaemon.Cameras(12));
        Assert.Equal(0, Joined(daemon));
        await using (WatchedPage watched = await browser.OpenAsync(360, 640))
        {
            IPage page = watched.Page;
            await page.GotoAsync(daemon.Url);
            await watched.WaitForAsync("() => document.querySelectorAll('#tiles > li').length === 12");
            await page.EvaluateAsync("() => document.querySelector('[data-key=c00]').scrollIntoView()");
            WebDaemon.WaitUntil(() => PageTests.ReadersOf(daemon, "c00@tile") == 1, () => daemon.Daemon.LogText);
            await page.EvaluateAsync("() => document.querySelector('[data-key=c11]').scrollIntoView()");
            WebDaemon.WaitUntil(() => PageTests.ReadersOf(daemon, "c11@tile") == 1, () => daemon.Daemon.LogText);
            WebDaemon.WaitUntil(() => PageTests.ReadersOf(daemon, "c00@tile") == 0, () => daemon.Daemon.LogText);

            // One that was in view while the page was laid out or scrolled is left 3 s later.
            WebDaemon.WaitUntil(() => PageTests.ReadersOf(daemon, "c05@tile") == 0, () => daemon.Daemon.LogText);
            Assert.Equal(1, PageTests.ReadersOf(daemon, "c11@tile"));
            Assert.Empty(watched.TakeTroubles());
        }

        WebDaemon.WaitUntil(() => Joined(daemon) == 0, () => daemon.Daemon.LogText);
        Assert.Contains(Rendition.IdleText, daemon.Daemon.WaitFor("c11@tile", stream => stream.StateText.StartsWith(Rendition.IdleText, StringComparison.Ordinal)).StateText, StringComparison.Ordinal);
    }

    private static int Joined(WebDaemon daemon) => Enumerable.Range(0, 12).Sum(i => PageTests.ReadersOf(daemon, $"c{i:00}@tile"));

    /// <summary>The bytes that a tile shows.</summary>
    private static async Task<byte[]> ReadAsync(IPage page, string key) => Convert.FromBase64String(await page.EvaluateAsync<string>(
        """
        async key => {
          // The picture may be replaced meanwhile.
          for (;;) {
            try {
              const bytes = new Uint8Array(await (await fetch(document.querySelector(`[data-key=${key}] img`).src)).arrayBuffer());
              return btoa(String.fromCharCode(...bytes));
            } catch { }
          }
        }
        """,
        key));

    /// <summary>Compares a JPEG with the test pattern.</summary>
    /// <returns>The frame's number, which the picture says.</returns>
    private static unsafe long Check(byte[] jpeg)
    {
        byte[] found = Decode(jpeg);
        Assert.Equal(Width * Height * 3 / 2, found.Length);
        TestPattern pattern = new(PixelFormat.I420, Width, Height);
        byte[] expected = new byte[found.Length];
        long number;
        fixed (byte* first = found, second = expected)
        {
            Assert.True(pattern.TryReadNumber(Planes((nint)first), out number), "the picture has no number");
            pattern.Fill(Planes((nint)second), number);
        }

        // JPEG has the full range.
        double difference = 0;
        int largest = 0;
        for (int i = 0; i < found.Length; i++)
        {
            double sample = i < Width * Height ? (expected[i] - 16) * 255.0 / 219 : ((expected[i] - 128) * 255.0 / 224) + 128;
            double distance = Math.Abs(found[i] - Math.Clamp(sample, 0, 255));
            difference += distance;
            largest = Math.Max(largest, (int)distance);
        }

        Assert.True(difference / found.Length < 4, $"frame {number}: a sample differs by {difference / found.Length} on the average, and by {largest} at most");
        return number;
    }

    private static PicturePlane[] Planes(nint first) =>
        [new(first, Width), new(first + (Width * Height), Width / 2), new(first + (Width * Height * 5 / 4), Width / 2)];

    private static byte[] Decode(byte[] jpeg)
    {
        ProcessStartInfo start = new("ffmpeg", ["-v", "error", "-f", "mjpeg", "-i", "-", "-f", "rawvideo", "-pix_fmt", "yuvj420p", "-"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        using Process process = Process.Start(start)!;
        process.StandardInput.BaseStream.Write(jpeg);
        process.StandardInput.Close();
        using MemoryStream picture = new();
        process.StandardOutput.BaseStream.CopyTo(picture);
        process.WaitForExit();
        return picture.ToArray();
    }
}
