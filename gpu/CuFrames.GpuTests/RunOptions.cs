using System.Globalization;

namespace CuFrames.GpuTests;

/// <summary>The command line.</summary>
internal sealed record RunOptions
{
    public const string Usage =
        """
        Usage: run-gpu-tests [--json FILE] [--only SUITE[,SUITE]] [--seconds N] [-- OPTIONS]
          --json     where the results go; the suites' full output goes to FILE-logs beside it (default: gpu-tests.json)
          --only     runs these suites alone; CuFrames.Native.Tests may be called native, and python is the one in Python
          --seconds  time limit of each suite (default: 300)
          --         what follows is given to each suite, for example: -method '*Stress*', which is all that the one in Python understands
        Exit status: 0 all passed, 1 a test failed or was skipped, 2 no usable GPU, 64 the command line is wrong.
        """;

    public string Json { get; private init; } = Path.GetFullPath("gpu-tests.json");

    public IReadOnlyList<string> Only { get; private init; } = [];

    public TimeSpan Limit { get; private init; } = TimeSpan.FromSeconds(300);

    public IReadOnlyList<string> SuiteOptions { get; private init; } = [];

    public string LogFolder => Path.ChangeExtension(Json, null) + "-logs";

    /// <returns>Null when the command line is wrong; then it has said so.</returns>
    public static RunOptions? Parse(string[] arguments)
    {
        RunOptions options = new();
        for (int i = 0; i < arguments.Length; i += 2)
        {
            if (arguments[i] == "--")
            {
                return options with { SuiteOptions = arguments[(i + 1)..] };
            }

            string? value = i + 1 < arguments.Length ? arguments[i + 1] : null;
            switch (arguments[i])
            {
                case "--json" when value is not null:
                    options = options with { Json = Path.GetFullPath(value) };
                    break;
                case "--only" when value is not null:
                    options = options with { Only = value.Split(',') };
                    break;
                case "--seconds" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int seconds) && seconds > 0:
                    options = options with { Limit = TimeSpan.FromSeconds(seconds) };
                    break;
                default:
                    Console.Error.WriteLine($"'{arguments[i]}' is not understood.\n{Usage}");
                    return null;
            }
        }

        return options;
    }
}
