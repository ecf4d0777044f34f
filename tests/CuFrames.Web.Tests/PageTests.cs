using Microsoft.Playwright;
using Xunit;

namespace CuFrames.Web.Tests;

/// <summary>The pages are usable: on a small screen, in both colours, by keyboard and for screen readers.</summary>
public sealed class PageTests(Browser browser)
{
    /// <summary>One camera that is live, one that is lost, and one with the longest name.</summary>
    private const string Cameras =
        """
        cameras:
          front: {source: "test:nv12@320x180@5", renditions: {small: {size: 160x90}}}
          lost: {source: /nowhere/clip.mp4}
          a-camera-with-the-longest-name-that-there-may-be-in-any-daemon-x: {source: "test:nv12@64x64@5"}
        """;

    private const string Ready =
        "() => document.querySelectorAll('#tiles > li').length === 3 && document.querySelector('[data-key=front] .state').textContent === 'Live' && document.querySelector('[data-key=lost] .state').textContent === 'Source lost' && document.querySelectorAll('#reader-table tbody tr').length === 1";

    private const string CameraReady =
        "() => document.querySelector('#state').textContent === 'Live' && document.querySelector('#picture').naturalWidth > 0 && document.querySelectorAll('#reader-table tbody tr').length === 1";

    [Theory]
    [InlineData(1280, ColorScheme.Light)]
    [InlineData(1280, ColorScheme.Dark)]
    [InlineData(360, ColorScheme.Light)]
    [InlineData(360, ColorScheme.Dark)]
    public async Task Axe_finds_no_serious_issue_and_nothing_sticks_out(int width, ColorScheme scheme)
    {
        using WebDaemon daemon = new(Cameras);
        using Readers readers = new();
        readers.Add(daemon.Daemon, "front");
        await using WatchedPage watched = await browser.OpenAsync(width, 800, scheme);
        IPage page = watched.Page;
        await page.GotoAsync(daemon.Url);
        await watched.WaitForAsync(Ready);
        Assert.Empty(await watched.FindAxeIssuesAsync());
        await watched.AssertNoSidewaysScrollingAsync();
        await page.ClickAsync("#add");
        Assert.Empty(await watched.FindAxeIssuesAsync());
        await watched.AssertNoSidewaysScrollingAsync();
        await page.GotoAsync($"{daemon.Url}/cameras/front");
        await watched.WaitForAsync(CameraReady);
        await page.ClickAsync("#plots details summary");
        Assert.Empty(await watched.FindAxeIssuesAsync());
        await watched.AssertNoSidewaysScrollingAsync();
        await page.ClickAsync("#restart");
        Assert.Empty(await watched.FindAxeIssuesAsync());
        await page.GotoAsync($"{daemon.Url}/login");
        Assert.Empty(await watched.FindAxeIssuesAsync());
        await watched.AssertNoSidewaysScrollingAsync();
        Assert.Empty(watched.TakeTroubles());
    }

    [Fact]
    public async Task Everything_works_by_keyboard_alone()
    {
        using WebDaemon daemon = new(Cameras);
        using Readers readers = new();
        readers.Add(daemon.Daemon, "front");
        await using WatchedPage watched = await browser.OpenAsync();
        IPage page = watched.Page;
        await page.GotoAsync(daemon.Url);
        await watched.WaitForAsync(Ready);

        // The first stop leads past the bar.
        await page.Keyboard.PressAsync("Tab");
        Assert.Equal("Skip to the cameras", await FocusedAsync(page));
        await page.Keyboard.PressAsync("Enter");

        // Every stop is seen, none is a trap, and all that can be done can be reached.
        List<string> stops = [];
        for (int i = 0; i < 60; i++)
        {
            await page.Keyboard.PressAsync("Tab");
            if (await page.EvaluateAsync<bool>("() => document.activeElement === document.body"))
            {
                break;
            }

            stops.Add(await FocusedAsync(page));
            Assert.True(await page.EvaluateAsync<bool>(
                """
                () => {
                  const element = document.activeElement.closest('.tile') ?? document.activeElement;
                  const style = getComputedStyle(element);
                  return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
                }
                """), $"{stops[^1]} has the focus and does not show it");
        }

        Assert.Equal(
            ["name or state", "Add a camera", "front", "lost", "a-camera-with-the-longest-name-that-there-may-be-in-any-daemon-x", "stream, program, user", "Evict"],
            stops.Take(7));
        Assert.Contains("Numbers", stops);

        // A dialog takes the focus, keeps it, and gives it back.
        await page.FocusAsync("#add");
        await page.Keyboard.PressAsync("Enter");
        Assert.Equal("add-key", await page.EvaluateAsync<string>("() => document.activeElement.id"));
        for (int i = 0; i < 10; i++)
        {
            await page.Keyboard.PressAsync("Tab");
            Assert.True(await page.EvaluateAsync<bool>("() => document.activeElement === document.body || document.activeElement.closest('#add-dialog') !== null"));
        }

        await page.Keyboard.PressAsync("Escape");
        Assert.Equal("add", await page.EvaluateAsync<string>("() => document.activeElement.id"));

        // A reader is evicted, with a question before it.
        await page.FocusAsync("#reader-table button");
        await page.Keyboard.PressAsync("Space");
        await watched.WaitForAsync("() => document.querySelector('#confirm').open");
        await page.Keyboard.PressAsync("Escape");
        await watched.WaitForAsync("() => !document.querySelector('#confirm').open && document.activeElement.textContent === 'Evict'");
        await page.Keyboard.PressAsync("Enter");
        await page.Keyboard.PressAsync("Tab");
        await page.Keyboard.PressAsync("Enter");
        daemon.Daemon.WaitForLog("[402 reader-evicted] front");

        // A camera's page, its stream, and back.
        await page.FocusAsync("[data-key=front] h3 a");
        await page.Keyboard.PressAsync("Enter");
        await watched.WaitForAsync("() => document.querySelector('#picture')?.naturalWidth === 320");
        await page.FocusAsync("#stream");
        await page.Keyboard.PressAsync("ArrowDown");
        await watched.WaitForAsync("() => document.querySelector('#picture').naturalWidth === 160");
        Assert.Empty(watched.TakeTroubles());
    }

    [Fact]
    public async Task Screen_readers_hear_changes_and_no_figures()
    {
        using WebDaemon daemon = new(Cameras);

        // A camera that comes while the page is open is announced, some seconds later.
        daemon.Daemon.WaitForLog("[301 camera-live] front: ");
        daemon.Daemon.WaitForLog("[301 camera-live] a-camera");
        daemon.Daemon.WaitForLog("[302 camera-lost] lost: ");
        await using WatchedPage watched = await browser.OpenAsync();
        IPage page = watched.Page;
        await page.GotoAsync(daemon.Url);
        await watched.WaitForAsync("() => document.querySelector('[data-key=front] .state')?.textContent === 'Live'");
        await page.EvaluateAsync(
            """
            () => {
              window.heard = [];
              for (const region of document.querySelectorAll('[aria-live], [role=status], [role=alert], output')) {
                new MutationObserver(() => heard.push(`${region.id || region.className}: ${region.textContent}`)).observe(region, { childList: true, characterData: true, subtree: true });
              }
            }
            """);

        // Figures change each second meanwhile.
        await page.EvaluateAsync("() => { window.firstRate = document.querySelector('#status').textContent; }");
        await watched.WaitForAsync("() => document.querySelector('#status').textContent !== window.firstRate");
        Assert.Empty(await page.EvaluateAsync<string[]>("() => heard.filter(text => text.startsWith('announce'))"));
        daemon.Daemon.Write($"web: 127.0.0.1:{daemon.Port}\n{Cameras.Replace("/nowhere/clip.mp4", "\"test:nv12@64x64@5\"", StringComparison.Ordinal)}");
        await watched.WaitForAsync("() => heard.some(text => text.includes('lost: Live.'))");
        Assert.Equal(1, await page.EvaluateAsync<int>("() => document.querySelectorAll('main').length"));
        Assert.Empty(watched.TakeTroubles());
    }

    [Fact]
    public async Task Nothing_moves_for_those_who_do_not_want_it_and_pictures_can_be_paused()
    {
        using WebDaemon daemon = new(Cameras);
        await using WatchedPage watched = await browser.OpenAsync();
        IPage page = watched.Page;
        await page.EmulateMediaAsync(new PageEmulateMediaOptions { ReducedMotion = ReducedMotion.Reduce });
        await page.GotoAsync(daemon.Url);
        await watched.WaitForAsync("() => document.querySelector('[data-key=front] img')?.naturalWidth > 0");
        Assert.Empty(await page.EvaluateAsync<string[]>("() => [...document.querySelectorAll('*')].filter(element => { const style = getComputedStyle(element); return style.animationName !== 'none' || parseFloat(style.transitionDuration) > 0; }).map(element => element.tagName)"));
        await page.ClickAsync("#pause");
        WebDaemon.WaitUntil(() => ReadersOf(daemon, "front@tile") == 0, () => daemon.Daemon.LogText);
        await page.ClickAsync("#pause");
        WebDaemon.WaitUntil(() => ReadersOf(daemon, "front@tile") == 1, () => daemon.Daemon.LogText);
        Assert.Empty(watched.TakeTroubles());
    }

    internal static int ReadersOf(WebDaemon daemon, string stream) => daemon.Daemon.Log.Count(line => line.Contains($"[400 reader-joined] {stream}:", StringComparison.Ordinal)) -
        daemon.Daemon.Log.Count(line => line.Contains($"[401 reader-left] {stream}:", StringComparison.Ordinal));

    private static Task<string> FocusedAsync(IPage page) => page.EvaluateAsync<string>("() => document.activeElement.textContent.trim() || document.activeElement.placeholder || document.activeElement.id");
}
