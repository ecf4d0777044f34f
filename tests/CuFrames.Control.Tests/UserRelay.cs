using System.Diagnostics;
using CuFrames.TestKit;

namespace CuFrames.Control.Tests;

/// <summary>A process of another user that passes bytes on to a socket: to the other end it is who connects.</summary>
internal sealed class UserRelay : IDisposable
{
    private const string Code = """
        import os, socket, sys, threading
        os.setgroups([]); os.setgid(int(sys.argv[3])); os.setuid(int(sys.argv[3]))
        listener = socket.socket(socket.AF_UNIX); listener.bind(sys.argv[1]); listener.listen(16); print("ready", flush=True)
        def copy(a, b):
            try:
                while data := a.recv(65536): b.sendall(data)
            except OSError: pass
            for s in (a, b):
                try: s.shutdown(socket.SHUT_RDWR)
                except OSError: pass
        while True:
            near, _ = listener.accept()
            far = socket.socket(socket.AF_UNIX); far.connect(sys.argv[2])
            for pair in ((near, far), (far, near)): threading.Thread(target=copy, args=pair, daemon=True).start()
        """;

    private readonly TemporaryDirectory _folder = new();
    private readonly Process _process;

    public UserRelay(string target, int user)
    {
        File.SetUnixFileMode(_folder.Path, (UnixFileMode)0b111_111_111);
        SocketPath = Path.Combine(_folder.Path, ControlClient.SocketName);
        _process = Process.Start(new ProcessStartInfo("/usr/bin/python3", ["-c", Code, SocketPath, target, $"{user}"]) { RedirectStandardOutput = true })!;
        Assert.Equal("ready", _process.StandardOutput.ReadLine());
    }

    public string SocketPath { get; }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        _folder.Dispose();
    }
}
