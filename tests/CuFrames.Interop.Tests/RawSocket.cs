using CuFrames.Interop.Internal;
using Xunit;

namespace CuFrames.Interop.Tests;

/// <summary>Packets that <see cref="UnixSocket"/> would not send.</summary>
internal static unsafe class RawSocket
{
    /// <summary>
    /// Sends a packet with any number of descriptors, in one control message for each array; false if the kernel
    /// refuses.
    /// </summary>
    internal static bool Send(UnixSocket socket, ReadOnlySpan<byte> payload, params FileDescriptor[][] groups)
    {
        int size = groups.Sum(group => 16 + (((group.Length * sizeof(int)) + 7) & ~7));
        byte[] control = new byte[size];
        int position = 0;
        foreach (FileDescriptor[] group in groups)
        {
            BitConverter.TryWriteBytes(control.AsSpan(position), (long)(16 + (group.Length * sizeof(int))));
            BitConverter.TryWriteBytes(control.AsSpan(position + 8), LibC.SOL_SOCKET);
            BitConverter.TryWriteBytes(control.AsSpan(position + 12), LibC.SCM_RIGHTS);
            for (int i = 0; i < group.Length; i++)
            {
                BitConverter.TryWriteBytes(control.AsSpan(position + 16 + (i * sizeof(int))), group[i].Number);
            }

            position += 16 + (((group.Length * sizeof(int)) + 7) & ~7);
        }

        fixed (byte* bytes = payload, controlBytes = control)
        {
            var vector = new LibC.IoVector { Base = bytes, Length = (nuint)payload.Length };
            var message = new LibC.MessageHeader
            {
                Vectors = &vector,
                VectorCount = 1,
                Control = controlBytes,
                ControlLength = (nuint)size,
            };
            nint sent = LibC.SendMessage(socket.Descriptor, &message, LibC.MSG_NOSIGNAL | LibC.MSG_DONTWAIT);
            Assert.True(sent == payload.Length || sent < 0);
            return sent >= 0;
        }
    }
}
