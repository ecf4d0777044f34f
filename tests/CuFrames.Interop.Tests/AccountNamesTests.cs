using System.Globalization;
using Xunit;

namespace CuFrames.Interop.Tests;

public class AccountNamesTests
{
    [Fact]
    public void Every_user_of_the_local_file_is_found() => RequireAll("/etc/passwd", AccountNames.TryFindUser);

    [Fact]
    public void Every_group_of_the_local_file_is_found() => RequireAll("/etc/group", AccountNames.TryFindGroup);

    [Fact]
    public void A_name_that_nobody_has_is_not_found()
    {
        Assert.False(AccountNames.TryFindUser("cuframes-no-such-name", out _));
        Assert.False(AccountNames.TryFindGroup("cuframes-no-such-name", out _));
    }

    private static void RequireAll(string path, Find find)
    {
        HashSet<string> seen = [];
        foreach (string[] fields in File.ReadAllLines(path).Select(line => line.Split(':')).Where(fields => fields.Length > 3))
        {
            // The first entry of a name counts.
            if (seen.Add(fields[0]))
            {
                Assert.True(find(fields[0], out uint id), fields[0]);
                Assert.Equal(uint.Parse(fields[2], CultureInfo.InvariantCulture), id);
            }
        }

        Assert.Contains("root", seen);
    }

    private delegate bool Find(string name, out uint id);
}
