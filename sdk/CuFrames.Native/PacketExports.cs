using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CuFrames.Native.Internal;
using CuFrames.Protocol;

namespace CuFrames.Native;

/// <summary>Packets that were taken: the twins of cuframes_packet_*, which include/cuframes.h describes.</summary>
internal static unsafe class PacketExports
{
    [UnmanagedCallersOnly(EntryPoint = "managed_packet_get_track", CallConvs = [typeof(CallConvCdecl)])]
    public static int GetTrack(NativePacket* packet, NativePacketTrack* track)
    {
        try
        {
            if (PacketRing.Of(packet).FindSet(packet->Track, packet->Parameters) is not { } set)
            {
                return Failure.Because(ErrorCode.PacketLost, $"Parameter set {packet->Parameters} of track {packet->Track} is not there any more: newer ones have come.");
            }

            PacketTracks.Write(track, set.Track, set.Number, set.Parameters);
            return Failure.Ok;
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_packet_check", CallConvs = [typeof(CallConvCdecl)])]
    public static int Check(NativePacket* packet)
    {
        try
        {
            return PacketRing.Of(packet).IsThere(packet->Sequence) ? Failure.Ok : Lost();
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_packet_copy", CallConvs = [typeof(CallConvCdecl)])]
    public static int Copy(NativePacket* packet, byte* destination, nuint size)
    {
        try
        {
            PacketRing ring = PacketRing.Of(packet);
            if (packet->DataSize == 0)
            {
                return ring.IsThere(packet->Sequence) ? Failure.Ok : Lost();
            }

            if (destination == null || size < packet->DataSize)
            {
                return Failure.Because(LibraryError.InvalidArgument,
                    $"The packet has {packet->DataSize} bytes and the destination {(destination == null ? 0 : size)}.");
            }

            return ring.TryCopy(packet, destination) ? Failure.Ok : Lost();
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_packet_retain", CallConvs = [typeof(CallConvCdecl)])]
    public static int Retain(NativePacket* packet)
    {
        try
        {
            return PacketRing.Of(packet).TryRetain() ? Failure.Ok : Lost();
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_packet_release", CallConvs = [typeof(CallConvCdecl)])]
    public static int Release(NativePacket* packet)
    {
        try
        {
            PacketRing.RequirePacket(packet);
            return PacketRing.Table.Find((nuint)packet->Owner) is { } ring && ring.TryRelease()
                ? Failure.Ok
                : Failure.Because(LibraryError.InvalidHandle, "No packet of this connection is retained."u8);
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    private static int Lost() => Failure.Because(
        ErrorCode.PacketLost, "This packet was overwritten by newer ones, or its connection was closed. Read sooner, copy it, or give the publisher a larger ring."u8);
}
