using System.Diagnostics;
using System.Text.Json;
using CuFrames.Daemon.Tests;
using Xunit;

namespace CuFrames.Control.Tests;

/// <summary>What keeps added cameras: the file of the state, in all its conditions.</summary>
public sealed class StateTests
{
    private const string Kind = "CuFrames";

    private const string Configuration = """
        directory: {run}
        cameras:
          front:
            source: test:nv12@320x240@25
        """;

    private const string Garden = "cameras:\n  garden:\n    source: test:nv12@320x240@25\n";

    [Fact]
    public async Task Added_cameras_come_back_after_a_kill()
    {
        using ControlScenario scenario = new(Kind, Configuration);
        Assert.Equal(RpcStatus.Ok, (await scenario.AddAsync("garden", "source: test:nv12@320x240@25")).Status);
        Assert.Equal(RpcStatus.Ok, (await scenario.AddAsync("shed", "source: test:nv12@320x240@25")).Status);
        Assert.Equal(RpcStatus.Ok, (await scenario.UpdateAsync("garden", "source: test:nv12@160x120@25")).Status);
        Assert.Equal(RpcStatus.Ok, (await scenario.AddAsync("attic", "source: test:nv12@320x240@25")).Status);
        Assert.Equal(RpcStatus.Ok, (await scenario.CallAsync("RemoveCamera", ("key", "shed"))).Status);
        scenario.KillAndStart();
        Assert.Equal(["front", "garden", "attic"], await scenario.KeysAsync());
        JsonElement garden = (await scenario.CallAsync("GetCamera", ("key", "garden"))).Message;
        Assert.Equal("source: test:nv12@160x120@25\n", garden.GetProperty("settings").GetString());
        scenario.RequireFrame("garden");
        scenario.RequireFrame("attic");

        // Health is asked of them too.
        (int exitCode, string output, _) = DaemonProcess.Execute(scenario.Daemon.Environment, "--health");
        Assert.True(exitCode == 0 && output.Contains("3 of 3 cameras answer", StringComparison.Ordinal), output);
    }

    [Theory]
    [InlineData("cameras: [garden]\n", "cameras: found a list.")]
    [InlineData("cameras: {garden: {source: test}\n", "this is not YAML")]
    [InlineData("cameras: {}\nversion: 2\n", "unknown key 'version'")]
    [InlineData("cameras: {garden: &g {source: test}, shed: *g}\n", "An alias stands here")]
    [InlineData("\0\u0001", "found a text")]
    public async Task A_broken_file_is_told_and_left_alone_and_the_configurations_cameras_run(string content, string problem)
    {
        using ControlScenario scenario = new(Kind, Configuration, daemon => Keep(daemon, content));
        scenario.Daemon.WaitForLog("[710 state-broken]", problem);
        scenario.RequireFrame("front");
        Assert.Equal(["front"], await scenario.KeysAsync());
        JsonElement daemon = (await scenario.CallAsync("GetDaemon")).Message;
        Assert.Contains(problem, daemon.GetProperty("stateProblem").GetString(), StringComparison.Ordinal);
        await ControlScenario.RequireAsync(scenario.AddAsync("attic", "source: test"), RpcStatus.FailedPrecondition, scenario.StatePath, problem, "Mend the file or remove it");
        Assert.Equal(content, File.ReadAllText(scenario.StatePath));

        // Mended, it counts with the next change, without a new start.
        File.WriteAllText(scenario.StatePath, Garden);
        Assert.Equal(RpcStatus.Ok, (await scenario.AddAsync("attic", "source: test")).Status);
        Assert.Equal(["front", "garden", "attic"], await scenario.KeysAsync());
        scenario.RequireFrame("garden");
        Assert.False((await scenario.CallAsync("GetDaemon")).Message.TryGetProperty("stateProblem", out JsonElement left) && left.GetString() != "");
    }

    [Fact]
    public async Task What_cannot_be_written_is_not_done()
    {
        // A file where the directory should be: root is refused too.
        using ControlScenario scenario = new(Kind, Configuration, daemon => File.WriteAllText(daemon.StateDirectory, ""));
        await ControlScenario.RequireAsync(scenario.AddAsync("garden", "source: test"), RpcStatus.FailedPrecondition, scenario.StatePath, "nothing was changed");
        scenario.Daemon.WaitForLog("[713 state-unwritable]");
        Assert.Equal(["front"], await scenario.KeysAsync());
        Assert.DoesNotContain(Directory.EnumerateFileSystemEntries(scenario.Daemon.RuntimeDirectory), path => path.Contains("garden", StringComparison.Ordinal));

        // Another one writes there just now: the same, and a word on who it may be.
        File.Delete(scenario.Daemon.StateDirectory);
        Assert.Equal(RpcStatus.Ok, (await scenario.AddAsync("garden", "source: test")).Status);
        string kept = File.ReadAllText(scenario.StatePath);
        ProcessStartInfo locking = new("flock", ["--exclusive", scenario.Daemon.StateDirectory, "sh", "-c", "echo locked; exec sleep 1000"]) { RedirectStandardOutput = true };
        using (Process other = Process.Start(locking)!)
        {
            Assert.Equal("locked", await other.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
            await ControlScenario.RequireAsync(scenario.CallAsync("RemoveCamera", ("key", "garden")), RpcStatus.Aborted, "another cuframesd");
            other.Kill(entireProcessTree: true);
            await other.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        Assert.Equal(kept, File.ReadAllText(scenario.StatePath));
        Assert.Equal(["front", "garden"], await scenario.KeysAsync());
    }

    [Fact]
    public async Task A_kill_in_the_middle_of_changes_leaves_the_file_before_or_after_one()
    {
        using ControlScenario scenario = new(Kind, Configuration);
        Assert.Equal(RpcStatus.Ok, (await scenario.AddAsync("garden", "source: test:nv12@320x240@25")).Status);

        // Long settings, so that a file that is written in place would be found half written. What a look finds at any moment is what a kill leaves there.
        string users = string.Join(", ", Enumerable.Range(1000, 5000));
        int done = 0;
        using CancellationTokenSource looking = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        Task<int> looks = Task.Run(() => LookUntil(scenario.StatePath, looking.Token), TestContext.Current.CancellationToken);
        for (int round = 0; round < 8; round++)
        {
            int begun = done;
            Task changing = Task.Run(
                async () =>
                {
                    while ((await scenario.UpdateAsync("garden", $"source: test:nv12@320x240@25\nreaders: {{users: [{++done}, {users}]}}\n")).Status == RpcStatus.Ok)
                    {
                    }
                },
                TestContext.Current.CancellationToken);
            while (Volatile.Read(ref done) < begun + 3 + round)
            {
                await Task.Delay(1, TestContext.Current.CancellationToken);
            }

            const int Kill = 9;
            scenario.Daemon.End(Kill);
            await changing;
            scenario.StartAgain();
            Assert.DoesNotContain("state-broken", scenario.Daemon.LogText, StringComparison.Ordinal);
            Assert.Equal(["front", "garden"], await scenario.KeysAsync());

            // The last that was answered, or the one that was under way.
            string settings = (await scenario.CallAsync("GetCamera", ("key", "garden"))).Message.GetProperty("settings").GetString()!;
            string[] first = settings.Split('\n').SkipWhile(line => !line.Contains("users:", StringComparison.Ordinal)).ToArray();
            Assert.Contains(first[1].Trim(' ', '-'), (string[])[$"{done - 1}", $"{done}"]);
            Assert.Equal(5001, first.Skip(1).Count(line => line.Contains('-', StringComparison.Ordinal)));
            done = int.Parse(first[1].Trim(' ', '-'));
        }

        await looking.CancelAsync();
        Assert.True(await looks > 1000);

        // Whatever a kill left is gone with the next change.
        Assert.Equal(RpcStatus.Ok, (await scenario.UpdateAsync("garden", "source: test")).Status);
        Assert.Equal([scenario.StatePath], Directory.EnumerateFileSystemEntries(scenario.Daemon.StateDirectory));
    }

    [Fact]
    public async Task A_reload_keeps_added_cameras_and_is_refused_if_one_would_not_hold()
    {
        using ControlScenario scenario = new(Kind, Configuration);
        Assert.Equal(RpcStatus.Ok, (await scenario.AddAsync("garden", "source: test:nv12@320x240@25\nslots: 8\n")).Status);
        ulong epoch = scenario.RequireFrame("garden");
        scenario.Daemon.Write(Configuration + "\n  attic: {source: test}\n");
        scenario.Daemon.WaitForLog("[200 configuration-loaded]", "added attic");
        Assert.Equal(["front", "attic", "garden"], await scenario.KeysAsync());
        Assert.Equal(epoch, scenario.RequireFrame("garden"));

        // With these defaults the added camera has more slots than it may: nothing changes, neither here nor there.
        scenario.Daemon.Write(Configuration + "\n  cellar: {source: test, slots: 2}\ndefaults: {max_slots: 7}\n");
        scenario.Daemon.WaitForLog("[201 configuration-invalid]", $"{scenario.StatePath}:");
        scenario.Daemon.WaitForLog("[202 configuration-kept]");
        Assert.Equal(["front", "attic", "garden"], await scenario.KeysAsync());
        Assert.Equal(epoch, scenario.RequireFrame("garden"));

        // The file's camera of the same key wins; the added one is still kept.
        scenario.Daemon.Write(Configuration + "\n  garden: {source: test:nv12@64x48@25}\n");
        scenario.Daemon.WaitForLog("[712 state-camera-hidden]", "garden: ");

        // The last line of this reload: else it might be taken for that of the next one.
        scenario.Daemon.WaitForLog("[200 configuration-loaded]", "changed garden");
        Assert.Equal(["front", "garden"], await scenario.KeysAsync());
        Assert.Equal("ORIGIN_CONFIGURATION", (await scenario.CallAsync("GetCamera", ("key", "garden"))).Message.GetProperty("origin").GetString());
        await ControlScenario.RequireAsync(scenario.CallAsync("RemoveCamera", ("key", "garden")), RpcStatus.FailedPrecondition);
        int seen = scenario.Daemon.Log.Count;
        scenario.Daemon.Write(Configuration);
        scenario.Daemon.WaitForLog("[200 configuration-loaded]", seen: seen);
        Assert.Equal("ORIGIN_API", (await scenario.CallAsync("GetCamera", ("key", "garden"))).Message.GetProperty("origin").GetString());
    }

    [Fact]
    public async Task An_added_camera_that_does_not_hold_any_more_is_told_and_can_be_mended_by_a_call()
    {
        using ControlScenario scenario = new(
            Kind, Configuration, daemon => Keep(daemon, Garden + "  shed:\n    source: rtsp://127.0.0.1:1/x\n    username: a\n    password_file: gone\n"));
        scenario.Daemon.WaitForLog("[711 state-camera-invalid] shed: ", $"{scenario.StatePath}:7:20: cameras.shed.password_file:");
        scenario.RequireFrame("garden");
        JsonElement shed = (await scenario.CallAsync("GetCamera", ("key", "shed"))).Message;
        Assert.Equal("CAMERA_STATE_FAILED", shed.GetProperty("state").GetString());
        Assert.Contains("password_file", shed.GetProperty("reason").GetString(), StringComparison.Ordinal);
        await ControlScenario.RequireAsync(scenario.CallAsync("RestartCamera", ("key", "shed")), RpcStatus.FailedPrecondition, "do not hold");

        // It stands in nobody's way: a reload, other cameras.
        scenario.Daemon.Write(Configuration + "\n  attic: {source: test}\n");
        scenario.Daemon.WaitForLog("[200 configuration-loaded]", "added attic");
        Assert.Equal(RpcStatus.Ok, (await scenario.AddAsync("cellar", "source: test")).Status);
        Assert.Equal(RpcStatus.Ok, (await scenario.UpdateAsync("shed", "source: test:nv12@320x240@25")).Status);
        scenario.RequireFrame("shed");
    }

    /// <summary>Reads the file again and again: it is the short one of the beginning, or a long one, whole.</summary>
    private static int LookUntil(string path, CancellationToken end)
    {
        int looks = 0;
        for (; !end.IsCancellationRequested; looks++)
        {
            string content = File.ReadAllText(path);
            Assert.True(
                content.EndsWith(content.Contains("users", StringComparison.Ordinal) ? "- 5999\n" : "320x240@25\n", StringComparison.Ordinal),
                $"{content.Length} characters, which end with '{content[^Math.Min(40, content.Length)..]}'");
        }

        return looks;
    }

    private static void Keep(DaemonProcess daemon, string content)
    {
        Directory.CreateDirectory(daemon.StateDirectory);
        File.WriteAllText(Path.Combine(daemon.StateDirectory, "cameras.yaml"), content);
    }
}
