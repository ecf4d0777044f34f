using System.Security.Cryptography;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Daemon.Internal.Access;

/// <summary>The keys that a token may have.</summary>
internal static class TokenKey
{
    internal const string Name = "name";
    internal const string File = "file";
    internal const string May = "may";
    internal const string Cameras = "cameras";

    /// <summary>Value of <see cref="Cameras"/> that names no camera.</summary>
    internal const string None = "none";

    /// <summary>Value of <see cref="Cameras"/> that names every camera.</summary>
    internal const string AllCameras = "all";

    /// <summary>Shorter ones could be found by trying: 32 characters of a good generator have 160 bits and more.</summary>
    private const int LeastBytes = 32;
    private const int MostBytes = 4096;

    /// <summary>All keys, in the order in which they are shown.</summary>
    internal static IReadOnlyList<ConfigurationKey> All { get; } =
    [
        new(Name, "-", "a text of a-z, 0-9, '.', '_' and '-', such as grafana", value => value.Text(text => StreamKey.IsValid(text) && !text.Contains('@', StringComparison.Ordinal) ? null : value.Found)),
        new(File, "-", $"the path of a file that holds the token in one line: {LeastBytes} to {MostBytes} bytes of text, which nobody else may read", value => value.Text()),
        new(May, "view", "view, control", value => value.Choice(("view", Permission.View), ("control", (object)(Permission.View | Permission.Control)))),
        new(Cameras, None, "none, all, or a list of cameras' keys, such as [front, garden]", ParseCameras),
    ];

    /// <summary>Reads a list of tokens with their files; what is wrong is reported.</summary>
    /// <param name="list">The list.</param>
    /// <param name="folder">Where relative paths begin.</param>
    /// <param name="own">This daemon.</param>
    internal static IReadOnlyList<AccessToken> Read(ConfigurationValue list, string folder, PeerCredentials own)
    {
        List<AccessToken> tokens = [];
        list.Items(item =>
        {
            AccessToken? token = ReadOne(item with { Accepted = "a mapping with the keys name, file, may, cameras" }, folder, own);
            if (token is null)
            {
                return false;
            }

            if (tokens.Find(other => other.Name == token.Name) is not null)
            {
                item.Report($"there are two tokens of the name '{token.Name}'", "a name of its own for each");
                return false;
            }

            if (tokens.Find(other => CryptographicOperations.FixedTimeEquals(other.Hash, token.Hash)) is { } same)
            {
                item.Report($"the token is the same as that of '{same.Name}'", "a token of its own for each");
                return false;
            }

            tokens.Add(token);
            return true;
        });
        return tokens;
    }

    /// <summary>What holds, as YAML, without the tokens.</summary>
    internal static string Describe(AccessToken token)
    {
        string cameras = token.Cameras is null ? AllCameras : token.Cameras.Count == 0 ? None : $"[{string.Join(", ", token.Cameras.Select(DaemonConfiguration.Quote))}]";
        string may = token.May.HasFlag(Permission.Control) ? "control" : "view";
        return $"{{{Name}: {token.Name}, {File}: {DaemonConfiguration.Quote(token.File)}, {May}: {may}, {Cameras}: {cameras}}}";
    }

    private static AccessToken? ReadOne(ConfigurationValue item, string folder, PeerCredentials own)
    {
        if (item.Node.Kind != ConfigurationNodeKind.Mapping)
        {
            item.Report($"found {item.Found}", item.Accepted);
            return null;
        }

        int before = item.Problems.Count;
        ConfigurationSettings settings = ConfigurationSettings.Read(item, All);
        foreach (string name in (string[])[Name, File])
        {
            if (!settings.Has(name) && !settings.IsBad(name))
            {
                item.Report($"the key '{name}' is missing", All.First(key => key.Name == name).Accepted);
            }
        }

        if (item.Problems.Count > before)
        {
            return null;
        }

        settings.TryGet(Name, out string? called);
        settings.TryGet(File, out string? path);
        path = Path.Combine(folder, path!);
        ConfigurationValue place = settings.PlaceOf(File);
        if (SecretFile.Read(path, MostBytes, own, out string problem) is not { } content)
        {
            place.Report(problem, place.Accepted);
            return null;
        }

        ReadOnlySpan<byte> token = content.AsSpan().Trim("\r\n"u8);
        if (token.Length < LeastBytes || token.ContainsAnyExceptInRange((byte)0x21, (byte)0x7E))
        {
            place.Report(
                token.Length < LeastBytes ? $"{path} has {token.Length} bytes in its line" : $"{path} has several lines, or characters that no header of HTTP can carry",
                $"one line of {LeastBytes} to {MostBytes} printable ASCII characters without spaces, such as 'openssl rand -hex 32' prints");
            return null;
        }

        return new AccessToken(
            called!,
            path,
            SHA256.HashData(token),
            settings.TryGet(May, out Permission may) ? may : Permission.View,
            settings.TryGet(Cameras, out object? cameras) ? cameras as IReadOnlyList<string> : []);
    }

    private static object? ParseCameras(ConfigurationValue value)
    {
        if (value.Node.Kind != ConfigurationNodeKind.List)
        {
            return value.Choice((None, Array.Empty<string>()), (AllCameras, AllCameras));
        }

        List<string> cameras = [];
        return value.Items(item =>
        {
            if (item.Text(text => StreamKey.IsValid(text) ? null : $"{item.Found}, which is no key of a camera") is not { } key)
            {
                return false;
            }

            cameras.Add(key);
            return true;
        }) ? cameras : null;
    }
}
