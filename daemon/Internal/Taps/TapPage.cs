using System.Globalization;
using System.Net;
using System.Text;

namespace CuFrames.Daemon.Internal.Taps;

/// <summary>The list of taps as a page.</summary>
internal static class TapPage
{
    private const string Head =
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <title>CuFrames taps</title>
        <style>
        body { font-family: sans-serif; margin: 2em; color: #222; background: #fff; }
        h2 { margin: 1.5em 0 0.2em; }
        p { margin: 0.2em 0 0.6em; color: #555; }
        table { border-collapse: collapse; }
        td { padding: 0.25em 1.5em 0.25em 0; vertical-align: top; }
        code { white-space: nowrap; }
        </style>
        </head>
        <body>
        <h1>CuFrames taps</h1>

        """;

    /// <summary>Makes the page.</summary>
    internal static string Of(IReadOnlyList<TapListing> streams)
    {
        StringBuilder page = new(Head);
        if (streams.Count == 0)
        {
            page.Append("<p>No stream is published now.</p>\n");
        }

        foreach (TapListing stream in streams)
        {
            string rate = stream.FrameRate is { } value ? string.Create(CultureInfo.InvariantCulture, $", {value} frames per second") : "";
            string format = stream.PixelFormat is null ? "format not known until its first frame" : $"{stream.PixelFormat} {stream.Width}x{stream.Height}{rate}";
            page.Append(CultureInfo.InvariantCulture, $"<h2>{Text(stream.Key)}</h2>\n<p>{Text(format)}. {Text(stream.State)}</p>\n<table>\n");
            foreach (TapListing.Tap tap in stream.Taps)
            {
                page.Append(CultureInfo.InvariantCulture, $"<tr><td><a href=\"{Text(tap.Url)}\">{Text(tap.Kind)}</a></td><td><code>{Text(tap.Ffmpeg)}</code></td></tr>\n");
            }

            page.Append("</table>\n");
        }

        return page.Append("</body>\n</html>\n").ToString();
    }

    private static string Text(string text) => WebUtility.HtmlEncode(text);
}
