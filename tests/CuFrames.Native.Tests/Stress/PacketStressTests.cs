using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using CuFrames.Client;
using CuFrames.TestKit;

namespace CuFrames.Native.Tests.Stress;

/// <summary>A publisher whose ring of packets goes round 10,000 times as fast as it can, with a reader of each language; each is killed and started again meanwhile.
/// Every packet that is given is whole.</summary>
public sealed class PacketStressTests(ITestOutputHelper output)
{
    private const string Key = "stress";
    private const int Wraps = 10_000;
    private const int Largest = 2000;
    private const int LeastPackets = 300;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan HashPatience = TimeSpan.FromSeconds(60);

    [Fact]
    public void Readers_in_every_language_over_many_wraps()
    {
        using TemporaryDirectory directory = new();
        using PacketPublisher publisher = PacketPublisher.Create(Key, new PacketPublisherOptions { Directory = directory.Path, ByteCapacity = 65536, MaxPackets = 1024 });
        StampedPackets.AddTracks(publisher);
        ConcurrentQueue<string> faults = new();
        Hashes hashes = new();
        List<Reader> readers = [.. Languages.Each.Select(row => new Reader(row.Data, directory.Path, hashes, faults))];
        try
        {
            Stopwatch watch = Stopwatch.StartNew();
            long bytes = 0;
            int kills = 0;
            byte[] buffer = new byte[Largest];
            for (int wrap = 0; wrap < Wraps || readers.Any(reader => reader.Packets < LeastPackets); wrap++)
            {
                Assert.True(watch.Elapsed < Patience, string.Join(", ", readers.Select(reader => $"{reader.Language}: {reader.Packets}")));
                for (long end = bytes + 65536; bytes < end;)
                {
                    ulong sequence = publisher.Head + 1;
                    int size = StampedPackets.SizeOf(sequence, Largest);
                    Assert.Equal(sequence, StampedPackets.Publish(publisher, buffer));
                    hashes.Note(sequence, buffer.AsSpan(0, size));
                    bytes += size + 64;
                }

                if (wrap % (Wraps / 8) == (Wraps / 8) - 1)
                {
                    readers[kills++ % readers.Count].Restart();
                }
                else if (wrap % 100 == 0)
                {
                    // Readers share the processors with the publisher: without a pause they would see one packet of each round at best.
                    Thread.Sleep(20);
                }
            }

            Assert.True(kills >= 8);
            PacketPublisherStatistics statistics = publisher.GetStatistics();
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{statistics.Published} packets, {kills} kills, {statistics.HungUp} hung up, {watch.Elapsed}"));
            Assert.Equal((0UL, 0UL), (statistics.Evicted, statistics.TooLarge));
            Assert.True(statistics.HungUp >= 1);
        }
        finally
        {
            readers.ForEach(reader => reader.Dispose());
        }

        foreach (Reader reader in readers)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{reader.Language}: {reader.Packets} packets, {reader.Missed} missed"));
            Assert.True(reader.Missed > 0, $"{reader.Language} was never lapped");
        }

        Assert.Empty(faults);
    }

    /// <summary>SHA-256 of every packet. Written by the publishing thread before a reader can tell of the packet for long; read by those that read lines.</summary>
    private sealed class Hashes
    {
        private readonly ConcurrentDictionary<ulong, string> _hashes = new();

        public void Note(ulong sequence, ReadOnlySpan<byte> bytes) => _hashes[sequence] = Convert.ToHexStringLower(SHA256.HashData(bytes));

        public bool Matches(ulong sequence, string hash)
        {
            // A reader may be quicker than the publishing thread is here, which may be held up between the two.
            Stopwatch watch = Stopwatch.StartNew();
            SpinWait wait = default;
            string? expected;
            while (!_hashes.TryGetValue(sequence, out expected) && watch.Elapsed < HashPatience)
            {
                wait.SpinOnce();
            }

            return expected == hash;
        }
    }

    /// <summary>A peer that prints each packet's hash, which is compared.</summary>
    private sealed class Reader : IDisposable
    {
        private readonly string _directory;
        private readonly Hashes _hashes;
        private readonly ConcurrentQueue<string> _faults;
        private Process _process;
        private long _packets;
        private long _missed;

        public Reader(string language, string directory, Hashes hashes, ConcurrentQueue<string> faults)
        {
            Language = language;
            _directory = directory;
            _hashes = hashes;
            _faults = faults;
            _process = Start();
        }

        public string Language { get; }

        public long Packets => Interlocked.Read(ref _packets);

        public long Missed => Interlocked.Read(ref _missed);

        /// <summary>kill -9, in whatever it does, and another one.</summary>
        public void Restart()
        {
            Dispose();
            _process = Start();
        }

        public void Dispose()
        {
            _process.Kill();
            _process.WaitForExit();
            _process.Dispose();
        }

        private Process Start()
        {
            IReadOnlyList<string> command = Languages.Command(Language);
            ProcessStartInfo start = new(command[0], [.. command.Skip(1), "conform-packet-subscriber", Key]) { RedirectStandardInput = true, RedirectStandardOutput = true };
            start.Environment["CUFRAMES_DIR"] = _directory;
            start.Environment["DOTNET_EnableDiagnostics"] = "0";
            foreach ((string name, string value) in Languages.Environment(Language))
            {
                start.Environment[name] = value;
            }

            Process process = Process.Start(start)!;
            ulong previous = 0;
            process.OutputDataReceived += (_, received) => Look(received.Data, ref previous);
            process.BeginOutputReadLine();
            return process;
        }

        private void Look(string? text, ref ulong previous)
        {
            // The last line of one that is killed may be cut off.
            if (text is null || !text.EndsWith('}') || text.Contains("event", StringComparison.Ordinal))
            {
                return;
            }

            using JsonDocument line = JsonDocument.Parse(text);
            ulong sequence = line.RootElement.GetProperty("sequence").GetUInt64();
            ulong missed = line.RootElement.GetProperty("missed").GetUInt64();

            // The command leaves out what was overwritten while it was read: there may be more between two lines than was missed.
            bool isInOrder = sequence > previous && missed <= sequence - previous - 1;
            if (!isInOrder || !_hashes.Matches(sequence, line.RootElement.GetProperty("sha256").GetString()!))
            {
                _faults.Enqueue($"{Language}, after {previous}: {text}");
            }

            previous = sequence;
            Interlocked.Increment(ref _packets);
            Interlocked.Add(ref _missed, (long)missed);
        }
    }
}
