using System.Globalization;
using System.Reflection;
using System.Text;

namespace CuFrames.TestKit;

/// <summary>
/// Writes down the public surface of an assembly, one line per type and member, in a fixed order, so that a change of
/// it shows up as a change of a text file.
/// </summary>
public static class PublicApiText
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    /// <summary>The public surface of an assembly: what code outside of it can name.</summary>
    /// <param name="assembly">The assembly.</param>
    /// <returns>The text, with line feeds, ending in one.</returns>
    public static string Of(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (Type type in assembly.GetExportedTypes().OrderBy(type => NameOf(type), StringComparer.Ordinal))
        {
            text.Append(Describe(type)).Append('\n');
            foreach (string line in MembersOf(type).Order(StringComparer.Ordinal))
            {
                text.Append("    ").Append(line).Append('\n');
            }
        }

        return text.ToString();
    }

    /// <summary>
    /// Compares the public surface with a file of the repository. With CUFRAMES_ACCEPT_API=1 in the environment the
    /// file is written instead.
    /// </summary>
    /// <param name="assembly">The assembly.</param>
    /// <param name="pathInRepository">The file, relative to the folder that holds CuFrames.sln.</param>
    /// <exception cref="InvalidOperationException">They differ; the text lists the lines.</exception>
    public static void RequireUnchanged(Assembly assembly, string pathInRepository)
    {
        string path = Path.Combine(RepositoryRoot(), pathInRepository);
        string found = Of(assembly);
        if (Environment.GetEnvironmentVariable("CUFRAMES_ACCEPT_API") == "1")
        {
            File.WriteAllText(path, found);
            return;
        }

        string expected = File.Exists(path) ? File.ReadAllText(path) : string.Empty;
        if (expected == found)
        {
            return;
        }

        string[] before = expected.Split('\n');
        string[] now = found.Split('\n');
        IEnumerable<string> lines = before.Except(now).Select(line => "- " + line.Trim())
            .Concat(now.Except(before).Select(line => "+ " + line.Trim()));
        throw new InvalidOperationException(
            $"The public surface of {assembly.GetName().Name} differs from {pathInRepository}. If that is intended, run the " +
            $"test with CUFRAMES_ACCEPT_API=1 and commit the file.\n{string.Join('\n', lines)}");
    }

    private static string RepositoryRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "CuFrames.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException($"No folder above {AppContext.BaseDirectory} holds CuFrames.sln.");
    }

    private static string Describe(Type type)
    {
        string name = NameOf(type);
        if (type.IsEnum)
        {
            string flags = type.IsDefined(typeof(FlagsAttribute), false) ? "flags " : string.Empty;
            return $"{flags}enum {name} : {NameOf(Enum.GetUnderlyingType(type))}";
        }

        if (type.IsSubclassOf(typeof(Delegate)))
        {
            return $"delegate {Signature(type.GetMethod("Invoke")!, name)}";
        }

        string kind = type switch
        {
            { IsInterface: true } => "interface",
            { IsValueType: true } => (IsReadOnly(type) ? "readonly " : string.Empty) + (type.IsByRefLike ? "ref struct" : "struct"),
            { IsAbstract: true, IsSealed: true } => "static class",
            { IsAbstract: true } => "abstract class",
            { IsSealed: true } => "sealed class",
            _ => "class",
        };
        IEnumerable<Type> inherited = type.BaseType?.GetInterfaces() ?? [];
        List<string> bases = [.. type.GetInterfaces().Except(inherited).Where(IsVisible).Select(NameOf).Order(StringComparer.Ordinal)];
        if (type.BaseType is { } parent && parent != typeof(object) && parent != typeof(ValueType))
        {
            bases.Insert(0, NameOf(parent));
        }

        return bases.Count == 0 ? $"{kind} {name}" : $"{kind} {name} : {string.Join(", ", bases)}";
    }

    private static IEnumerable<string> MembersOf(Type type)
    {
        if (type.IsEnum)
        {
            return type.GetFields(BindingFlags.Public | BindingFlags.Static)
                .Select(field => $"{field.Name} = {Convert.ToString(field.GetRawConstantValue(), CultureInfo.InvariantCulture)}");
        }

        return type.IsSubclassOf(typeof(Delegate)) ? [] : DeclaredMembers(type);
    }

    private static IEnumerable<string> DeclaredMembers(Type type)
    {
        foreach (FieldInfo field in type.GetFields(Declared).Where(field => field.IsPublic || field.IsFamily || field.IsFamilyOrAssembly))
        {
            string access = AccessOf(field.IsPublic);
            yield return field.IsLiteral
                ? $"{access}const {NameOf(field.FieldType)} {field.Name} = {Literal(field.GetRawConstantValue())}"
                : $"{access}{(field.IsStatic ? "static " : string.Empty)}{(field.IsInitOnly ? "readonly " : string.Empty)}" +
                  $"{NameOf(field.FieldType)} {field.Name}";
        }

        foreach (ConstructorInfo constructor in type.GetConstructors(Declared).Where(IsVisible))
        {
            yield return $"{AccessOf(constructor.IsPublic)}new({Parameters(constructor)})";
        }

        foreach (PropertyInfo property in type.GetProperties(Declared))
        {
            MethodInfo[] accessors = [.. property.GetAccessors(true).Where(IsVisible)];
            if (accessors.Length > 0)
            {
                string index = property.GetIndexParameters().Length == 0
                    ? string.Empty
                    : $"[{string.Join(", ", property.GetIndexParameters().Select(Describe))}]";
                string kinds = string.Join(' ', accessors.Select(KindOf).Order(StringComparer.Ordinal));
                string nullable = Suffix(new NullabilityInfoContext().Create(property));
                yield return $"{AccessOf(accessors.Any(accessor => accessor.IsPublic))}{Modifiers(accessors[0])}" +
                    $"{NameOf(property.PropertyType)}{nullable} {property.Name}{index} {{ {kinds} }}";
            }
        }

        foreach (EventInfo happening in type.GetEvents(Declared).Where(happening => IsVisible(happening.AddMethod!)))
        {
            yield return $"{AccessOf(happening.AddMethod!.IsPublic)}event {NameOf(happening.EventHandlerType!)} {happening.Name}";
        }

        foreach (MethodInfo method in type.GetMethods(Declared).Where(IsVisible))
        {
            if (!method.IsSpecialName || method.Name.StartsWith("op_", StringComparison.Ordinal))
            {
                yield return $"{AccessOf(method.IsPublic)}{Modifiers(method)}{Signature(method, method.Name)}";
            }
        }
    }

    private static string KindOf(MethodInfo accessor)
    {
        if (accessor.Name.StartsWith("get_", StringComparison.Ordinal))
        {
            return "get;";
        }

        bool isInit = accessor.ReturnParameter.GetRequiredCustomModifiers()
            .Any(modifier => modifier.FullName == "System.Runtime.CompilerServices.IsExternalInit");
        return isInit ? "init;" : "set;";
    }

    private static string Signature(MethodInfo method, string name)
    {
        string generic = method.IsGenericMethodDefinition
            ? $"<{string.Join(", ", method.GetGenericArguments().Select(NameOf))}>"
            : string.Empty;
        string nullable = Suffix(new NullabilityInfoContext().Create(method.ReturnParameter));
        return $"{NameOf(method.ReturnType)}{nullable} {name}{generic}({Parameters(method)})";
    }

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(Describe));

    private static string Describe(ParameterInfo parameter)
    {
        string direction = parameter.ParameterType.IsByRef
            ? parameter.IsOut ? "out " : parameter.IsIn ? "in " : "ref "
            : parameter.IsDefined(typeof(ParamArrayAttribute), false) ? "params " : string.Empty;
        Type type = parameter.ParameterType.IsByRef ? parameter.ParameterType.GetElementType()! : parameter.ParameterType;
        string nullable = Suffix(new NullabilityInfoContext().Create(parameter));
        string value = parameter.HasDefaultValue ? $" = {Literal(parameter.RawDefaultValue)}" : string.Empty;
        return $"{direction}{NameOf(type)}{nullable} {parameter.Name}{value}";
    }

    private static string Suffix(NullabilityInfo nullability)
    {
        Type type = nullability.Type.IsByRef ? nullability.Type.GetElementType()! : nullability.Type;
        bool isNullable = nullability.ReadState == NullabilityState.Nullable ||
            nullability.WriteState == NullabilityState.Nullable;
        return isNullable && !type.IsValueType && !type.IsPointer ? "?" : string.Empty;
    }

    private static string Literal(object? value) => value switch
    {
        null => "null",
        string text => $"\"{text}\"",
        bool flag => flag ? "true" : "false",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    private static string AccessOf(bool isPublic) => isPublic ? string.Empty : "protected ";

    private static string Modifiers(MethodInfo method)
    {
        if (method.IsStatic)
        {
            return "static ";
        }

        if (method.DeclaringType!.IsInterface || !method.IsVirtual)
        {
            return string.Empty;
        }

        if (method.GetBaseDefinition() != method)
        {
            return "override ";
        }

        return method.IsAbstract ? "abstract " : method.IsFinal ? string.Empty : "virtual ";
    }

    private static bool IsVisible(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

    private static bool IsVisible(Type type) => type.IsVisible;

    private static bool IsReadOnly(Type type) =>
        type.GetCustomAttributesData().Any(data => data.AttributeType.Name == "IsReadOnlyAttribute");

    private static string NameOf(Type type)
    {
        if (type.IsByRef)
        {
            return "ref " + NameOf(type.GetElementType()!);
        }

        if (type.IsPointer)
        {
            return NameOf(type.GetElementType()!) + "*";
        }

        if (type.IsArray)
        {
            return $"{NameOf(type.GetElementType()!)}[{new string(',', type.GetArrayRank() - 1)}]";
        }

        if (Nullable.GetUnderlyingType(type) is { } value)
        {
            return NameOf(value) + "?";
        }

        if (type.IsGenericParameter)
        {
            return type.Name;
        }

        if (!type.IsEnum && Keyword(type) is { } keyword)
        {
            return keyword;
        }

        // Types of the framework are unmistakable by their name alone; our own carry their namespace.
        string scope = type.IsNested ? NameOf(type.DeclaringType!) + "."
            : type.Namespace?.StartsWith("CuFrames", StringComparison.Ordinal) == true ? type.Namespace + "."
            : string.Empty;
        string name = type.Name.Split('`')[0];
        return type.IsGenericType
            ? $"{scope}{name}<{string.Join(", ", type.GetGenericArguments().Select(NameOf))}>"
            : scope + name;
    }

    private static string? Keyword(Type type) => type.FullName switch
    {
        "System.Void" => "void",
        "System.Boolean" => "bool",
        "System.Byte" => "byte",
        "System.SByte" => "sbyte",
        "System.Int16" => "short",
        "System.UInt16" => "ushort",
        "System.Int32" => "int",
        "System.UInt32" => "uint",
        "System.Int64" => "long",
        "System.UInt64" => "ulong",
        "System.IntPtr" => "nint",
        "System.UIntPtr" => "nuint",
        "System.Single" => "float",
        "System.Double" => "double",
        "System.String" => "string",
        "System.Object" => "object",
        _ => null,
    };
}
