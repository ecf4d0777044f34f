namespace CuFrames.Control;

/// <summary>How a call ended. Names and numbers are those of the gRPC protocol, on whose wire they travel as <c>grpc-status</c>.</summary>
public enum RpcStatus
{
    /// <summary>It was done.</summary>
    Ok = 0,

    /// <summary>The caller gave it up.</summary>
    Cancelled = 1,

    /// <summary>The answer's status is none of these, or none was given.</summary>
    Unknown = 2,

    /// <summary>The request is wrong, whatever the daemon's state. The text says which field and what is accepted.</summary>
    InvalidArgument = 3,

    /// <summary>The caller's time was over. What was asked for may have been done or not.</summary>
    DeadlineExceeded = 4,

    /// <summary>There is no such camera or reader.</summary>
    NotFound = 5,

    /// <summary>There is one of that key already.</summary>
    AlreadyExists = 6,

    /// <summary>This caller may not do it. The text names the rule and how to change it.</summary>
    PermissionDenied = 7,

    /// <summary>A limit is reached: messages, calls, readers.</summary>
    ResourceExhausted = 8,

    /// <summary>Not in the present state: a camera of the configuration file cannot be changed by a call, for example.</summary>
    FailedPrecondition = 9,

    /// <summary>Another call was in the way. Calling again may help.</summary>
    Aborted = 10,

    /// <summary>Beyond what there is.</summary>
    OutOfRange = 11,

    /// <summary>The daemon has no such method, or not this form of it.</summary>
    Unimplemented = 12,

    /// <summary>A fault of the daemon, or bytes that are no message.</summary>
    Internal = 13,

    /// <summary>The daemon is not there, or ends. Calling again may help.</summary>
    Unavailable = 14,

    /// <summary>Something was lost for good.</summary>
    DataLoss = 15,

    /// <summary>The call has no token, or a wrong one, where one is needed.</summary>
    Unauthenticated = 16,
}
