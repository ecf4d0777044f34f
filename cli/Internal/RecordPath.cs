using System.Globalization;
using System.Text;
using CuFrames.Protocol;

namespace CuFrames.Cli.Internal;

/// <summary>The name that <c>record</c> gives its files: a path with fields of strftime(3), filled in with the local time at which a file begins.</summary>
internal sealed class RecordPath
{
    private const int MostSuffixes = 100_000;

    private readonly string _template;

    private RecordPath(string template, bool hasTime) => (_template, HasTime) = (template, hasTime);

    /// <summary>Whether the name depends on the time.</summary>
    public bool HasTime { get; }

    /// <summary>Reads a path.</summary>
    /// <exception cref="CuFramesException">CONFIGURATION_INVALID: a field is not known, or there is no name.</exception>
    public static RecordPath Parse(string template)
    {
        if (template.Length == 0 || template.EndsWith('/') || template.Contains('\0', StringComparison.Ordinal))
        {
            throw new CuFramesException(ErrorCode.ConfigurationInvalid, $"'{template}' names no file.");
        }

        bool hasTime = false;
        string text = Fill(template, DateTimeOffset.UnixEpoch, ref hasTime);
        return text.Length == 0 ? throw new CuFramesException(ErrorCode.ConfigurationInvalid, $"'{template}' names no file.") : new RecordPath(template, hasTime);
    }

    /// <summary>The path for a file that begins at a time, absolute.</summary>
    public string At(DateTimeOffset time)
    {
        bool hasTime = false;
        return Path.GetFullPath(Fill(_template, time, ref hasTime));
    }

    /// <summary>Creates a file that is not there yet: where the name is taken, <c>-2</c>, <c>-3</c> and so on stand before its ending.</summary>
    /// <param name="time">When it begins.</param>
    /// <param name="maySuffix">False: a name that is taken is an error.</param>
    /// <returns>The file, empty, and its path.</returns>
    /// <exception cref="CuFramesException">CONFIGURATION_INVALID: it exists. SYSTEM_CALL_FAILED: it cannot be created.</exception>
    public FileStream Create(DateTimeOffset time, bool maySuffix)
    {
        string path = At(time);
        string folder = Path.GetDirectoryName(path)!;
        try
        {
            if (HasTime)
            {
                Directory.CreateDirectory(folder);
            }

            for (int number = 1; number <= MostSuffixes; number++)
            {
                string candidate = number == 1
                    ? path
                    : Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileNameWithoutExtension(path)}-{number}{Path.GetExtension(path)}"));
                try
                {
                    // Nothing is buffered here: what the muxer has written is in the file.
                    return new FileStream(candidate, FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 0);
                }
                catch (IOException) when (File.Exists(candidate) || Directory.Exists(candidate))
                {
                    if (!maySuffix)
                    {
                        throw new CuFramesException(ErrorCode.ConfigurationInvalid, $"{candidate} exists, and a recording never overwrites. Choose another name, or one with the time in it, such as front-%Y%m%d-%H%M%S.mkv.");
                    }
                }
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new CuFramesException(ErrorCode.SystemCallFailed, $"{path} cannot be created: {error.Message} Check the folder, its permissions and the space on its disk.", error);
        }

        throw new CuFramesException(ErrorCode.ConfigurationInvalid, $"{path} exists, and so do {MostSuffixes} files with numbers behind that name.");
    }

    private static string Fill(string template, DateTimeOffset time, ref bool hasTime)
    {
        StringBuilder text = new();
        for (int i = 0; i < template.Length; i++)
        {
            if (template[i] != '%')
            {
                text.Append(template[i]);
                continue;
            }

            char field = ++i < template.Length ? template[i] : '\0';
            if (field == '%')
            {
                text.Append('%');
                continue;
            }

            hasTime = true;
            text.Append(field switch
            {
                'Y' => Format(time, "yyyy"),
                'y' => Format(time, "yy"),
                'm' => Format(time, "MM"),
                'd' => Format(time, "dd"),
                'j' => time.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
                'H' => Format(time, "HH"),
                'M' => Format(time, "mm"),
                'S' => Format(time, "ss"),
                'F' => Format(time, "yyyy-MM-dd"),
                'T' => Format(time, "HH:mm:ss"),
                'z' => Format(time, "zzz").Replace(":", "", StringComparison.Ordinal),
                's' => time.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
                _ => throw new CuFramesException(
                    ErrorCode.ConfigurationInvalid,
                    $"'%{(field == '\0' ? "" : field)}' in '{template}' is no field that file names can have. There are %Y %y %m %d %j %H %M %S %F %T %z %s, and %% for a per cent sign."),
            });
        }

        return text.ToString();
    }

    private static string Format(DateTimeOffset time, string format) => time.ToString(format, CultureInfo.InvariantCulture);
}
