using System.Globalization;

namespace CuFrames.Fuzz;

/// <summary>The command line.</summary>
internal sealed class FuzzOptions
{
    public const string Usage = """
        usage: CuFrames.Fuzz [--target NAME|all] [--inputs N] [--seed S] [--corpus DIR] [--replay HEX|FILE]
          --target   tlv, messages, picture, control-block, page, packet-block, rpc or all (default: all, the inputs are shared out evenly)
          --inputs   how many inputs to try (default: 1,000,000)
          --seed     the same seed gives the same inputs (default: from the clock; it is printed)
          --corpus   a folder of inputs to begin with instead of the one in the repository; inputs with new outcomes are added to it
          --replay   try one input, given in hexadecimal or as a file that holds it so; needs --target
        """;

    public IReadOnlyList<int> Targets { get; private set; } = [.. Enumerable.Range(0, TargetList.Names.Count)];

    public long Inputs { get; private set; } = 1_000_000;

    public ulong Seed { get; private set; } = (ulong)Environment.TickCount64;

    /// <summary>The folder that new inputs are added to; null: none.</summary>
    public string? CorpusToExtend { get; private set; }

    public byte[]? Replay { get; private set; }

    /// <summary>Folder of the lanes' memory: set in the process that does the work.</summary>
    public string? Worker { get; private set; }

    /// <summary>Reads the command line.</summary>
    /// <exception cref="FormatException">It is wrong; the text says how.</exception>
    public static FuzzOptions Parse(string[] arguments)
    {
        FuzzOptions options = new();
        for (int i = 0; i < arguments.Length; i += 2)
        {
            string name = arguments[i];
            string value = i + 1 < arguments.Length ? arguments[i + 1] : throw new FormatException($"{name} needs a value.");
            switch (name)
            {
                case "--target" when value == "all":
                    break;
                case "--target":
                    int target = TargetList.Names.ToList().IndexOf(value);
                    options.Targets = target >= 0 ? [target] : throw new FormatException($"There is no target '{value}'.");
                    break;
                case "--inputs":
                    options.Inputs = long.TryParse(value, NumberStyles.AllowThousands, CultureInfo.InvariantCulture, out long inputs) && inputs > 0
                        ? inputs : throw new FormatException($"'{value}' is no number of inputs.");
                    break;
                case "--seed":
                    options.Seed = ulong.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out ulong seed)
                        ? seed : throw new FormatException($"'{value}' is no seed.");
                    break;
                case "--corpus":
                    options.CorpusToExtend = Path.GetFullPath(value);
                    break;
                case "--replay":
                    options.Replay = Convert.FromHexString(File.Exists(value) ? File.ReadAllText(value).Trim() : value);
                    break;
                case "--worker":
                    options.Worker = value;
                    break;
                default:
                    throw new FormatException($"'{name}' is not known.");
            }
        }

        return options.Replay is null || options.Targets.Count == 1 ? options : throw new FormatException("--replay needs --target.");
    }
}
