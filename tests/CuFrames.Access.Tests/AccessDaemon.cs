using System.Security.Cryptography;
using System.Text;
using CuFrames.Control;
using CuFrames.Daemon.Tests;

namespace CuFrames.Access.Tests;

/// <summary>A daemon that runs as a user of its own.</summary>
internal sealed class AccessDaemon : IDisposable
{
    private const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private static readonly Lazy<string> Program = new(FindProgram);

    /// <summary>Makes the files. <c>{folder}</c> in the configuration stands for a folder for files of the test.</summary>
    /// <param name="configuration">The configuration.</param>
    /// <param name="account">As whom it runs.</param>
    /// <param name="through">A command that it is started through.</param>
    public AccessDaemon(string configuration, Account? account = null, params string[] through)
    {
        Account = account ?? Account.Own;
        Process = new DaemonProcess("cameras: {}") { Prefix = ["setpriv", .. Account.Arguments, .. through, "env", "-C", "/", "sh", "-c", $"shift; exec '{Program.Value}/cuframesd' \"$@\"", "sh"] };
        Directory.CreateDirectory(Process.RuntimeDirectory);
        Give(Process.RuntimeDirectory);
        Files = Directory.CreateDirectory(Path.Combine(Process.Folder, "files")).FullName;
        Write(configuration);
    }

    public Account Account { get; }

    public DaemonProcess Process { get; }

    /// <summary>Folder for files of the test.</summary>
    public string Files { get; }

    public string ControlSocket => Path.Combine(Process.RuntimeDirectory, ControlClient.SocketName);

    public static AccessDaemon Run(string configuration, Account? account = null)
    {
        AccessDaemon daemon = new(configuration, account);
        daemon.Start();
        return daemon;
    }

    public void Start()
    {
        Process.Start();
        Process.WaitForLog("[101 ready]");
        Process.WaitForLog("[700 control-ready]", "cuframesd.control");
    }

    public void Write(string configuration)
    {
        Process.Write(configuration.Replace("{folder}", Files, StringComparison.Ordinal));
        File.SetUnixFileMode(Process.ConfigurationPath, Owner | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
    }

    /// <summary>Reads the configuration again, and waits until all of it holds.</summary>
    public void Reload(string? configuration = null, string result = "[200 configuration-loaded]")
    {
        if (configuration is not null)
        {
            Write(configuration);
        }

        int seen = Process.Log.Count;
        Process.Signal(1);
        Process.WaitForLog(result, "SIGHUP", seen);

        // Certificates and taps follow the line. The thread that does it all answers when it is done.
        using ControlClient client = new(ControlSocket) { Timeout = DaemonProcess.Patience };
        client.GetDaemonAsync().GetAwaiter().GetResult();
    }

    /// <summary>Writes a token into a file of the daemon's user.</summary>
    /// <returns>The token.</returns>
    public string MakeToken(string name)
    {
        string token = Convert.ToHexString(RandomNumberGenerator.GetBytes(32));
        WriteSecret(name, token + "\n");
        return token;
    }

    public string WriteSecret(string name, string content, UnixFileMode mode = Owner)
    {
        string path = Path.Combine(Files, name);
        File.WriteAllBytes(path, Encoding.UTF8.GetBytes(content));
        File.SetUnixFileMode(path, mode);
        Give(path);
        return path;
    }

    public string StreamSocket(string key) => Path.Combine(Process.RuntimeDirectory, key + ".sock");

    public void Dispose() => Process.Dispose();

    /// <summary>Makes a path the daemon's user's.</summary>
    public void Give(string path) => TapReader.Get("chown", $"{Account.User}:{Account.Group}", path);

    /// <summary>The folder of the program, where every user can read it: a copy of it where they could not.</summary>
    private static string FindProgram()
    {
        string folder = AppContext.BaseDirectory.TrimEnd('/');
        if (TapReader.Run("setpriv", [.. Account.Stranger.Arguments, "test", "-x", Path.Combine(folder, "cuframesd")]).ExitCode == 0)
        {
            return folder;
        }

        string copy = Directory.CreateTempSubdirectory("cuframes-program-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(copy, recursive: true);
        TapReader.Get("cp", "-a", $"{folder}/.", copy);
        TapReader.Get("chmod", "-R", "a+rX", copy);
        return copy;
    }
}
