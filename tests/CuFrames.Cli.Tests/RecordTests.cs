using System.Globalization;
using System.Text.Json;
using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.Cli.Tests;

/// <summary>cuframes record, from a ring that the test fills with the packets of real files.</summary>
public sealed class RecordTests : IDisposable
{
    private readonly RecordSource _source = new();

    public void Dispose() => _source.Dispose();

    [Theory]
    [InlineData("mp4")]
    [InlineData("mkv")]
    [InlineData("ts")]
    public void A_recording_has_the_packets_of_the_source(string ending)
    {
        (string clip, DemuxedFile file) = _source.Clip("clip.mp4", 3);
        using PacketPublisher publisher = _source.Publish();
        file.Publish(publisher, file.AddTracks(publisher));
        string path = _source.PathOf("recording." + ending);
        CliResult result = CliProcess.Run(_source.Directory, "record", "front", path, "--start", "oldest", "--for", "5s", "--json");
        result.RequireSuccess();
        JsonElement total = Total(result);
        Assert.Equal(file.Packets.Count, total.GetProperty("written").GetInt64());
        RequireSum(total);
        JsonElement one = Assert.Single(Files(result));
        Assert.Equal(path, one.GetProperty("path").GetString());
        Assert.Equal(new FileInfo(path).Length, one.GetProperty("bytes").GetInt64());
        Assert.Equal("end", one.GetProperty("reason").GetString());
        RequireSame(clip, [path]);
    }

    [Fact]
    public void A_new_file_begins_with_new_parameters_after_an_interruption_and_in_another_run()
    {
        (string first, DemuxedFile small) = _source.Clip("small.mp4", 2);
        (string second, DemuxedFile large) = _source.Clip("large.mp4", 2, 640, 360);
        using CliProcess recorder = CliProcess.Start(_source.Directory, "record", "front", _source.PathOf("recording.mkv"), "--json");
        long published;
        using (PacketPublisher publisher = _source.Publish())
        {
            PacketTrack[] tracks = small.AddTracks(publisher);

            // It was there before the stream, as far as its user is concerned; its process may still be starting.
            recorder.WaitForObject(line => line.GetProperty("type").GetString() == "interval" && line.GetProperty("state").GetString() != "waiting");
            RecordSource.Play(publisher, small, tracks);

            // The camera was set to another size: same connection, other parameters.
            publisher.SetParameters(tracks[0], large.Tracks[0].Parameters);
            RecordSource.Play(publisher, large, tracks);

            // The connection was made again: times begin anew, and each track says so. Sound comes first.
            publisher.SetParameters(tracks[0], small.Tracks[0].Parameters);
            DemuxedPacket[] again = [.. small.Packets];
            int sound = Array.FindIndex(again, packet => packet.Track == 1);
            again = [again[sound], .. again[..sound], .. again[(sound + 1)..]];
            foreach (int track in (int[])[0, 1])
            {
                int i = Array.FindIndex(again, packet => packet.Track == track);
                PacketMetadata metadata = again[i].Metadata;
                metadata.Flags |= PacketFlags.Discontinuity;
                again[i] = again[i] with { Metadata = metadata };
            }

            foreach (DemuxedPacket packet in again)
            {
                publisher.Publish(tracks[packet.Track], packet.Data, packet.Metadata);
            }

            published = (long)publisher.Head;
            recorder.WaitForObject(line => line.GetProperty("type").GetString() == "interval" && line.GetProperty("published").GetInt64() == published);
        }

        recorder.WaitForObject(line => line.GetProperty("type").GetString() == "file" && line.GetProperty("reason").GetString() == "publisher");
        using PacketPublisher next = _source.Publish();
        large.Publish(next, large.AddTracks(next));
        published += (long)next.Head;
        recorder.WaitForObject(line => line.GetProperty("type").GetString() == "interval" && line.GetProperty("published").GetInt64() == published);
        recorder.Signal("INT");
        CliResult result = recorder.WaitForEnd();
        result.RequireSuccess();
        JsonElement total = Total(result);
        Assert.Equal(published, total.GetProperty("published").GetInt64());
        Assert.Equal(published, total.GetProperty("written").GetInt64());
        RequireSum(total);
        JsonElement[] files = Files(result);
        Assert.Equal(["parameters", "discontinuity", "publisher", "end"], files.Select(file => file.GetProperty("reason").GetString()));
        string[] paths = [.. files.Select(file => file.GetProperty("path").GetString()!)];
        Assert.Equal(["recording.mkv", "recording-2.mkv", "recording-3.mkv", "recording-4.mkv"], paths.Select(Path.GetFileName));

        // The last packets of sound of one clip may come after the key frame that begins the next one: sound is compared as a whole.
        Assert.Equal(PacketDigest.Of(first, "v:0", "h264"), PacketDigest.Of(paths[0], "v:0", "h264"));
        Assert.Equal(PacketDigest.Of(second, "v:0", "h264"), PacketDigest.Of(paths[1], "v:0", "h264"));
        Assert.Equal(PacketDigest.Of(first, "v:0", "h264"), PacketDigest.Of(paths[2], "v:0", "h264"));
        Assert.Equal(PacketDigest.Of(second, "v:0", "h264"), PacketDigest.Of(paths[3], "v:0", "h264"));
        string[] tone = PacketDigest.Of(first, "a:0", "aac");
        string[] other = PacketDigest.Of(second, "a:0", "aac");
        Assert.Equal([.. tone, .. other, .. tone, .. other], paths.SelectMany(path => PacketDigest.Of(path, "a:0", "aac")));
        Assert.All(paths, path => Assert.Equal("", PacketDigest.Faults(path)));
    }

    [Fact]
    public void Segments_begin_at_key_frames_and_are_named_by_the_time()
    {
        (string clip, DemuxedFile file) = _source.Clip("clip.mp4", 5);
        using PacketPublisher publisher = _source.Publish();
        PacketTrack[] tracks = file.AddTracks(publisher);
        using CliProcess recorder = CliProcess.Start(_source.Directory, "record", "front", _source.PathOf("%Y/front-%H%M%S.ts"), "--segment", "2s", "--json");
        recorder.WaitForObject(line => line.GetProperty("type").GetString() == "interval" && line.GetProperty("state").GetString() != "waiting");
        using MachineDelay delay = new(Environment.ProcessId);
        RecordSource.Play(publisher, file, tracks);
        double late = delay.Total.TotalSeconds;
        recorder.WaitForObject(line => line.GetProperty("type").GetString() == "interval" && line.GetProperty("published").GetInt64() == file.Packets.Count);
        recorder.Signal("TERM");
        CliResult result = recorder.WaitForEnd();
        result.RequireSuccess();
        RequireSum(Total(result));
        JsonElement[] files = Files(result);

        // There are five key frames, which come a second apart unless the machine keeps us from sending them.
        Assert.InRange(files.Length, 3, late < 0.3 ? 4 : 5);
        foreach (JsonElement one in files)
        {
            DateTimeOffset begin = one.GetProperty("begin").GetDateTimeOffset();
            string expected = begin.ToString("yyyy/'front-'HHmmss'.ts'", CultureInfo.InvariantCulture);
            Assert.Equal(_source.PathOf(expected), one.GetProperty("path").GetString());
            if (one.GetProperty("path").GetString() != files[0].GetProperty("path").GetString())
            {
                // Two seconds divide a day: files begin at the first key frame of an even second, or after it, as key frames come once a second.
                Assert.True(begin.TimeOfDay.TotalSeconds % 2 < 1.3 + late, $"{begin:HH:mm:ss.fff}, of which the machine has {late:0.0} s");
            }
        }

        RequireSame(clip, [.. files.Select(one => one.GetProperty("path").GetString()!)]);
    }

    [Theory]
    [InlineData("mp4")]
    [InlineData("mkv")]
    [InlineData("ts")]
    public void A_killed_recorder_leaves_a_file_that_plays(string ending)
    {
        (string clip, DemuxedFile file) = _source.Clip("clip.mp4", 6);
        using PacketPublisher publisher = _source.Publish();
        PacketTrack[] tracks = file.AddTracks(publisher);
        string path = _source.PathOf("recording." + ending);
        using CliProcess recorder = CliProcess.Start(_source.Directory, "record", "front", path, "--json");
        recorder.WaitForObject(line => line.GetProperty("type").GetString() == "interval" && line.GetProperty("state").GetString() != "waiting");
        RecordSource.Play(publisher, file, tracks);
        recorder.WaitForObject(line => line.GetProperty("type").GetString() == "interval" && line.GetProperty("published").GetInt64() == file.Packets.Count);
        recorder.Signal("KILL");
        Assert.Equal(137, recorder.WaitForEnd().ExitCode);

        // All but the last piece, which lasts a second at most, and the packets that end it.
        string[] expected = PacketDigest.Of(clip, "v:0", "h264");
        string[] found = PacketDigest.Of(path, "v:0", "h264");
        Assert.True(found.Length > expected.Length - 60, $"{found.Length} of {expected.Length} pictures");
        Assert.Equal(expected[..found.Length], found);
        Assert.Equal("", PacketDigest.Faults(path));
    }

    [Fact]
    public void A_recorder_that_was_stopped_until_it_was_lapped_counts_what_it_lost()
    {
        (_, DemuxedFile file) = _source.Clip("clip.mp4", 8);
        using PacketPublisher publisher = _source.Publish(bytes: 262_144, packets: 256);
        PacketTrack[] tracks = file.AddTracks(publisher);
        string path = _source.PathOf("recording.mkv");
        using CliProcess recorder = CliProcess.Start(_source.Directory, "record", "front", path, "--json");
        recorder.WaitForObject(line => line.GetProperty("type").GetString() == "interval" && line.GetProperty("state").GetString() != "waiting");
        RecordSource.Play(publisher, file, tracks, first: 100);
        recorder.WaitForObject(line => line.GetProperty("type").GetString() == "interval" && line.GetProperty("published").GetInt64() == 100);
        recorder.Signal("STOP");
        foreach (DemuxedPacket packet in file.Packets.Skip(100))
        {
            publisher.Publish(tracks[packet.Track], packet.Data, packet.Metadata);
        }

        recorder.Signal("CONT");
        recorder.WaitForObject(line => line.GetProperty("type").GetString() == "interval" && line.GetProperty("published").GetInt64() > file.Packets.Count - 60);
        recorder.Signal("INT");
        CliResult result = recorder.WaitForEnd();
        result.RequireSuccess();
        JsonElement total = Total(result);
        Assert.True(total.GetProperty("missed").GetProperty("overwritten").GetInt64() > 50, total.ToString());
        RequireSum(total);
        Assert.Equal(total.GetProperty("written").GetInt64(), CountPackets(path));
        Assert.Equal("", PacketDigest.Faults(path));
    }

    [Theory]
    [InlineData("mp4")]
    [InlineData("mkv")]
    [InlineData("ts")]
    public void A_full_disk_is_an_error_and_what_is_written_plays(string ending)
    {
        (string clip, DemuxedFile file) = _source.Clip("clip.mp4", 6, 640, 360);
        using PacketPublisher publisher = _source.Publish();
        file.Publish(publisher, file.AddTracks(publisher));
        Assert.True(new FileInfo(clip).Length > 500_000, "The clip does not fill the disk.");

        // A file system of 400 KiB that only this process sees; the file is brought out of it before it goes.
        string disk = _source.PathOf("disk");
        string path = _source.PathOf("saved." + ending);
        Directory.CreateDirectory(disk);
        string[] space = Environment.IsPrivilegedProcess ? ["-m"] : ["-rm"];
        using CliProcess recorder = CliProcess.StartOther(
            _source.Directory, "unshare",
            [.. space, "sh", "-c", $"mount -t tmpfs -o size=400k none '{disk}' && '{CliProcess.Program}' record front '{disk}/r.{ending}' --start oldest --json; code=$?; cp '{disk}/r.{ending}' '{path}'; exit $code"]);
        CliResult result = recorder.WaitForEnd();
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("SYSTEM_CALL_FAILED", result.Errors, StringComparison.Ordinal);
        Assert.Contains("No space left on device", result.Errors, StringComparison.Ordinal);
        JsonElement total = Total(result);
        RequireSum(total);
        Assert.True(total.GetProperty("missed").GetProperty("failed").GetInt64() > 0, total.ToString());
        Assert.Equal("error", Assert.Single(Files(result)).GetProperty("reason").GetString());
        string[] expected = PacketDigest.Of(clip, "v:0", "h264");
        string[] found = PacketDigest.Of(path, "v:0", "h264");
        Assert.InRange(found.Length, 10, expected.Length - 1);
        Assert.Equal(expected[..found.Length], found);
        Assert.Equal("", PacketDigest.Faults(path));
        // The packets of sound that MPEG-TS and Matroska gather are few; what is said to be written is in the file but for those.
        Assert.InRange(total.GetProperty("written").GetInt64() - CountPackets(path), 0, 20);
    }

    [Fact]
    public void Missing_rights_are_an_error()
    {
        (_, DemuxedFile file) = _source.Clip("clip.mp4", 1);
        using PacketPublisher publisher = _source.Publish();
        file.Publish(publisher, file.AddTracks(publisher));
        string folder = _source.PathOf("locked");
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        string[] prefix = Environment.IsPrivilegedProcess ? ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--"] : ["env"];
        using CliProcess recorder = CliProcess.StartOther(
            _source.Directory, prefix[0], [.. prefix[1..], CliProcess.Program, "record", "front", Path.Combine(folder, "r.mkv"), "--start", "oldest"]);
        CliResult result = recorder.WaitForEnd();
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("SYSTEM_CALL_FAILED", result.Errors, StringComparison.Ordinal);
        Assert.Contains("denied", result.Errors, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(folder));
    }

    [Fact]
    public void A_file_that_exists_is_not_touched()
    {
        string path = _source.PathOf("precious.mkv");
        File.WriteAllText(path, "precious");
        CliProcess.Run(_source.Directory, "record", "front", path).RequireFailure(2, "CONFIGURATION_INVALID");
        Assert.Equal("precious", File.ReadAllText(path));
    }

    [Fact]
    public void A_stream_that_does_not_come_is_said()
    {
        string path = _source.PathOf("r.mkv");
        CliResult result = CliProcess.Run(_source.Directory, "record", "nobody", path, "--for", "1s");
        result.RequireFailure(5, "TIMED_OUT");
        Assert.Contains("nobody", result.Errors, StringComparison.Ordinal);
        Assert.False(File.Exists(path));
    }

    [Theory]
    [InlineData("CONFIGURATION_INVALID", "front", "r.avi")]
    [InlineData("CONFIGURATION_INVALID", "front", "r-%Q.mkv")]
    [InlineData("CONFIGURATION_INVALID", "front", "folder/")]
    [InlineData("INVALID_KEY", "Front Door", "r.mkv")]
    [InlineData("USAGE", "front", "r.mkv", "--segment", "10x")]
    [InlineData("USAGE", "front", "r.mkv", "--format", "avi")]
    [InlineData("USAGE", "front", "r.mkv", "--start", "middle")]
    public void Mistakes_are_told_at_once(string code, params string[] arguments) =>
        CliProcess.Run(_source.Directory, ["record", .. arguments]).RequireFailure(2, code);

    [Fact]
    public void A_codec_that_the_container_cannot_carry_is_an_error_that_names_those_that_can()
    {
        using PacketPublisher publisher = _source.Publish();
        PacketTrack track = publisher.AddTrack(TrackKind.Audio, new TrackParameters
        {
            Codec = Codec.PcmAlaw,
            CodecName = "pcm_alaw",
            TimeBaseDenominator = 8000,
            SampleRate = 8000,
            Channels = 1,
        });
        publisher.Publish(track, new byte[160], PacketMetadata.Unknown);
        string path = _source.PathOf("r.ts");
        CliResult result = CliProcess.Run(_source.Directory, "record", "front", path, "--start", "oldest");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("MPEG-TS cannot carry track 0, which is audio coded as pcm_alaw.", result.Errors, StringComparison.Ordinal);
        Assert.Contains("Matroska", result.Errors, StringComparison.Ordinal);
        Assert.False(File.Exists(path));
    }

    [Fact]
    public void Packets_are_listed_with_their_tracks()
    {
        (_, DemuxedFile file) = _source.Clip("clip.mp4", 1);
        using PacketPublisher publisher = _source.Publish(bytes: 8 << 20);
        file.Publish(publisher, file.AddTracks(publisher));
        CliResult result = CliProcess.Run(_source.Directory, "ls", "--json");
        result.RequireSuccess();
        JsonElement stream = Assert.Single(result.Json.GetProperty("streams").EnumerateArray());
        Assert.Equal("front", stream.GetProperty("key").GetString());
        Assert.Equal("live", stream.GetProperty("state").GetString());
        Assert.Equal(JsonValueKind.Null, stream.GetProperty("format").ValueKind);
        JsonElement packets = stream.GetProperty("packets");
        Assert.Equal(file.Packets.Count, packets.GetProperty("head").GetInt64());
        Assert.Equal(8 << 20, packets.GetProperty("byte_capacity").GetInt64());
        JsonElement[] tracks = [.. packets.GetProperty("tracks").EnumerateArray()];
        Assert.Equal(["h264", "aac"], tracks.Select(track => track.GetProperty("codec").GetString()));
        Assert.Equal((320, 240), (tracks[0].GetProperty("width").GetInt32(), tracks[0].GetProperty("height").GetInt32()));
        Assert.Equal((48000, 1), (tracks[1].GetProperty("sample_rate").GetInt32(), tracks[1].GetProperty("channels").GetInt32()));
        Assert.Equal(file.Packets.Count(packet => packet.Track == 1), tracks[1].GetProperty("packets").GetInt64());
        result = CliProcess.Run(_source.Directory, "ls");
        result.RequireSuccess();
        Assert.Contains("PACKETS", result.Output, StringComparison.Ordinal);
        Assert.Contains("h264+aac 0 s", result.Output, StringComparison.Ordinal);
    }

    private static JsonElement Total(CliResult result) => result.Objects.Single(line => line.GetProperty("type").GetString() == "total");

    private static JsonElement[] Files(CliResult result) => [.. result.Objects.Where(line => line.GetProperty("type").GetString() == "file")];

    /// <summary>Every packet is accounted for.</summary>
    private static void RequireSum(JsonElement total)
    {
        long missed = total.GetProperty("missed").EnumerateObject().Where(reason => reason.Name != "total").Sum(reason => reason.Value.GetInt64());
        Assert.Equal(missed, total.GetProperty("missed").GetProperty("total").GetInt64());
        Assert.Equal(0, total.GetProperty("held").GetInt64());
        Assert.Equal(total.GetProperty("published").GetInt64(), total.GetProperty("written").GetInt64() + missed);
    }

    private static long CountPackets(string path) =>
        PacketDigest.Run("ffprobe", "-v", "error", "-show_entries", "packet=stream_index", "-of", "csv=p=0", path).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length;

    /// <summary>The recordings have the packets of the source, all of them and in order, and nobody complains of them.</summary>
    private static void RequireSame(string source, string[] recordings)
    {
        foreach ((string track, string codec) in ((string, string)[])[("v:0", "h264"), ("a:0", "aac")])
        {
            Assert.Equal(PacketDigest.Of(source, track, codec), recordings.SelectMany(path => PacketDigest.Of(path, track, codec)));
        }

        Assert.All(recordings, path => Assert.Equal("", PacketDigest.Faults(path)));
    }
}
