using CuFrames.Daemon.Tests;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Resilience.Tests;

/// <summary>Streams that were made to break decoders.</summary>
public sealed class HostileStreamTests
{
    [Fact]
    public void Damaged_streams_in_isolated_cameras_concern_nobody_else()
    {
        using MediaClips clips = new();
        string[] sources = [clips.H264("a.ts", 160, 120, 2), clips.H265("b.ts", 160, 120, 2), clips.H264("c.mp4", 160, 120, 2)];
        Random random = new(11);
        List<string> cameras = [];
        for (int i = 0; i < 6; i++)
        {
            string source = sources[i % sources.Length];
            byte[] bytes = File.ReadAllBytes(source);
            for (int change = bytes.Length / 200; change > 0; change--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            string path = clips.PathOf($"hostile-{i}{Path.GetExtension(source)}");
            File.WriteAllBytes(path, bytes);
            cameras.Add($"  hostile-{i}: {{source: {path}, loop: true, paced: false, isolated: true}}\n");
        }

        using DaemonProcess daemon = new("defaults: {lossless: 60s, readers: everyone}\ncameras:\n  steady: {source: 'test:nv12@160x120@50'}\n" + string.Concat(cameras));
        daemon.Start();
        using SteadyReader steady = new(daemon, "steady");
        for (int i = 0; i < cameras.Count; i++)
        {
            // Each says something of what it found: frames, or why there are none.
            string key = $"hostile-{i}: ";
            Until.True(
                () => daemon.Log.Any(line => line.Contains(key, StringComparison.Ordinal) && (line.Contains("[301 ", StringComparison.Ordinal) || line.Contains("[302 ", StringComparison.Ordinal) || line.Contains("[321 ", StringComparison.Ordinal))),
                $"{key} nothing is said",
                () => daemon.LogText);
        }

        steady.WaitForMore(200);
        steady.Finish();
        Assert.Equal(0, daemon.End().ExitCode);
        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);
    }
}
