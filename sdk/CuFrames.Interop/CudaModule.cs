using System.Runtime.InteropServices;
using System.Text;
using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>
/// Kernels, compiled by the driver from PTX text. It keeps its context alive. Unloaded exactly once, by <see cref="SafeHandle.Dispose()"/>
/// or by the finalizer; no kernel of it may run then. Thread-safe.
/// </summary>
public sealed class CudaModule : SafeHandle
{
    private readonly bool _holdsContext;

    private CudaModule(CudaContext context)
        : base(0, ownsHandle: true)
    {
        Context = context;
        context.DangerousAddRef(ref _holdsContext);
    }

    /// <inheritdoc/>
    public override bool IsInvalid => false;

    /// <summary>The context that the kernels run in.</summary>
    public CudaContext Context { get; }

    /// <summary>Compiles and loads a module. The driver keeps compiled modules in a cache; without it this takes up to seconds.</summary>
    /// <param name="context">Where.</param>
    /// <param name="ptx">The text.</param>
    /// <returns>The module; the caller owns it.</returns>
    /// <exception cref="CudaException">The text is not valid, or too new for the driver.</exception>
    public static unsafe CudaModule Load(CudaContext context, string ptx)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(ptx);

        // The driver finds the end of the text by its closing 0.
        byte[] image = Encoding.UTF8.GetBytes(ptx + '\0');
        var module = new CudaModule(context);
        try
        {
            using CudaContext.Scope scope = context.Push();
            nint handle;
            fixed (byte* text = image)
            {
                CudaResult result = CudaNative.LoadModule(&handle, text);
                if (result != CudaResult.Success)
                {
                    throw new CudaException("cuModuleLoadData", result, $"load a module on {context.Device}");
                }
            }

            module.SetHandle(handle);
            return module;
        }
        catch
        {
            module.Dispose();
            throw;
        }
    }

    /// <summary>Finds a kernel.</summary>
    /// <param name="name">Its name in the text.</param>
    /// <returns>The kernel (CUfunction) for <see cref="CudaStream.Launch"/>, valid while the module is.</returns>
    /// <exception cref="CudaException">The module has no such kernel.</exception>
    public unsafe nint Function(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        using CudaContext.Scope scope = Context.Push();
        nint function;
        CudaResult result = CudaNative.GetFunction(&function, this, name);
        return result == CudaResult.Success
            ? function
            : throw new CudaException("cuModuleGetFunction", result, $"find the kernel '{name}'");
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        if (handle != 0 && Context.TryEnter())
        {
            // An error says that the context is broken or being torn down: the module goes with it.
            _ = CudaNative.UnloadModule(handle);
            CudaContext.Leave();
        }

        if (_holdsContext)
        {
            Context.DangerousRelease();
        }

        return true;
    }
}
