using System.Runtime.InteropServices;
using CuFrames.Interop;

namespace CuFrames.Media.Internal;

/// <summary>
/// The kernel <c>rendition</c> in a context, loaded for the first scaler there and unloaded with the last: a module takes device memory, and compiling it
/// takes time. Thread-safe.
/// </summary>
internal sealed class RenditionKernel
{
    /// <summary>Name of the kernel in the PTX, and of the PTX among the resources of this assembly.</summary>
    internal const string Name = "rendition";

    private static readonly Lock Gate = new();
    private static readonly Dictionary<nint, RenditionKernel> Loaded = [];

    private readonly nint _context;
    private readonly CudaModule _module;
    private int _users;

    private RenditionKernel(CudaContext context)
    {
        _context = context.Handle;
        _module = CudaModule.Load(context, ReadText());
        try
        {
            Function = _module.Function(Name);
        }
        catch
        {
            _module.Dispose();
            throw;
        }
    }

    /// <summary>The kernel, for <see cref="CudaStream.Launch"/>.</summary>
    internal nint Function { get; }

    /// <summary>The kernel in a context; <see cref="Release"/> is to be called once for each call.</summary>
    /// <param name="context">The context.</param>
    /// <exception cref="CudaException">The driver refused it.</exception>
    internal static RenditionKernel Use(CudaContext context)
    {
        lock (Gate)
        {
            ref RenditionKernel? kernel = ref CollectionsMarshal.GetValueRefOrAddDefault(Loaded, context.Handle, out _);
            try
            {
                kernel ??= new RenditionKernel(context);
            }
            catch
            {
                Loaded.Remove(context.Handle);
                throw;
            }

            kernel._users++;
            return kernel;
        }
    }

    /// <summary>Gives the kernel back. None that was queued may still run if this was the last user.</summary>
    internal void Release()
    {
        lock (Gate)
        {
            if (--_users == 0)
            {
                Loaded.Remove(_context);
                _module.Dispose();
            }
        }
    }

    /// <summary>The text as it was compiled from media/kernels/rendition.cu.</summary>
    internal static string ReadText()
    {
        using Stream stream = typeof(RenditionKernel).Assembly.GetManifestResourceStream(Name + ".ptx")!;
        using StreamReader reader = new(stream);
        return reader.ReadToEnd();
    }
}
