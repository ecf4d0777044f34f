using CuFrames.Control.V1;

namespace CuFrames.Control.Internal;

/// <summary>The methods of control.proto, which protoc's C# generator leaves to others. A test compares them with the descriptor.</summary>
internal static class ControlMethods
{
    /// <summary>The service's name in paths.</summary>
    private const string Service = "cuframes.control.v1.Control";

    internal static readonly RpcMethod<GetDaemonRequest, V1.Daemon> GetDaemon = new(nameof(GetDaemon), GetDaemonRequest.Parser, V1.Daemon.Parser);
    internal static readonly RpcMethod<ListCamerasRequest, ListCamerasResponse> ListCameras = new(nameof(ListCameras), ListCamerasRequest.Parser, ListCamerasResponse.Parser);
    internal static readonly RpcMethod<GetCameraRequest, Camera> GetCamera = new(nameof(GetCamera), GetCameraRequest.Parser, Camera.Parser);
    internal static readonly RpcMethod<AddCameraRequest, Camera> AddCamera = new(nameof(AddCamera), AddCameraRequest.Parser, Camera.Parser);
    internal static readonly RpcMethod<UpdateCameraRequest, Camera> UpdateCamera = new(nameof(UpdateCamera), UpdateCameraRequest.Parser, Camera.Parser);
    internal static readonly RpcMethod<RemoveCameraRequest, RemoveCameraResponse> RemoveCamera = new(nameof(RemoveCamera), RemoveCameraRequest.Parser, RemoveCameraResponse.Parser);
    internal static readonly RpcMethod<RestartCameraRequest, RestartCameraResponse> RestartCamera = new(nameof(RestartCamera), RestartCameraRequest.Parser, RestartCameraResponse.Parser);
    internal static readonly RpcMethod<GetStatisticsRequest, Statistics> GetStatistics = new(nameof(GetStatistics), GetStatisticsRequest.Parser, Statistics.Parser);
    internal static readonly RpcMethod<TakeSnapshotRequest, Snapshot> TakeSnapshot =
        new(nameof(TakeSnapshot), TakeSnapshotRequest.Parser, Snapshot.Parser) { MaxResponseBytes = RpcWire.MaxSnapshotBytes };

    internal static readonly RpcMethod<SetLogLevelRequest, SetLogLevelResponse> SetLogLevel = new(nameof(SetLogLevel), SetLogLevelRequest.Parser, SetLogLevelResponse.Parser);
    internal static readonly RpcMethod<ListReadersRequest, ListReadersResponse> ListReaders = new(nameof(ListReaders), ListReadersRequest.Parser, ListReadersResponse.Parser);
    internal static readonly RpcMethod<EvictReaderRequest, EvictReaderResponse> EvictReader = new(nameof(EvictReader), EvictReaderRequest.Parser, EvictReaderResponse.Parser);
    internal static readonly RpcMethod<WatchEventsRequest, Event> WatchEvents = new(nameof(WatchEvents), WatchEventsRequest.Parser, Event.Parser);

    /// <summary>Path of a method.</summary>
    internal static string PathOf(string method) => $"/{Service}/{method}";
}
