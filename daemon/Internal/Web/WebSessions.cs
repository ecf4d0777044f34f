using System.Buffers.Text;
using System.Security.Cryptography;
using CuFrames.Interop;
using Microsoft.AspNetCore.Http;

namespace CuFrames.Daemon.Internal.Web;

/// <summary>
/// Who has logged in with a token. A browser has a random number in a cookie; the token stays here, in memory, and is looked at anew with each request:
/// one that was taken away is worth nothing at once. Any thread.
/// </summary>
internal sealed class WebSessions
{
    /// <summary>Name of the cookie.</summary>
    internal const string Cookie = "cuframes";

    /// <summary>The oldest goes when there are more.</summary>
    private const int Most = 256;

    private const int NumberBytes = 32;

    /// <summary>Time after which a login is needed again.</summary>
    private static readonly TimeSpan Life = TimeSpan.FromHours(12);

    private readonly Lock _gate = new();

    /// <summary>By number. Under the gate.</summary>
    private readonly Dictionary<string, (string Token, string Place, DateTime Until)> _sessions = [];

    /// <summary>Begins a session.</summary>
    /// <param name="context">The request; its answer gets the cookie.</param>
    /// <param name="token">The token, which was looked at.</param>
    internal void Begin(HttpContext context, string token)
    {
        string number = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(NumberBytes));
        DateTime now = DateTime.UtcNow;
        lock (_gate)
        {
            foreach ((string old, (_, _, DateTime until)) in _sessions)
            {
                if (until <= now)
                {
                    _sessions.Remove(old);
                }
            }

            if (_sessions.Count >= Most)
            {
                _sessions.Remove(_sessions.MinBy(session => session.Value.Until).Key);
            }

            _sessions.Add(number, (token, PlaceOf(context), now + Life));
        }

        context.Response.Cookies.Append(Cookie, number, Options(context, Life));
    }

    /// <summary>The token that the sender of a request has logged in with.</summary>
    /// <returns>Null: he has not, or it is long ago.</returns>
    internal string? Find(HttpContext context)
    {
        if (context.Request.Cookies[Cookie] is not { Length: > 0 } number)
        {
            return null;
        }

        lock (_gate)
        {
            // Browsers send a cookie to every port of a host. Who came by it there, as another user of this machine, has no use of it.
            return _sessions.TryGetValue(number, out (string Token, string Place, DateTime Until) session) && session.Until > DateTime.UtcNow && session.Place == PlaceOf(context)
                ? session.Token
                : null;
        }
    }

    /// <summary>Ends the session of whoever sent a request.</summary>
    internal void End(HttpContext context)
    {
        lock (_gate)
        {
            _sessions.Remove(context.Request.Cookies[Cookie] ?? "");
        }

        context.Response.Cookies.Delete(Cookie, Options(context, TimeSpan.Zero));
    }

    private static string PlaceOf(HttpContext context) =>
        context.Features.Get<PeerCredentials>() is { } peer ? $"user {peer.UserId}" : "another machine";

    private static CookieOptions Options(HttpContext context, TimeSpan life) =>
        new() { HttpOnly = true, SameSite = SameSiteMode.Strict, Secure = context.Request.IsHttps, Path = "/", MaxAge = life };
}
