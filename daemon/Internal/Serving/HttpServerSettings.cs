using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace CuFrames.Daemon.Internal.Serving;

/// <summary>What differs between the daemon's servers. Immutable.</summary>
internal sealed record HttpServerSettings
{
    /// <summary>What it is, for people: "the web server".</summary>
    internal required string Name { get; init; }

    /// <summary>Names the address, and how it is listened to. Called before each attempt; what it throws counts as an address that cannot be used.</summary>
    internal required Action<KestrelServerOptions> Listen { get; init; }

    /// <summary>Takes the connections; null: Kestrel does, by TCP.</summary>
    internal IConnectionListenerFactory? Transport { get; init; }

    /// <summary>Answers a request, until it is told that the server ends.</summary>
    internal required Func<HttpContext, CancellationToken, Task> Answer { get; init; }

    /// <summary>Logged when it serves.</summary>
    internal required LogEvent Ready { get; init; }

    /// <summary>Says where it serves what.</summary>
    internal required string ReadyText { get; init; }

    /// <summary>Logged when it cannot serve, once for each reason.</summary>
    internal required LogEvent Unavailable { get; init; }

    /// <summary>Says that it cannot be served where, without an end: the reason follows.</summary>
    internal required string UnavailableText { get; init; }

    /// <summary>What else can be done, after "Tried again every 2 s".</summary>
    internal string Advice { get; init; } = "";

    /// <summary>Connections at once; null: something else limits them.</summary>
    internal required long? MaxConnections { get; init; }

    /// <summary>Requests at once of one connection of HTTP/2.</summary>
    internal int MaxStreamsPerConnection { get; init; } = 32;

    /// <summary>Longest content of a request, in bytes.</summary>
    internal required long MaxBody { get; init; }

    /// <summary>Time after which a connection without a request is closed.</summary>
    internal required TimeSpan IdleTime { get; init; }

    /// <summary>Whether who takes nothing of an answer for some seconds is cut off. False where an answer may have nothing to say for hours, or something else finds that out.</summary>
    internal required bool CutsSlowReaders { get; init; }
}
