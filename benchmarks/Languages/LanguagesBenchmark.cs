using System.Globalization;
using CuFrames.Benchmarks.Report;
using CuFrames.Benchmarks.Running;
using CuFrames.TestKit;

namespace CuFrames.Benchmarks.Languages;

/// <summary>What taking a frame and releasing it costs a reader, in each language that there is a library for.</summary>
/// <remarks>
/// One process for each language, which all do the same in turn: a burst of tiny frames is published into a ring that has room for it, by the
/// thread that then takes and releases them in order without ever having to wait. Only the taking and releasing is between two readings of the
/// clock. So there is nothing to subtract, no other core takes part, and each language finds its caches as warm as the others do theirs.
/// </remarks>
internal sealed class LanguagesBenchmark : IBenchmark
{
    private const string Bursts = "languages.csv.gz";
    private const string Bare = "C#";
    private const int FramesPerBurst = 32;
    private const double AimOverBareNanoseconds = 1000;
    private const double AimPythonNanoseconds = 15_000;

    // The distribution's, which is what its users have and what the tests take; another one may come first on the PATH.
    private const string SystemPython = "/usr/bin/python3";

    private static readonly string[] Names = [Bare, "C", "C++", "Python"];

    public string Name => "languages";

    public string Title => "Taking and releasing a frame: C#, C, C++, Python";

    public void Run(RunContext context)
    {
        int rounds = context.Pick(12, 3);
        int bursts = context.Pick(1000, 200);
        context.Note("rounds", rounds);
        context.Note("bursts of frames in a round, for each language", $"{bursts} x {FramesPerBurst}");
        using TemporaryDirectory directory = new();
        using StreamWriter table = context.CreateTable(Bursts, "language,round,ns");
        List<(string Language, Peer Peer)> peers = [];
        foreach (string language in Names)
        {
            Peer peer = Start(context, language, directory.Path);
            peers.Add((language, peer));

            // What runs it: a version of .NET, of a compiler, of an interpreter.
            context.Note(language, string.Join(' ', peer.Expect("READY")));
        }

        // Round 0 is not counted: each process pages in what it needs.
        for (int round = 0; round <= rounds; round++)
        {
            // Another one begins in each round, so that none is always the one that comes after the slowest.
            for (int turn = 0; turn < peers.Count; turn++)
            {
                (string language, Peer peer) = peers[(round + turn) % peers.Count];
                peer.Send($"run {bursts}");
                string[] words = peer.Expect("COSTS", seconds: 120);
                if (round == 0)
                {
                    continue;
                }

                foreach (string cost in words[1..])
                {
                    table.WriteLine($"{language},{round},{cost}");
                }

                double[] costs = [.. words[1..].Select(word => double.Parse(word, CultureInfo.InvariantCulture))];
                (string, double)[] values =
                    [("p50", Statistics.Median(costs)), ("p5", Statistics.Percentile(costs, 0.05)), ("p95", Statistics.Percentile(costs, 0.95))];

                // Only .NET can tell; it counts the publishing of the burst, too.
                if (words[0] != "-")
                {
                    values = [.. values, ("bytes allocated per frame", double.Parse(words[0], CultureInfo.InvariantCulture) / ((double)bursts * FramesPerBurst))];
                }

                context.Add(language, round, values);
            }
        }

        foreach ((_, Peer peer) in peers)
        {
            peer.Send("END");
            peer.WaitForEnd();
            peer.Dispose();
        }
    }

    public void Report(RawData raw, Section section)
    {
        section.Text(
            $"Time to take a frame without waiting and to release it, in ns: TryTake and Dispose in C#, the same calls of libcuframes.so from C, C++ and Python. A frame is 1 KiB " +
            $"of main memory and its pixels are not looked at. Each language is one process, which publishes {FramesPerBurst} frames and then takes them in order; publishing is not in " +
            "the time. All take turns, round by round; p50, p5 and p95 are over the bursts of a round, ratio and difference are taken within a round.");
        double[] bare = raw.Values(Bare, "p50");
        List<string[]> rows = [];
        TailChart chart = new("Take and release: how many bursts take longer than x for a frame", "ns per frame, mean of a burst");
        ILookup<string, double> bursts = raw.Table(Bursts).ToLookup(row => row[0], row => double.Parse(row[2], CultureInfo.InvariantCulture));
        foreach (string language in Names)
        {
            double[] p50 = raw.Values(language, "p50");
            Figure middle = section.Add(new Figure($"take and release in {language}, p50", "ns", p50) with
            {
                Aim = language == "Python" ? AimPythonNanoseconds : null,
                AimIsUpperBound = true,
            });
            Figure least = section.Add(new Figure($"take and release in {language}, p5", "ns", raw.Values(language, "p5")));
            Figure most = section.Add(new Figure($"take and release in {language}, p95", "ns", raw.Values(language, "p95")));
            if (language == Bare)
            {
                Figure bytes = section.Add(new Figure($"allocated per frame in {language}", "B", raw.Values(language, "bytes allocated per frame")) with { Aim = 0, AimIsUpperBound = true });
                rows.Add([language, middle.Range, least.Range, most.Range, "", "", bytes.Range]);
            }
            else
            {
                Figure ratio = section.Add(new Figure($"{language} over {Bare}, take and release", "×", [.. p50.Zip(bare, (own, other) => own / other)]));
                Figure difference = section.Add(new Figure($"{language} more than {Bare}, take and release", "ns", [.. p50.Zip(bare, (own, other) => own - other)]) with
                {
                    Aim = language is "C" or "C++" ? AimOverBareNanoseconds : null,
                    AimIsUpperBound = true,
                });
                rows.Add([language, middle.Range, least.Range, most.Range, difference.Range, ratio.Range, ""]);
            }

            chart.Add("", language, bursts[language]);
        }

        section.Table(["", "p50, ns", "p5, ns", "p95, ns", "more than C#, ns", "over C#", "bytes allocated"], rows);
        section.Chart("languages.svg", chart);
    }

    private static Peer Start(RunContext context, string language, string directory)
    {
        string[] arguments = ["languages", directory, $"{FramesPerBurst}"];
        string native = Path.Combine(context.RepositoryFolder, "artifacts", "native", "lib", "libcuframes.so.0");

        // Each publishes a stream of its own.
        arguments[0] += $"-{Array.IndexOf(Names, language)}";
        return language switch
        {
            Bare => Peer.Start(PeerRoles.LanguageReader, [.. arguments]),
            "C" => Peer.Program("C", Path.Combine(context.WorkFolder, "languages-c"), arguments),
            "C++" => Peer.Program("C++", Path.Combine(context.WorkFolder, "languages-cpp"), arguments),
            _ => Peer.Program(
                "Python", "env", [
                    $"PYTHONPATH={Path.Combine(context.RepositoryFolder, "sdk", "python-bindings")}", $"CUFRAMES_LIBRARY={native}",
                    File.Exists(SystemPython) ? SystemPython : "python3", Path.Combine(context.RepositoryFolder, "benchmarks", "Languages", "languages.py"), .. arguments]),
        };
    }
}
