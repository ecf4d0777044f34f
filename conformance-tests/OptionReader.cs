using System.Globalization;

namespace CuFrames.Conformance;

/// <summary>Takes options out of a command line; what is left at the end is an error.</summary>
internal sealed class OptionReader(IEnumerable<string> arguments)
{
    private readonly List<string> _left = arguments.ToList();

    /// <summary>Whether an option without value was given.</summary>
    public bool Flag(string name)
    {
        int index = Find(name);
        if (index >= 0)
        {
            _left.RemoveAt(index);
        }

        return index >= 0;
    }

    /// <summary>The value of an option, or null.</summary>
    public string? Value(string name)
    {
        int index = Find(name);
        if (index < 0)
        {
            return null;
        }

        if (index + 1 >= _left.Count || _left[index + 1] == "--")
        {
            throw new FormatException($"{name} needs a value.");
        }

        string value = _left[index + 1];
        _left.RemoveRange(index, 2);
        return value;
    }

    public int? Number(string name) => Value(name) is not { } text ? null
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number
        : throw new FormatException($"{name} needs a number, not '{text}'.");

    /// <summary>Everything behind <c>--</c>.</summary>
    public IReadOnlyList<string> Command()
    {
        int index = _left.IndexOf("--");
        List<string> command = index < 0 ? [] : _left[(index + 1)..];
        if (command.Count == 0)
        {
            throw new FormatException("The command to start is missing: -- COMMAND...");
        }

        _left.RemoveRange(index, _left.Count - index);
        return command;
    }

    /// <summary>One argument that is no option.</summary>
    public string Positional(string name)
    {
        if (_left.Count == 0)
        {
            throw new FormatException($"{name} is missing.");
        }

        string value = _left[0];
        _left.RemoveAt(0);
        return value;
    }

    /// <summary>Nothing may be left.</summary>
    public void End()
    {
        if (_left.Count > 0)
        {
            throw new FormatException($"'{_left[0]}' is not known here.");
        }
    }

    private int Find(string name)
    {
        int end = _left.IndexOf("--");
        int index = _left.IndexOf(name);
        return end >= 0 && index > end ? -1 : index;
    }
}
