using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace CuFrames.Native.Tests.Abi;

/// <summary>Where the fields of a C# structure lie in managed memory, which is what native code reads.</summary>
internal static class StructPlaces
{
    private static readonly MethodInfo SizeOfMethod = typeof(Unsafe).GetMethod(nameof(Unsafe.SizeOf))!;

    public static int SizeOf(Type type) => type.IsPointer || type.IsFunctionPointer
        ? nint.Size
        : (int)SizeOfMethod.MakeGenericMethod(type).Invoke(null, null)!;

    /// <summary>Bytes from the structure's beginning to a field.</summary>
    public static long OffsetOf(FieldInfo field)
    {
        DynamicMethod method = new("OffsetOf", typeof(long), [typeof(nint)], typeof(StructPlaces).Module, skipVisibility: true);
        ILGenerator code = method.GetILGenerator();
        code.Emit(OpCodes.Ldarg_0);
        code.Emit(OpCodes.Ldflda, field);
        code.Emit(OpCodes.Conv_U);
        code.Emit(OpCodes.Ldarg_0);
        code.Emit(OpCodes.Sub);
        code.Emit(OpCodes.Conv_I8);
        code.Emit(OpCodes.Ret);

        // The place is looked at, to see that it is not null, and not used.
        nint place = Marshal.AllocHGlobal(SizeOf(field.DeclaringType!));
        try
        {
            return ((Func<nint, long>)method.CreateDelegate(typeof(Func<nint, long>)))(place);
        }
        finally
        {
            Marshal.FreeHGlobal(place);
        }
    }
}
