using System.Diagnostics;
using System.Globalization;

namespace CuFrames.Fuzz;

/// <summary>Runs all lanes in this process.</summary>
internal sealed class FuzzRun(FuzzOptions options, string repository)
{
    /// <summary>Lanes of a target: more than there are processors anywhere, so that the work is shared out evenly.</summary>
    private const int LanesPerTarget = 32;

    /// <summary>Inputs between two looks at the clock.</summary>
    private const int Slice = 2000;

    /// <summary>No slice of inputs takes a hundredth of this, also where other programs use the processors.</summary>
    private const int HangMilliseconds = 20_000;

    private readonly Lock _gate = new();

    // Slices done by each thread. Written by that thread, read by the one that watches over it.
    private readonly long[] _steps = new long[Environment.ProcessorCount];
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private long _done;
    private long _nextProgress = 5000;
    private volatile bool _failed;

    /// <summary>Tries all inputs.</summary>
    /// <returns>The exit code.</returns>
    public int Run()
    {
        Corpus kept = new(options.CorpusToExtend ?? Path.Combine(repository, "tests", "CuFrames.Fuzz", "corpus"));
        TestVectors vectors = new(repository);
        List<Work> works = [];
        foreach (int number in options.Targets)
        {
            using FuzzTarget target = TargetList.Make(number);
            byte[][] corpus = [.. target.Seeds(vectors).Concat(kept.Read(target.Name)).DistinctBy(Convert.ToHexString)];
            OutcomeMap outcomes = new();
            using LaneMemory memory = new(MemoryPath("seeds"));
            InputBuffer input = new(memory);
            foreach (byte[] seed in corpus)
            {
                input.Set(seed);
                memory.Target = number + 1;
                if (!Try(target, seed, () => target.Run(input.Bytes, outcomes)))
                {
                    return 1;
                }
            }

            works.Add(new Work(number, target.Name, corpus, outcomes));
        }

        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{options.Inputs:N0} inputs for {string.Join(", ", works.Select(work => $"{work.Name} ({work.Corpus.Length} kept)"))}; seed {options.Seed}"));
        RunLanes(works);
        return Report(works, kept);
    }

    private void RunLanes(List<Work> works)
    {
        Queue<(Work Work, int Lane)> queue = new(Enumerable.Range(0, LanesPerTarget).SelectMany(lane => works.Select(work => (work, lane))));
        Thread[] threads = [.. Enumerable.Range(0, Environment.ProcessorCount).Select(thread => new Thread(() =>
        {
            using LaneMemory memory = new(MemoryPath(thread.ToString(CultureInfo.InvariantCulture)));
            while (!_failed)
            {
                (Work Work, int Lane) next;
                lock (_gate)
                {
                    if (!queue.TryDequeue(out next))
                    {
                        return;
                    }
                }

                RunLane(next.Work, next.Lane, memory, works.Count, thread);
            }
        })
        {
            Name = $"fuzz {thread}",
        })];
        Array.ForEach(threads, thread => thread.Start());
        WatchOver(threads);
    }

    /// <summary>Waits for the threads. An input that takes longer than any sound one is a hang.</summary>
    private void WatchOver(Thread[] threads)
    {
        long[] seen = new long[threads.Length];
        long[] since = new long[threads.Length];
        for (int thread = 0; thread < threads.Length; thread++)
        {
            while (!threads[thread].Join(500))
            {
                for (int other = 0; other < threads.Length; other++)
                {
                    long steps = Volatile.Read(ref _steps[other]);
                    if (steps != seen[other] || !threads[other].IsAlive)
                    {
                        (seen[other], since[other]) = (steps, _clock.ElapsedMilliseconds);
                    }
                    else if (_clock.ElapsedMilliseconds - since[other] > HangMilliseconds)
                    {
                        (int target, byte[] input) = LaneMemory.Read(MemoryPath(other.ToString(CultureInfo.InvariantCulture)));
                        Failure.Report(TargetList.Names[target], input, $"One input ran for {HangMilliseconds / 1000} s without an end.");
                        Environment.Exit(1);
                    }
                }
            }
        }
    }

    private void RunLane(Work work, int number, LaneMemory memory, int targets, int thread)
    {
        using FuzzTarget target = TargetList.Make(work.Number);
        Lane lane = new(target, memory, work.Corpus, work.Outcomes, options.Seed + ((ulong)number << 32) + (ulong)work.Number);
        long lanes = (long)LanesPerTarget * targets;
        long index = ((long)number * targets) + work.Number;
        long count = (options.Inputs / lanes) + (index % lanes < options.Inputs % lanes ? 1 : 0);
        memory.Target = work.Number + 1;
        for (long left = count; left > 0 && !_failed; left -= Slice)
        {
            long now = Math.Min(left, Slice);
            if (!Try(target, null, () => lane.Run(now), () => lane.LastInput))
            {
                return;
            }

            Interlocked.Increment(ref _steps[thread]);
            lock (_gate)
            {
                _done += now;
                work.Inputs += now;
                if (_clock.ElapsedMilliseconds >= _nextProgress)
                {
                    _nextProgress += 5000;
                    Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture,
                        $"{_done:N0} inputs, {_done / _clock.Elapsed.TotalSeconds:N0} per second, now {work.Name}"));
                }
            }
        }

        memory.Target = 0;
        lock (_gate)
        {
            work.Found.AddRange(lane.Found);
        }
    }

    private bool Try(FuzzTarget target, byte[]? input, Action action, Func<byte[]>? lastInput = null)
    {
        try
        {
            action();
            return true;
        }
        catch (Exception error)
        {
            lock (_gate)
            {
                if (!_failed)
                {
                    _failed = true;
                    Failure.Report(target.Name, input ?? lastInput!(), error.ToString());
                }
            }

            return false;
        }
    }

    private int Report(List<Work> works, Corpus kept)
    {
        double seconds = _clock.Elapsed.TotalSeconds;
        foreach (Work work in works)
        {
            // Each lane found things for itself; what is new to all is what one pass over all of them keeps.
            using FuzzTarget target = TargetList.Make(work.Number);
            OutcomeMap outcomes = work.Outcomes.Clone();
            List<byte[]> found = [];
            foreach (byte[] input in work.Found.OrderBy(input => input.Length))
            {
                outcomes.Begin();
                target.Run(input, outcomes);
                if (outcomes.IsNew)
                {
                    found.Add(input);
                }
            }

            int added = options.CorpusToExtend is null ? 0 : kept.Add(work.Name, found);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{work.Name,-14}{work.Inputs,14:N0} inputs  {outcomes.Count,5} outcomes, {found.Count,4} of them new{(added > 0 ? $", {added} inputs added to the corpus" : "")}"));
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{_done:N0} inputs in {seconds:F1} s, {_done / seconds:N0} inputs/s, {(_failed ? "1 failure" : "0 failures")}"));
        return _failed ? 1 : 0;
    }

    private string MemoryPath(string lane) => Path.Combine(options.Worker!, lane + ".lane");

    /// <summary>A target with what its lanes begin with and what they found.</summary>
    private sealed class Work(int number, string name, byte[][] corpus, OutcomeMap outcomes)
    {
        public int Number => number;

        public string Name => name;

        public byte[][] Corpus => corpus;

        public OutcomeMap Outcomes => outcomes;

        public List<byte[]> Found { get; } = [];

        public long Inputs { get; set; }
    }
}
