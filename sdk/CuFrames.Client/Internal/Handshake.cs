using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;

namespace CuFrames.Client.Internal;

/// <summary>The subscriber's side of the handshake, for frames and for packets, and the checks of what comes with it.</summary>
internal static class Handshake
{
    /// <summary>Longest wait for a publisher's answer.</summary>
    public const int TimeoutMilliseconds = 5000;

    /// <summary>Seals without which a publisher's memory is not mapped.</summary>
    public const MemoryFileSeals ReadOnlySeals =
        MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink | MemoryFileSeals.FutureWrite;

    private const MemoryFileSeals PageSeals = MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink;

    /// <summary>Connects to a stream's socket.</summary>
    /// <param name="key">The key.</param>
    /// <param name="directory">The runtime directory.</param>
    /// <param name="fileName">Name of the socket, without its extension.</param>
    /// <exception cref="StreamUnavailableException">Nobody listens, or the socket cannot be reached.</exception>
    public static UnixSocket Connect(string key, string directory, string fileName)
    {
        string path = Path.Combine(directory, fileName + ".sock");
        try
        {
            return UnixSocket.Connect(path, TimeoutMilliseconds);
        }
        catch (LinuxException error)
        {
            throw error.Errno switch
            {
                Errno.ENOENT or Errno.ECONNREFUSED or Errno.ENOTDIR => new StreamUnavailableException(ErrorCode.StreamNotFound,
                    $"Nobody publishes stream '{key}' (no publisher listens at {path}). Start its publisher, or see 'cuframes ls' for the streams there are.", error),
                Errno.ETIMEDOUT => new StreamUnavailableException(ErrorCode.HandshakeTimeout,
                    $"The publisher of '{key}' accepts no connection. It is stopped or overloaded.", error),
                Errno.EACCES => new StreamUnavailableException(ErrorCode.AccessDenied,
                    $"Stream '{key}' cannot be reached: {error.Message}", error),
                _ => new StreamUnavailableException(ErrorCode.SystemCallFailed, $"Stream '{key}' cannot be reached: {error.Message}", error),
            };
        }
    }

    /// <summary>Sends HELLO and waits for the answer.</summary>
    /// <returns>The payload of WELCOME; its descriptors, two or none, are in the set.</returns>
    /// <exception cref="StreamUnavailableException">The publisher does not answer, hangs up or refuses.</exception>
    /// <exception cref="ProtocolException">The publisher breaks the protocol.</exception>
    /// <exception cref="OperationCanceledException">The wait was interrupted.</exception>
    public static ReadOnlySpan<byte> Greet(
        UnixSocket socket, string key, HelloMessage hello, DescriptorSet descriptors, Func<bool>? isInterrupted = null)
    {
        byte[] buffer = new byte[Wire.MaxMessageSize];

        // A publisher that refuses at once may have hung up before HELLO: its answer is there to be read all the same.
        _ = socket.Send(hello.Write(buffer), [], TimeoutMilliseconds);
        ReceiveResult result = ReceiveAnswer(socket, buffer, descriptors, isInterrupted);
        switch (result.Status)
        {
            case ReceiveStatus.WouldBlock:
                throw new StreamUnavailableException(ErrorCode.HandshakeTimeout,
                    $"The publisher of '{key}' did not answer within {TimeoutMilliseconds / 1000} s. It is stopped or overloaded.");
            case ReceiveStatus.PeerGone:
                throw new StreamUnavailableException(ErrorCode.Disconnected, $"The publisher of '{key}' hung up during the handshake.");
        }

        try
        {
            return ReadAnswer(result, buffer, key, hello, descriptors);
        }
        catch (ProtocolException error)
        {
            SayBye(socket, error.Code, error.Message);
            throw;
        }
    }

    /// <summary>Checks which version a WELCOME chooses.</summary>
    /// <exception cref="ProtocolException">One that was not offered.</exception>
    public static void RequireVersion(uint version)
    {
        if (version != Wire.Version)
        {
            throw new ProtocolException(ErrorCode.ProtocolError, $"WELCOME chooses version {version}, and {Wire.Version} was offered.");
        }
    }

    /// <summary>Checks and maps a subscriber's page.</summary>
    /// <exception cref="ProtocolException">CONTROL_BLOCK_INVALID.</exception>
    public static MemoryMapping MapPage(FileDescriptor file, ulong subscriberId)
    {
        RequireMemfd(file, PageSeals, SubscriberPageLayout.FileSize, ErrorCode.ControlBlockInvalid, "The subscriber's page");
        MemoryMapping mapping = MemoryMapping.Map(file, SubscriberPageLayout.FileSize, MappingAccess.ReadWrite, populate: true);
        try
        {
            RequirePage(mapping, subscriberId);
            return mapping;
        }
        catch
        {
            mapping.Dispose();
            throw;
        }
    }

    /// <summary>Checks the seals and the size of what a publisher sent, before it is mapped.</summary>
    /// <exception cref="ProtocolException">With the given code.</exception>
    public static void RequireMemfd(FileDescriptor file, MemoryFileSeals seals, long size, ErrorCode code, string what)
    {
        MemoryFileSeals found;
        try
        {
            found = file.GetSeals();
        }
        catch (LinuxException)
        {
            throw new ProtocolException(code, $"{what} is not a memfd.");
        }

        if ((found & seals) != seals)
        {
            throw new ProtocolException(code, $"{what} lacks the seals {seals & ~found}: its publisher could change or cut it under our hands.");
        }

        long length = file.Stat().Size;
        if (length < size)
        {
            throw new ProtocolException(code, $"{what} has {length} bytes; {size} are needed.");
        }
    }

    /// <summary>Closes a socket. With packets unread the kernel would reset the connection, and our BYE would not be read.</summary>
    public static void HangUp(UnixSocket socket)
    {
        socket.Shutdown();
        using DescriptorSet descriptors = new();
        Span<byte> packet = stackalloc byte[256];
        while (socket.Receive(packet, descriptors).Status is not (ReceiveStatus.PeerGone or ReceiveStatus.WouldBlock))
        {
        }

        socket.Dispose();
    }

    /// <summary>Says why a publisher is left.</summary>
    public static void SayBye(UnixSocket socket, ErrorCode code, string text)
    {
        byte[] buffer = new byte[2048];
        _ = socket.TrySendSmall(new RefuseMessage(code, text).WriteBye(buffer));
    }

    /// <summary>Waits for the publisher's answer, in slices in which an interruption is seen.</summary>
    /// <exception cref="OperationCanceledException">The wait was interrupted.</exception>
    private static ReceiveResult ReceiveAnswer(UnixSocket socket, byte[] buffer, DescriptorSet descriptors, Func<bool>? isInterrupted)
    {
        const int slice = 40;
        ReceiveResult result = default;
        for (int waited = 0; waited < TimeoutMilliseconds; waited += slice)
        {
            result = socket.Receive(buffer, descriptors, slice);
            if (result.Status != ReceiveStatus.WouldBlock)
            {
                break;
            }

            if (isInterrupted?.Invoke() == true)
            {
                throw new OperationCanceledException("The wait for a publisher's answer was interrupted.");
            }
        }

        return result;
    }

    private static ReadOnlySpan<byte> ReadAnswer(ReceiveResult result, byte[] buffer, string key, HelloMessage hello, DescriptorSet descriptors)
    {
        if (result.Status != ReceiveStatus.Received)
        {
            throw result.Status == ReceiveStatus.Truncated
                ? new ProtocolException(ErrorCode.ProtocolError, $"The answer of the publisher of '{key}' is longer than {Wire.MaxMessageSize} bytes.")
                : new ProtocolException(ErrorCode.DescriptorCount, $"The answer of the publisher of '{key}' carries too many descriptors.");
        }

        ReadOnlySpan<byte> packet = buffer.AsSpan(0, result.Length);
        MessageHeader header = MessageHeader.Read(packet);
        ReadOnlySpan<byte> payload = packet[MessageHeaderLayout.Size..];
        if (header.Type is not (MessageType.Welcome or MessageType.Refuse or MessageType.Bye))
        {
            throw new ProtocolException(ErrorCode.ProtocolError, $"The publisher of '{key}' answered {header.Type} instead of WELCOME.");
        }

        int expected = header.Type == MessageType.Welcome && !hello.IsProbe ? 2 : 0;
        if (descriptors.Count != expected)
        {
            throw new ProtocolException(ErrorCode.DescriptorCount, $"{header.Type} carries {descriptors.Count} descriptors instead of {expected}.");
        }

        if (header.Type == MessageType.Refuse)
        {
            RefuseMessage refuse = RefuseMessage.ReadRefuse(payload);
            throw new StreamUnavailableException(refuse.Code, $"The publisher of '{key}' refused: {refuse.Text}");
        }

        if (header.Version == Wire.Version && header.Type == MessageType.Bye)
        {
            RefuseMessage bye = RefuseMessage.Read(payload);
            throw new StreamUnavailableException(ErrorCode.Disconnected, $"The publisher of '{key}' left during the handshake. {bye.Text}");
        }

        if (header.Type != MessageType.Welcome || header.Version != Wire.Version)
        {
            throw new ProtocolException(ErrorCode.ProtocolError,
                $"The publisher of '{key}' answered {header.Type} of version {header.Version} instead of WELCOME of version {Wire.Version}.");
        }

        return payload;
    }

    private static unsafe void RequirePage(MemoryMapping mapping, ulong subscriberId)
    {
        SubscriberPage page = new(mapping.Pointer);
        if (page.Magic != Wire.SubscriberPageMagic || page.SubscriberId != subscriberId)
        {
            throw new ProtocolException(ErrorCode.ControlBlockInvalid, "The subscriber's page has a wrong magic or another subscriber's id.");
        }
    }
}
