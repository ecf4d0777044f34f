using CuFrames.Protocol;

namespace CuFrames.Native.Internal;

/// <summary>A caller's cuframes_event_callback, or none.</summary>
internal readonly unsafe struct EventCallback
{
    private const int MaxTextBytes = 2048;

    private readonly delegate* unmanaged[Cdecl]<nint, NativeEvent*, void> _function;
    private readonly nint _user;

    public EventCallback(delegate* unmanaged[Cdecl]<nint, NativeEvent*, void> function, nint user)
    {
        _function = function;
        _user = user;
    }

    /// <summary>Calls it, on this thread.</summary>
    public void Tell(uint kind, ErrorCode code, ulong epoch, ulong subscriberId, string text)
    {
        if (_function == null)
        {
            return;
        }

        byte* sentence = stackalloc byte[MaxTextBytes];
        NativeText.Copy(text, sentence, MaxTextBytes);
        NativeEvent happened = new()
        {
            Size = (uint)sizeof(NativeEvent),
            Kind = kind,
            Code = (uint)code,
            Epoch = epoch,
            SubscriberId = subscriberId,
            Text = sentence,
        };
        _function(_user, &happened);
    }
}
