using CuFrames.Protocol;

namespace CuFrames.Media;

/// <summary>State of a camera and why. Immutable; holds no secret.</summary>
/// <param name="State">The state.</param>
/// <param name="Reason">A sentence for people: what happened and what to do; what is converted while live.</param>
/// <param name="Code">Stable code of the error; <see cref="ErrorCode.None"/> if there is none.</param>
/// <param name="Error">What went wrong with the source; null if nothing did, or if it was not the source.</param>
/// <param name="Since">When the state, with <see cref="IsIdle"/>, was entered, CLOCK_MONOTONIC in nanoseconds. A new reason or attempt does not change it.</param>
/// <param name="Info">What was found when the source was last opened; null before.</param>
/// <param name="RetryDelay">With <see cref="CameraState.SourceLost"/>: time until the next attempt. Else zero.</param>
public sealed record CameraStatus(
    CameraState State,
    string Reason,
    ErrorCode Code,
    MediaError? Error,
    long Since,
    MediaInfo? Info,
    TimeSpan RetryDelay)
{
    /// <summary>Whether nothing is decoded because nobody reads; the state is <see cref="CameraState.Live"/> then.</summary>
    public bool IsIdle { get; init; }
}
