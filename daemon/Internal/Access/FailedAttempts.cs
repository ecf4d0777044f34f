using System.Net;
using CuFrames.Interop;

namespace CuFrames.Daemon.Internal.Access;

/// <summary>
/// Counts wrong tokens for each place that they come from: a user of this machine, an address of another (of IPv6 its network of 64 bits). Each place may fail
/// <see cref="Burst"/> times, and once more in each <see cref="Pause"/>; after that no token from there is looked at. Any thread.
/// </summary>
internal sealed class FailedAttempts
{
    /// <summary>Wrong tokens that a place may send at once.</summary>
    internal const int Burst = 10;

    /// <summary>Places that are counted apart; what comes from more of them is counted together.</summary>
    private const int MaxPlaces = 4096;

    /// <summary>After that long without one, one more wrong token is looked at.</summary>
    internal static readonly TimeSpan Pause = TimeSpan.FromSeconds(6);

    private readonly Lock _gate = new();

    // For each place the moment when nothing is counted any more, CLOCK_MONOTONIC nanoseconds. Under the gate.
    private readonly Dictionary<string, long> _forgottenAt = [];
    private readonly Func<long> _now;

    /// <summary>Begins with nothing.</summary>
    /// <param name="now">The clock, CLOCK_MONOTONIC in nanoseconds; null: the kernel's.</param>
    internal FailedAttempts(Func<long>? now = null) => _now = now ?? (() => MonotonicClock.NowNanoseconds);

    private static long Step => Pause.Ticks * 100;

    /// <summary>The name of the place that a connection comes from.</summary>
    /// <param name="peer">The kernel's word, where there is one: users of one machine must not lock each other out.</param>
    /// <param name="address">The other end's address; null: a Unix socket.</param>
    internal static string PlaceOf(PeerCredentials? peer, IPAddress? address)
    {
        if (peer is not null)
        {
            return $"user {peer.UserId}";
        }

        if (address is { IsIPv4MappedToIPv6: true })
        {
            address = address.MapToIPv4();
        }

        return address is { AddressFamily: System.Net.Sockets.AddressFamily.InterNetworkV6 }
            ? Convert.ToHexString(address.GetAddressBytes().AsSpan(0, 8))
            : $"{address}";
    }

    /// <summary>Whether tokens from a place are looked at now.</summary>
    internal bool MayTry(string place)
    {
        lock (_gate)
        {
            long now = _now();
            return !_forgottenAt.TryGetValue(KeyOf(place, now), out long until) || until - now <= (Burst - 1) * Step;
        }
    }

    /// <summary>Counts a wrong token.</summary>
    internal void Add(string place)
    {
        lock (_gate)
        {
            long now = _now();
            string key = KeyOf(place, now);
            _forgottenAt[key] = Math.Max(now, _forgottenAt.GetValueOrDefault(key)) + Step;
        }
    }

    private string KeyOf(string place, long now)
    {
        if (_forgottenAt.ContainsKey(place) || _forgottenAt.Count < MaxPlaces)
        {
            return place;
        }

        foreach ((string key, long until) in _forgottenAt)
        {
            if (until <= now)
            {
                _forgottenAt.Remove(key);
            }
        }

        return _forgottenAt.Count < MaxPlaces ? place : "";
    }
}
