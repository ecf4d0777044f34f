using System.Globalization;
using CuFrames.TestKit;
using Microsoft.Playwright;
using Xunit;

namespace CuFrames.Web.Tests;

/// <summary>The dashboard in a browser, of a daemon that has much to do.</summary>
public sealed class DashboardTests(Browser browser)
{
    private const int Cameras = 15;

    /// <summary>Sixteen cameras, the last of which is added in the page, and 48 readers.</summary>
    [Fact]
    public async Task An_operator_adds_a_camera_sees_why_it_is_lost_and_evicts_a_reader()
    {
        using MediaClips clips = new();
        string clip = clips.H264("door.mp4", 320, 180, 2);
        RtspServer source = new(new RtspServerOptions { File = clip });
        using WebDaemon daemon = new(WebDaemon.Cameras(Cameras));
        using Readers readers = new();
        for (int i = 0; i < 45; i++)
        {
            readers.Add(daemon.Daemon, $"c{i % Cameras:00}");
        }

        // Three are processes of their own.
        using PeerProcess first = Subscribe(daemon, "c00"), second = Subscribe(daemon, "c01"), third = Subscribe(daemon, "c02");
        await using WatchedPage watched = await browser.OpenAsync();
        IPage page = watched.Page;
        await page.GotoAsync(daemon.Url);
        await watched.WaitForAsync($"() => document.querySelectorAll('#tiles > li [data-state=live]').length === {Cameras}");
        await watched.WaitForAsync("() => document.querySelectorAll('#reader-table tbody tr').length === 48");
        Assert.Equal("15", await FigureAsync(page, "Cameras live"));
        Assert.Equal("48", await FigureAsync(page, "Readers"));

        // What is wrong with a new camera is told in the form.
        await page.ClickAsync("#add");
        await page.FillAsync("#add-key", "front-door");
        await page.FillAsync("#add-source", source.Url);
        await page.FillAsync("#add-settings", "transport: upd");
        await page.ClickAsync("#add-form button[type=submit]");
        await watched.WaitForAsync("() => document.querySelector('#add-problem').textContent.includes(\"found 'upd' (did you mean 'udp'?)\")");
        Assert.Equal(["status 400: POST " + daemon.Url + "/api/cameras/add"], (await TroublesAsync(watched)).Where(trouble => trouble.StartsWith("status", StringComparison.Ordinal)));
        await page.FillAsync("#add-settings", "transport: tcp\nopen_timeout: 20s\nstall_timeout: 1s");
        await page.ClickAsync("#add-form button[type=submit]");

        // It comes up, with a picture, and the focus is there.
        await watched.WaitForAsync("() => document.querySelector('[data-key=front-door] .state')?.textContent === 'Live'");
        Assert.Equal("front-door", await page.EvaluateAsync<string>("() => document.activeElement.textContent"));
        await watched.WaitForAsync("() => document.querySelector('[data-key=front-door] img').naturalWidth === 320");
        await watched.WaitForAsync("() => /^[1-9][0-9.]* fps$/.test(document.querySelector('[data-key=front-door] .rate dd').textContent)");
        await watched.WaitForAsync("() => document.querySelector('#announce').textContent.includes('front-door')");
        Assert.Equal("16", await FigureAsync(page, "Cameras live"));

        // The source dies: the page says so, and why.
        source.Dispose();
        await watched.WaitForAsync("() => document.querySelector('[data-key=front-door] .state').textContent === 'Source lost'");
        string reason = await page.Locator("[data-key=front-door] .reason").InnerTextAsync();
        Assert.Contains(source.Port.ToString(CultureInfo.InvariantCulture), reason, StringComparison.Ordinal);
        await watched.WaitForAsync("() => [...document.querySelectorAll('#log li')].some(item => item.textContent.includes('front-door') && item.textContent.includes('302 camera-lost'))");
        Assert.Equal("15", await FigureAsync(page, "Cameras live"));

        // A reader is evicted: its process is told, and its row goes.
        await page.FillAsync("#find-reader", second.Id.ToString(CultureInfo.InvariantCulture));
        await watched.WaitForAsync("() => document.querySelectorAll('#reader-table tbody tr').length === 1");
        await page.ClickAsync("#reader-table button");
        await page.ClickAsync("#confirm-yes");
        await watched.WaitForAsync("() => document.querySelectorAll('#reader-table tbody tr').length === 0");
        string line = daemon.Daemon.WaitForLog("[402 reader-evicted] c01", $"process {second.Id}");
        Assert.Contains("an operator asked for it in the dashboard", line, StringComparison.Ordinal);
        await page.FillAsync("#find-reader", "");
        await watched.WaitForAsync("() => document.querySelectorAll('#reader-table tbody tr').length === 47");

        // Its page: the same reason, its settings without secrets; it is removed there.
        await page.ClickAsync("[data-key=front-door] h3 a");
        await watched.WaitForAsync("() => document.querySelector('#state')?.textContent === 'Source lost' && document.querySelector('#settings-text').textContent.includes('stall_timeout: 1s')");
        Assert.Contains(source.Port.ToString(CultureInfo.InvariantCulture), await page.Locator("#reason").InnerTextAsync(), StringComparison.Ordinal);
        await page.ClickAsync("#remove");
        await page.ClickAsync("#confirm-yes");
        await watched.WaitForAsync($"() => location.pathname === '/' && document.querySelectorAll('#tiles > li').length === {Cameras}");
        Assert.Empty(await TroublesAsync(watched));
    }

    [Fact]
    public async Task A_cameras_page_shows_its_streams_and_starts_it_anew()
    {
        using WebDaemon daemon = new("cameras: {a: {source: \"test:nv12@320x180@5\", renditions: {small: {size: 160x90}}}, b: {source: \"test:nv12@64x64@5\"}}");
        await using WatchedPage watched = await browser.OpenAsync();
        IPage page = watched.Page;
        await page.GotoAsync($"{daemon.Url}/cameras/a");
        await watched.WaitForAsync("() => document.querySelector('#picture').naturalWidth === 320");
        await watched.WaitForAsync("() => document.querySelectorAll('#stream-table tbody tr').length === 3");
        Assert.Equal(["a", "a@small", "a@tile"], await page.Locator("#stream-table tbody th").AllInnerTextsAsync());
        Assert.Contains("source: test:nv12@320x180@5", await page.Locator("#settings-text").InnerTextAsync(), StringComparison.Ordinal);
        Assert.True(await page.Locator("#remove").IsHiddenAsync());
        int seen = daemon.Daemon.Log.Count;
        await page.ClickAsync("#restart");
        await page.ClickAsync("#confirm-yes");
        daemon.Daemon.WaitForLog("[301 camera-live] a", seen: seen);
        await watched.WaitForAsync("() => [...document.querySelectorAll('#log li')].some(item => item.textContent.includes('started anew'))");

        // The picture goes on with the new run.
        string before = await page.EvaluateAsync<string>("() => document.querySelector('#picture').src");
        await watched.WaitForAsync($"() => document.querySelector('#picture').src !== '{before}' && document.querySelector('#placeholder').hidden");
        Assert.Empty(await TroublesAsync(watched));

        // Events of other cameras are none of this page's.
        Assert.Equal(0, await page.Locator("#log li", new PageLocatorOptions { HasText = "64x64" }).CountAsync());
        await page.GotoAsync($"{daemon.Url}/cameras/nobody");
        await watched.WaitForAsync("() => !document.querySelector('#gone').hidden");
    }

    [Fact]
    public async Task A_camera_that_is_disabled_is_there_and_is_no_fault()
    {
        const string Others = "  a: {source: \"test:nv12@64x64@5\"}\n  c: {source: \"test:nv12@64x64@5\"}\n";
        using WebDaemon daemon = new("cameras:\n  b: {source: \"test:nv12@320x180@5\", enabled: false}\n" + Others);
        await using WatchedPage watched = await browser.OpenAsync();
        IPage page = watched.Page;
        await page.GotoAsync(daemon.Url);
        await watched.WaitForAsync("() => document.querySelectorAll('#tiles > li .state[data-state=live]').length === 2");

        // In the configuration's order, with its reason; without a picture and without figures that nobody can have.
        Assert.Equal(["b", "a", "c"], await page.Locator("#tiles h3").AllInnerTextsAsync());
        Assert.Equal("Disabled", await page.Locator("[data-key=b] .state").InnerTextAsync());
        Assert.Equal("disabled in the configuration", await page.Locator("[data-key=b] .reason").InnerTextAsync());
        Assert.True(await page.Locator("[data-key=b] .picture").IsHiddenAsync());
        Assert.True(await page.Locator("[data-key=b] .figures").IsHiddenAsync());
        Assert.Equal("2", await FigureAsync(page, "Cameras live"));
        Assert.StartsWith("2 of 2 cameras live, 1 disabled.", await page.Locator("#status").InnerTextAsync(), StringComparison.Ordinal);

        // It is found by what it is, and its colour is none of an alarm.
        Assert.True(await page.Locator("[data-key=b] .state").EvaluateAsync<bool>(
            "state => { const plain = document.createElement('span'); plain.className = 'state'; document.body.append(plain); const isSame = getComputedStyle(state).color === getComputedStyle(plain).color; plain.remove(); return isSame; }"));
        await page.FillAsync("#find", "disab");
        await watched.WaitForAsync("() => document.querySelectorAll('#tiles > li:not([hidden])').length === 1");
        Assert.Empty(await watched.FindAxeIssuesAsync());

        // Its page says the same, and offers nothing that cannot be done.
        await page.ClickAsync("[data-key=b] h3 a");
        await watched.WaitForAsync("() => document.querySelector('#state')?.textContent === 'Disabled' && document.querySelector('#settings-text').textContent.includes('enabled: false')");
        Assert.Equal("disabled in the configuration", await page.Locator("#reason").InnerTextAsync());
        Assert.True(await page.Locator("#restart").IsHiddenAsync());
        Assert.True(await page.Locator("#figure").IsHiddenAsync());
        Assert.True(await page.Locator("#remove").IsHiddenAsync());
        Assert.Empty(await watched.FindAxeIssuesAsync());

        // It is enabled: its pictures come without anybody who asks the page for anything.
        daemon.Daemon.Write($"web: 127.0.0.1:{daemon.Port}\ncameras:\n  b: {{source: \"test:nv12@320x180@5\"}}\n{Others}");
        daemon.Daemon.Signal(1);
        await watched.WaitForAsync("() => document.querySelector('#state').textContent === 'Live' && document.querySelector('#picture').naturalWidth === 320 && !document.querySelector('#restart').hidden");
        Assert.Empty(await TroublesAsync(watched));
    }

    [Fact]
    public async Task The_last_hour_is_plotted_and_told_in_numbers()
    {
        using WebDaemon daemon = new(WebDaemon.Cameras(2));
        await using WatchedPage watched = await browser.OpenAsync();
        IPage page = watched.Page;
        await page.GotoAsync(daemon.Url);

        // Two samples make a line; the rate of both cameras together is 3 and 4 frames per second.
        await watched.WaitForAsync("() => /L/.test(document.querySelector('#plots .line').getAttribute('d')) && Math.abs(parseFloat(document.querySelector('#plots .value').textContent) - 7) < 1");
        string told = await page.Locator("#plots svg").First.GetAttributeAsync("aria-label") ?? "";
        Assert.Matches("^Frames per second, the last hour: now [678][.0-9]*\\. Lowest [0-9.]+, highest [678][0-9.]*\\.$", told);
        await page.ClickAsync("#plots details summary");
        Assert.Matches("^[678][0-9.]*$", await page.Locator("#plots details tbody td").First.InnerTextAsync());
        Assert.Empty(await TroublesAsync(watched));
    }

    [Fact]
    public async Task The_page_says_when_the_daemon_is_gone_and_goes_on_with_the_next_one()
    {
        using WebDaemon daemon = new(WebDaemon.Cameras(3));
        await using WatchedPage watched = await browser.OpenAsync();
        IPage page = watched.Page;
        await page.GotoAsync(daemon.Url);
        await watched.WaitForAsync("() => document.querySelectorAll('#tiles > li [data-state=live]').length === 3 && document.querySelector('#connection').textContent === 'Connected'");

        // What is announced is replaced by the next some seconds later: all of it is kept.
        await page.EvaluateAsync(
            """
            () => {
              window.isTheSamePage = true;
              window.heard = [];
              const region = document.querySelector('#announce');
              new MutationObserver(() => heard.push(region.textContent)).observe(region, { childList: true, characterData: true, subtree: true });
            }
            """);
        Assert.Empty(await TroublesAsync(watched));
        daemon.Daemon.End(9);
        await watched.WaitForAsync("() => !document.querySelector('#banner').hidden && document.querySelector('#banner').textContent.includes('does not answer') && document.querySelector('#connection').textContent === 'Not connected'");
        daemon.Daemon.Write($"web: 127.0.0.1:{daemon.Port}\n{WebDaemon.Cameras(4)}");
        daemon.Daemon.Start();
        await watched.WaitForAsync("() => document.querySelector('#banner').hidden && document.querySelectorAll('#tiles > li [data-state=live]').length === 4");
        await watched.WaitForAsync("() => document.querySelector('[data-key=c03] img').naturalWidth === 320");
        await watched.WaitForAsync("() => heard.some(text => text.includes('The daemon is there again.'))");
        Assert.True(await page.EvaluateAsync<bool>("() => window.isTheSamePage === true"));

        // Nothing but that it could not be reached meanwhile.
        Assert.DoesNotContain(watched.TakeTroubles(), trouble => !trouble.Contains("ERR_", StringComparison.Ordinal));
    }

    private static PeerProcess Subscribe(WebDaemon daemon, string key)
    {
        PeerProcess peer = PeerProcess.Start("subscriber", "--dir", daemon.Daemon.RuntimeDirectory, "--key", key);
        peer.Ask("open", "open");
        return peer;
    }

    private static Task<string> FigureAsync(IPage page, string name) => page.EvaluateAsync<string>(
        "name => [...document.querySelectorAll('#summary > div')].find(part => part.querySelector('dt').textContent === name).querySelector('.big').textContent", name);

    /// <summary>What went wrong, but for what Chromium writes to its console of an answer that the test wanted.</summary>
    private static async Task<List<string>> TroublesAsync(WatchedPage watched)
    {
        await watched.Page.EvaluateAsync("() => 0");
        return [.. watched.TakeTroubles().Where(trouble => !trouble.Contains("the server responded with a status of 400", StringComparison.Ordinal))];
    }
}
