using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Xunit;

namespace CuFrames.Interop.Tests;

public sealed class SystemdNotifierTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public SystemdNotifierTests() => SetEnvironment(null, null, null);

    public void Dispose()
    {
        SetEnvironment(null, null, null);
        _directory.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Systemd_gets_each_state_as_one_datagram(bool isAbstract)
    {
        string path = _directory.PathOf("notify");
        using var systemd = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified)
        {
            ReceiveTimeout = 90_000,
        };
        systemd.Bind(new UnixDomainSocketEndPoint(isAbstract ? "\0" + path : path));
        SetEnvironment(isAbstract ? "@" + path : path, null, null);
        SystemdNotifier notifier = SystemdNotifier.FromEnvironment();

        Assert.True(notifier.IsActive);
        Assert.Null(notifier.WatchdogInterval);
        Assert.True(notifier.Ready());
        Assert.Equal("READY=1", Receive());
        Assert.True(notifier.Ready("4 cameras,\nall well"));
        Assert.Equal("READY=1\nSTATUS=4 cameras, all well", Receive());
        Assert.True(notifier.Watchdog());
        Assert.Equal("WATCHDOG=1", Receive());
        Assert.True(notifier.Status("Tür 1\nREADY=1"));
        Assert.Equal("STATUS=Tür 1 READY=1", Receive());
        long before = MonotonicClock.NowNanoseconds / 1000;
        Assert.True(notifier.Reloading());
        string[] lines = Receive().Split('\n');
        Assert.Equal("RELOADING=1", lines[0]);
        Assert.StartsWith("MONOTONIC_USEC=", lines[1], StringComparison.Ordinal);
        Assert.InRange(
            long.Parse(lines[1].Split('=')[1], CultureInfo.InvariantCulture),
            before,
            MonotonicClock.NowNanoseconds / 1000);
        Assert.True(notifier.Stopping());
        Assert.Equal("STOPPING=1", Receive());

        string Receive()
        {
            byte[] buffer = new byte[1024];
            return Encoding.UTF8.GetString(buffer, 0, systemd.Receive(buffer));
        }
    }

    [Fact]
    public void Without_systemd_nothing_happens()
    {
        SystemdNotifier notifier = SystemdNotifier.FromEnvironment();

        Assert.False(notifier.IsActive);
        Assert.False(notifier.Ready());
        Assert.False(notifier.Reloading());
        Assert.False(notifier.Stopping());
        Assert.False(notifier.Watchdog());
        Assert.False(notifier.Status("x"));
    }

    [Fact]
    public void A_socket_that_does_not_work_is_an_error()
    {
        SetEnvironment(_directory.PathOf("nobody"), null, null);
        Assert.Equal(Errno.ENOENT, Assert.Throws<LinuxException>(() => SystemdNotifier.FromEnvironment().Ready()).Errno);
        SetEnvironment("vsock:2:1234", null, null);
        Assert.Equal(
            Errno.EAFNOSUPPORT, Assert.Throws<LinuxException>(() => SystemdNotifier.FromEnvironment().Ready()).Errno);
        SetEnvironment("/" + new string('x', 200), null, null);
        Assert.Throws<LinuxException>(() => SystemdNotifier.FromEnvironment().Ready());
    }

    [Theory]
    [InlineData("30000000", "own", 30.0)]
    [InlineData("30000000", null, 30.0)]
    [InlineData("500000", "own", 0.5)]
    [InlineData("30000000", "1", null)]
    [InlineData(null, "own", null)]
    [InlineData("0", "own", null)]
    [InlineData("-1", "own", null)]
    [InlineData("many", "own", null)]
    [InlineData("9223372036854775807", "own", null)]
    public void The_watchdog_is_this_processs_own(string? microseconds, string? owner, double? seconds)
    {
        string? process = owner == "own" ? Environment.ProcessId.ToString(CultureInfo.InvariantCulture) : owner;
        SetEnvironment(null, microseconds, process);

        Assert.Equal(seconds, SystemdNotifier.FromEnvironment().WatchdogInterval?.TotalSeconds);
    }

    private static void SetEnvironment(string? socket, string? microseconds, string? process)
    {
        Environment.SetEnvironmentVariable("NOTIFY_SOCKET", socket);
        Environment.SetEnvironmentVariable("WATCHDOG_USEC", microseconds);
        Environment.SetEnvironmentVariable("WATCHDOG_PID", process);
    }
}
