using System.Runtime.InteropServices;

namespace CuFrames.Cli.Internal;

/// <summary>Turns SIGINT, SIGTERM and SIGHUP into a token, so that commands end in order and print their summary.</summary>
internal sealed class Interruption : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _registrations;

    public Interruption() => _registrations =
    [
        PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal),
        PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal),
        PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnSignal),
    ];

    public CancellationToken Token => _source.Token;

    /// <summary>Ends the command as a signal does.</summary>
    public void End() => _source.Cancel();

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
        {
            registration.Dispose();
        }

        _source.Dispose();
    }

    private void OnSignal(PosixSignalContext context)
    {
        // A second signal ends the process as usual.
        context.Cancel = !_source.IsCancellationRequested;
        _source.Cancel();
    }
}
