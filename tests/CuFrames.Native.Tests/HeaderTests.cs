using CuFrames.Native.Tests.Abi;
using CuFrames.TestKit;

namespace CuFrames.Native.Tests;

/// <summary>The headers compile wherever they promise to, without a warning.</summary>
public sealed class HeaderTests
{
    public static TheoryData<string, string> C { get; } = Matrix("c99", "c11", "c17", "c++11", "c++17", "c++20");

    public static TheoryData<string, string> Cpp { get; } = Matrix("c++17", "c++20");

    [Theory]
    [MemberData(nameof(C))]
    public void The_header_for_C_compiles_by_itself(string compiler, string standard)
    {
        // Every structure with an INIT macro, and the header a second time.
        NativeHeader header = NativeHeader.Read();
        IEnumerable<string> initialised = header.Macros.Where(name => name.EndsWith("_INIT", StringComparison.Ordinal) && name != "CUFRAMES_INIT");
        Assert.Equal(12, initialised.Count());
        string body = string.Concat(initialised.Select((macro, index) =>
            $"  {macro[..^5].ToLowerInvariant()} made{index} = {macro};\n  total += made{index}.size;\n"));
        CompiledText.Require(compiler, standard,
            $"#include <cuframes.h>\n#include <cuframes.h>\nunsigned long sizes(void);\nunsigned long sizes(void) {{\n  unsigned long total = 0;\n{body}  return total;\n}}\n");
    }

    [Theory]
    [MemberData(nameof(Cpp))]
    public void The_header_for_Cpp_compiles_by_itself(string compiler, string standard) =>
        CompiledText.Require(compiler, standard, "#include <cuframes.hpp>\n#include <cuframes.hpp>\n");

    [Theory]
    [MemberData(nameof(Cpp))]
    public void Classes_have_the_properties_that_they_promise(string compiler, string standard) => CompiledText.Require(compiler, standard, """
        #include <cuframes.hpp>

        template <class T>
        constexpr bool moves_only = std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T> && !std::is_copy_constructible_v<T> &&
                                    !std::is_copy_assignable_v<T> && std::is_nothrow_destructible_v<T>;
        static_assert(moves_only<cuframes::Frame>);
        static_assert(moves_only<cuframes::Picture>);
        static_assert(moves_only<cuframes::Subscriber>);
        static_assert(moves_only<cuframes::Publisher>);
        static_assert(std::is_base_of_v<std::runtime_error, cuframes::Error>);
        static_assert(std::is_same_v<decltype(cuframes::Plane::data), const std::uint8_t *>);
        static_assert(std::is_same_v<decltype(cuframes::WritablePlane::data), std::uint8_t *>);
        static_assert(!std::is_convertible_v<std::string, cuframes::Subscriber>);

        // As a program writes it.
        void use(cuframes::Subscriber &sub, cuframes::Publisher &publisher, const std::string &key) {
          using namespace std::chrono_literals;
          cuframes::Subscriber by_text(key);
          cuframes::Subscriber by_view(std::string_view("cam1"), cuframes::SubscriberOptions());
          cuframes::Publisher listed(key, {CUFRAMES_NV12, 640, 480});
          if (auto frame = sub.next(100ms)) {
            cuframes::Frame kept = frame->retain();
            kept = std::move(*frame);
            kept.release(nullptr);
          }
          if (auto picture = publisher.begin()) {
            for (auto &plane : picture->planes) {
              plane.row(0)[0] = 1;
            }
            picture->publish(nullptr);
          }
        }
        """);

    [Fact]
    public void Two_files_of_a_program_may_include_it()
    {
        using TemporaryDirectory folder = new();
        string[] sources = [Path.Combine(folder.Path, "one.cpp"), Path.Combine(folder.Path, "two.cpp")];
        File.WriteAllText(sources[0], "#include <cuframes.hpp>\nint other();\nint main() { return other() + (cuframes::runtime_directory().empty() ? 1 : 0); }\n");
        File.WriteAllText(sources[1], "#include <cuframes.hpp>\nint other() { return cuframes::runtime_directory().empty() ? 1 : 0; }\n");
        string library = Path.GetDirectoryName(NativeArtifacts.Library)!;
        string program = Path.Combine(folder.Path, "program");
        _ = Tool.Run("g++", "-std=c++17", "-I", NativeArtifacts.Include, "-o", program, sources[0], sources[1], "-L", library, "-lcuframes", $"-Wl,-rpath,{library}");
        _ = Tool.Run(program);
    }

    [Fact]
    public void Time_outs_are_rounded_up_and_never_negative()
    {
        using TemporaryDirectory folder = new();
        string source = Path.Combine(folder.Path, "program.cpp");
        File.WriteAllText(source, """
            #include <cuframes.hpp>
            using cuframes::detail::to_nanoseconds;
            using namespace std::chrono;
            int main() {
              if (to_nanoseconds(milliseconds(3)) != 3000000) return 1;
              if (to_nanoseconds(duration<double>(1e-10)) != 1) return 2;
              if (to_nanoseconds(seconds(-5)) != 0) return 3;
              if (to_nanoseconds(hours::max()) != INT64_MAX) return 4;
              if (to_nanoseconds(std::chrono::nanoseconds::max()) != INT64_MAX) return 5;
              if (to_nanoseconds(std::chrono::nanoseconds(1234567890123456789)) != 1234567890123456789) return 6;
              if (to_nanoseconds(duration<double>(std::numeric_limits<double>::quiet_NaN())) != 0) return 7;
              try {
                cuframes::probe(std::string_view("a\0b", 3));
                return 8;
              } catch (const cuframes::Error &error) {
                if (error.code() != CUFRAMES_INVALID_ARGUMENT || std::string_view(error.name()) != "INVALID_ARGUMENT") return 9;
              }
            }
            """);
        string library = Path.GetDirectoryName(NativeArtifacts.Library)!;
        string program = Path.Combine(folder.Path, "program");
        _ = Tool.Run("g++", "-std=c++17", "-include", "limits", "-I", NativeArtifacts.Include, "-o", program, source, "-L", library, "-lcuframes", $"-Wl,-rpath,{library}");
        _ = Tool.Run(program);
    }

    private static TheoryData<string, string> Matrix(params string[] standards)
    {
        TheoryData<string, string> data = [];
        foreach (string compiler in CompiledText.Compilers)
        {
            foreach (string standard in standards)
            {
                data.Add(compiler, standard);
            }
        }

        return data;
    }
}
