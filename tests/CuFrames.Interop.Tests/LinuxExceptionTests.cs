using System.Globalization;
using System.Reflection;
using Xunit;

namespace CuFrames.Interop.Tests;

public class LinuxExceptionTests
{
    [Fact]
    public void The_text_says_what_was_tried_what_happened_and_what_to_do()
    {
        var exception = new LinuxException("memfd_create", Errno.EMFILE, "create the memory file 'x'");

        Assert.Equal("memfd_create", exception.Operation);
        Assert.Equal(24, exception.Errno);
        Assert.Equal(
            "Cannot create the memory file 'x': memfd_create answered EMFILE (Too many open files). This process is at its " +
            "limit of open descriptors: raise LimitNOFILE= in the systemd unit, or ulimit -n.",
            exception.Message);
    }

    [Fact]
    public void An_unknown_number_is_reported_as_such()
    {
        var exception = new LinuxException("call", 4711, "do it");

        Assert.StartsWith("Cannot do it: call answered errno 4711 (", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_error_number_has_its_name_and_the_kernels_value()
    {
        // The C library describes a number by a text of its own; two numbers with one text would be a slip here.
        var texts = new HashSet<string>();
        foreach (FieldInfo field in typeof(Errno).GetFields(BindingFlags.Public | BindingFlags.Static))
        {
            int number = Convert.ToInt32(field.GetRawConstantValue(), CultureInfo.InvariantCulture);
            Assert.Equal(field.Name, Errno.NameOf(number));
            string text = System.Runtime.InteropServices.Marshal.GetPInvokeErrorMessage(number);
            Assert.DoesNotContain("Unknown", text, StringComparison.Ordinal);
            Assert.True(texts.Add(text));
        }

        Assert.True(texts.Count > 30);
    }
}
