using System.Globalization;

namespace CuFrames.Benchmarks.Running;

/// <summary>The command line.</summary>
internal sealed record RunOptions
{
    public const string Usage =
        """
        Usage: benchmarks/run.sh [--only NAME[,NAME]] [--quick] [--resume] [--minutes N] [--output DIRECTORY] [--json] [--report DIRECTORY]
          --only    runs these alone; results of the others in the same directory are kept
          --quick   short runs that show that everything works; their figures prove nothing
          --resume  leaves out what the directory of today holds already
          --minutes how long 'operate' watches; default: 30
          --output  where results go, instead of benchmarks/results/DATE-MACHINE
          --json    prints summary.json instead of summary.md
          --report  measures nothing: writes the summary of a directory anew from its raw data
        """;

    public IReadOnlyList<string> Only { get; private init; } = [];

    public bool IsQuick { get; private init; }

    public bool Resume { get; private init; }

    public double? Minutes { get; private init; }

    public string? Output { get; private init; }

    public bool IsJson { get; private init; }

    public string? ReportDirectory { get; private init; }

    /// <returns>Null when there is nothing to run; then it has said why.</returns>
    public static RunOptions? Parse(string[] arguments, IEnumerable<string> names)
    {
        RunOptions options = new();
        for (int i = 0; i < arguments.Length; i++)
        {
            string? value = i + 1 < arguments.Length ? arguments[i + 1] : null;
            switch (arguments[i])
            {
                case "--quick":
                    options = options with { IsQuick = true };
                    break;
                case "--resume":
                    options = options with { Resume = true };
                    break;
                case "--only" when value is not null:
                    options = options with { Only = value.Split(',') };
                    i++;
                    break;
                case "--minutes" when double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out double minutes) && minutes > 0:
                    options = options with { Minutes = minutes };
                    i++;
                    break;
                case "--output" when value is not null:
                    options = options with { Output = value };
                    i++;
                    break;
                case "--json":
                    options = options with { IsJson = true };
                    break;
                case "--report" when value is not null:
                    options = options with { ReportDirectory = value };
                    i++;
                    break;
                case "--help" or "-h":
                    Console.Out.WriteLine($"{Usage}\nBenchmarks: {string.Join(", ", names)}.");
                    return null;
                default:
                    Console.Error.WriteLine($"'{arguments[i]}' is not understood.\n{Usage}");
                    return null;
            }
        }

        if (options.Only.FirstOrDefault(name => !names.Contains(name)) is { } unknown)
        {
            Console.Error.WriteLine($"There is no benchmark '{unknown}'. There are: {string.Join(", ", names)}.");
            return null;
        }

        return options;
    }
}
