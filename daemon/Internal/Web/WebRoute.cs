using CuFrames.Daemon.Internal.Access;

namespace CuFrames.Daemon.Internal.Web;

/// <summary>Something that the web server answers.</summary>
/// <param name="Method">GET or POST. A POST changes something: it needs JSON and a page of this server, or no browser.</param>
/// <param name="Pattern">Path, such as <c>/health/cameras/{key}</c>: a part in braces stands for one segment, which <see cref="WebRequest.Parameter"/> gives.</param>
/// <param name="Needed">What the caller must be permitted to do. <see cref="Permission.None"/>: everybody who can connect gets the answer.</param>
/// <param name="Answer">Answers. It may throw <see cref="WebException"/>, and ends when <see cref="WebRequest.Gone"/> says so.</param>
internal sealed record WebRoute(string Method, string Pattern, Permission Needed, Func<WebRequest, Task> Answer)
{
    private readonly string[] _segments = Pattern.Split('/');

    /// <summary>Whether the configuration wants it.</summary>
    internal Func<WebConfiguration, bool> IsServed { get; init; } = _ => true;

    /// <summary>Whether a path is one of this route.</summary>
    /// <param name="path">The path, decoded.</param>
    /// <param name="parameter">What stands in the place of the pattern's braces; empty: it has none.</param>
    internal bool Matches(string path, out string parameter)
    {
        parameter = "";
        string[] given = path.Split('/');
        if (given.Length != _segments.Length)
        {
            return false;
        }

        for (int i = 0; i < given.Length; i++)
        {
            if (_segments[i].StartsWith('{'))
            {
                parameter = given[i];
            }
            else if (_segments[i] != given[i])
            {
                return false;
            }
        }

        return true;
    }
}
