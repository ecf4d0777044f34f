using CuFrames.Daemon.Internal.Access;
using Microsoft.AspNetCore.Http;

namespace CuFrames.Daemon.Internal.Web;

/// <summary>What the web server answers, and to whom. Outlives the servers, so that who has logged in stays so when the address changes.</summary>
/// <param name="access">Who may do what now. Any thread may call it.</param>
internal sealed class WebSite(Func<AccessControl> access)
{
    /// <summary>The routes. They are added before the first server is made.</summary>
    internal List<WebRoute> Routes { get; } = [];

    /// <summary>Who has logged in.</summary>
    internal WebSessions Sessions { get; } = new();

    /// <summary>Answers a browser that may not see a page: a form for a token, with the reason.</summary>
    internal Func<WebRequest, int, string, Task> SendLoginAsync { get; set; } = (request, status, reason) => request.SendAsync($"{reason}\n", status: status);

    /// <summary>Finds who asks: by a token, else by a login, else by the kernel's word.</summary>
    /// <exception cref="AccessException">Nobody knows who it is.</exception>
    internal Caller FindCaller(HttpContext context)
    {
        AccessControl now = access();
        string? token = Sessions.Find(context);
        if (token is not null && now.FindToken(token) is null)
        {
            // It was taken away. Pages that are still open would go on sending it, and their user would be taken for one who guesses.
            Sessions.End(context);
            token = null;
        }

        return now.Find(context, token);
    }

    /// <summary>Checks a token, and remembers it if it is one.</summary>
    /// <param name="context">The request; its answer gets the cookie.</param>
    /// <param name="token">The token.</param>
    /// <exception cref="AccessException">It is none.</exception>
    internal Caller LogIn(HttpContext context, string token)
    {
        Caller caller = access().Find(context, token);
        caller.Require(Permission.View, "see this daemon");
        Sessions.Begin(context, token);
        return caller;
    }
}
