using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using CuFrames.Client;
using CuFrames.Control;
using CuFrames.Protocol;

namespace CuFrames.Cli.Internal;

/// <summary>The way to the daemon: the socket in the runtime directory, unless options or the environment name another daemon.</summary>
internal static class ControlSocket
{
    private const string AddressVariable = "CUFRAMES_CONTROL";
    private const string TokenVariable = "CUFRAMES_TOKEN_FILE";
    private const string AuthorityVariable = "CUFRAMES_CA";

    private static readonly Option<string?> Address = new("--control")
    {
        Description = $"The daemon to talk to: HOST:PORT of one that serves its control API by TCP, or the path of a control socket. Default: ${AddressVariable}, else the socket in the runtime directory.",
        HelpName = "ADDRESS",
        Recursive = true,
    };

    private static readonly Option<string?> Token = new("--token-file")
    {
        Description = $"With HOST:PORT: the file that holds the token. Default: ${TokenVariable}.",
        HelpName = "FILE",
        Recursive = true,
    };

    private static readonly Option<string?> Authority = new("--ca")
    {
        Description = $"With HOST:PORT: a PEM file with the certificate that signed the daemon's, or that one itself. Default: ${AuthorityVariable}, else what the system trusts.",
        HelpName = "FILE",
        Recursive = true,
    };

    /// <summary>The command line of this process; null before it was parsed.</summary>
    private static ParseResult? _commandLine;

    /// <summary>The control socket of the daemon that runs in the runtime directory.</summary>
    public static string FilePath => Path.Combine(StreamDirectory.RuntimeDirectory, ControlClient.SocketName);

    /// <summary>Whether the command line or the environment names a daemon.</summary>
    public static bool IsNamed => Value(Address, AddressVariable) is not null;

    /// <summary>The daemon that <see cref="Connect"/> talks to, for people.</summary>
    public static string Name => Value(Address, AddressVariable) ?? FilePath;

    /// <summary>Gives a command that talks to the daemon the options that say which.</summary>
    public static Command WithOptions(Command command)
    {
        command.Add(Address);
        command.Add(Token);
        command.Add(Authority);
        return command;
    }

    /// <summary>Takes note of what the command line says, before a command runs.</summary>
    public static void Use(ParseResult commandLine) => _commandLine = commandLine;

    /// <summary>A client of the daemon.</summary>
    /// <exception cref="CuFramesException">CONFIGURATION_INVALID: the address, the token or the certificate.</exception>
    /// <param name="timeout">How long a call may take; null: as long as the client lets it.</param>
    public static ControlClient Connect(TimeSpan? timeout = null)
    {
        string? address = Value(Address, AddressVariable);
        if (address is null || address.Contains('/', StringComparison.Ordinal))
        {
            return timeout is { } limit ? new ControlClient(address ?? FilePath) { Timeout = limit } : new ControlClient(address ?? FilePath);
        }

        int colon = address.LastIndexOf(':');
        string host = colon < 0 ? "" : address[..colon].Trim('[', ']');
        if (host.Length == 0 || !ushort.TryParse(address.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out ushort port) || port == 0 ||
            Uri.CheckHostName(host) == UriHostNameType.Unknown)
        {
            throw Invalid($"'{address}' is no address of a daemon. Use HOST:PORT, such as server:8477, or the path of a control socket.");
        }

        string file = Value(Token, TokenVariable) ??
            throw Invalid($"A daemon that is reached by TCP asks for a token. Name the file that holds it with --token-file or ${TokenVariable}.");
        ControlServer server = new(host, port, ReadToken(file))
        {
            Authorities = Value(Authority, AuthorityVariable) is { } authority ? ReadAuthorities(authority) : null,
        };
        return timeout is { } longest ? new ControlClient(server) { Timeout = longest } : new ControlClient(server);
    }

    private static string? Value(Option<string?> option, string variable)
    {
        string? value = _commandLine?.GetValue(option) ?? Environment.GetEnvironmentVariable(variable);
        return string.IsNullOrEmpty(value) ? null : value;
    }

    private static string ReadToken(string path)
    {
        const UnixFileMode Others = UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
        using FileStream file = Open(path, "token");
        if ((File.GetUnixFileMode(file.SafeFileHandle) & Others) != 0)
        {
            throw Invalid($"Every user may get at the token in {path}. Take the rights of others away (chmod o= {path}).");
        }

        using StreamReader reader = new(file);
        string token = (reader.ReadLine() ?? "").Trim();
        return token.Length > 0 && !token.AsSpan().ContainsAnyExceptInRange('!', '~')
            ? token
            : throw Invalid($"{path} holds no token: it has none of the characters that one has, or others, in its first line.");
    }

    private static X509Certificate2Collection ReadAuthorities(string path)
    {
        X509Certificate2Collection authorities = [];
        try
        {
            using StreamReader file = new(Open(path, "certificate"));
            authorities.ImportFromPem(file.ReadToEnd());
        }
        catch (CryptographicException)
        {
            authorities.Clear();
        }

        return authorities.Count > 0 ? authorities : throw Invalid($"{path} holds no certificate in PEM form.");
    }

    /// <exception cref="CuFramesException">CONFIGURATION_INVALID: there is no such file.</exception>
    private static FileStream Open(string path, string what)
    {
        try
        {
            return File.OpenRead(path);
        }
        catch (IOException error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            throw Invalid($"The file with the {what} does not exist: {path}.");
        }
    }

    private static CuFramesException Invalid(string text) => new(ErrorCode.ConfigurationInvalid, text);
}
