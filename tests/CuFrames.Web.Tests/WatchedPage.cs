using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.Playwright;

namespace CuFrames.Web.Tests;

/// <summary>A page of which every message of the console, every error and every request that failed is kept.</summary>
internal sealed class WatchedPage : IAsyncDisposable
{
    private static readonly string Axe = LoadAxe();

    private readonly IBrowserContext _context;
    private readonly ConcurrentQueue<string> _troubles = [];

    public WatchedPage(IBrowserContext context, IPage page)
    {
        (_context, Page) = (context, page);
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
            {
                _troubles.Enqueue($"console {message.Type}: {message.Text}");
            }
        };
        page.PageError += (_, error) => _troubles.Enqueue($"error: {error}");
        page.RequestFailed += (_, request) =>
        {
            // The page itself ends its request for pictures when others come into view, and leaving a page ends its streams.
            if (request.Failure != "net::ERR_ABORTED" || !(request.Url.EndsWith("/tiles", StringComparison.Ordinal) || request.Url.Contains("/events/stream", StringComparison.Ordinal)))
            {
                _troubles.Enqueue($"request failed: {request.Method} {request.Url} {request.Failure}");
            }
        };
        page.Response += (_, response) =>
        {
            if (response.Status >= 400)
            {
                _troubles.Enqueue($"status {response.Status}: {response.Request.Method} {response.Url}");
            }
        };
    }

    public IPage Page { get; }

    /// <summary>What went wrong until now; the list begins anew.</summary>
    public IReadOnlyList<string> TakeTroubles()
    {
        List<string> taken = [];
        while (_troubles.TryDequeue(out string? trouble))
        {
            taken.Add(trouble);
        }

        return taken;
    }

    /// <summary>
    /// Waits until an expression of JavaScript holds, in whichever document the page shows by then: what leads to another document is waited for like this
    /// too, and not as an event, which may have come before it is waited for.
    /// </summary>
    public async Task WaitForAsync(string expression)
    {
        try
        {
            await Page.WaitForFunctionAsync(expression, null, new PageWaitForFunctionOptions { Timeout = Browser.Patience });
        }
        catch (TimeoutException error)
        {
            throw new TimeoutException($"{expression}\n{Page.Url}\n{await Page.Locator("body").InnerTextAsync()}\n{string.Join('\n', _troubles)}", error);
        }
    }

    /// <summary>Serious and critical findings of axe-core, as text.</summary>
    public async Task<IReadOnlyList<string>> FindAxeIssuesAsync()
    {
        await Page.EvaluateAsync(Axe);
        JsonElement result = await Page.EvaluateAsync<JsonElement>("async () => await axe.run(document, { resultTypes: ['violations'] })");
        List<string> issues = [];
        foreach (JsonElement violation in result.GetProperty("violations").EnumerateArray())
        {
            if (violation.GetProperty("impact").GetString() is "serious" or "critical")
            {
                foreach (JsonElement node in violation.GetProperty("nodes").EnumerateArray())
                {
                    issues.Add($"{violation.GetProperty("id")} ({violation.GetProperty("impact")}): {node.GetProperty("html")}\n  {node.GetProperty("failureSummary")}");
                }
            }
        }

        // It has looked at something, else it proves nothing.
        Assert.True(await Page.EvaluateAsync<int>("async () => (await axe.run(document)).passes.length") > 10);
        return issues;
    }

    /// <summary>Checks that the page is no wider than its window, and that nothing sticks out of it.</summary>
    public async Task AssertNoSidewaysScrollingAsync()
    {
        Assert.Empty(await Page.EvaluateAsync<string[]>(
                """
                () => {
                  const width = document.documentElement.clientWidth;
                  const found = document.documentElement.scrollWidth > width ? [`page ${document.documentElement.scrollWidth}`] : [];
                  for (const element of document.querySelectorAll('body *')) {
                    const box = element.getBoundingClientRect();
                    if (box.width > 1 && box.right > width + 0.5 && getComputedStyle(element).visibility !== 'hidden' && !element.closest('svg, .skip')) {
                      found.push(`${element.tagName} ${element.id} ${element.className} to ${box.right}`);
                    }
                  }
                  return found;
                }
                """));
    }

    public async ValueTask DisposeAsync() => await _context.DisposeAsync();

    private static string LoadAxe()
    {
        using Stream stream = typeof(Deque.AxeCore.Commons.AxeRunOptions).Assembly.GetManifestResourceStream("Deque.AxeCore.Commons.Resources.axe.min.js")!;
        using StreamReader reader = new(stream);
        return reader.ReadToEnd();
    }
}
