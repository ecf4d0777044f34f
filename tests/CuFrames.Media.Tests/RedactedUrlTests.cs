using Xunit;

namespace CuFrames.Media.Tests;

public sealed class RedactedUrlTests
{
    [Theory]
    [InlineData("rtsp://camera/stream", "rtsp://camera/stream", "camera")]
    [InlineData("rtsp://admin:geheim@camera:554/stream", "rtsp://admin:***@camera:554/stream", "camera")]
    [InlineData("rtsp://admin:ge@he:im@10.0.0.1/s", "rtsp://admin:***@10.0.0.1/s", "10.0.0.1")]
    [InlineData("rtsp://admin:@camera/s", "rtsp://admin:***@camera/s", "camera")]
    [InlineData("rtsp://admin@camera/s", "rtsp://admin@camera/s", "camera")]
    [InlineData("rtsp://u:geheim@[fe80::1]:554/s", "rtsp://u:***@[fe80::1]:554/s", "fe80::1")]
    [InlineData("http://h/a.m3u8?channel=1&token=geheim&x=2", "http://h/a.m3u8?channel=1&token=***&x=2", "h")]
    [InlineData("http://h/?Password=geheim", "http://h/?Password=***", "h")]
    [InlineData("http://h/?api_key=geheim&X-Amz-Signature=heimlich", "http://h/?api_key=***&X-Amz-Signature=***", "h")]
    [InlineData("rtsp://h/user=admin_password=geheim_channel=1_stream=0.sdp", "rtsp://h/user=admin_password=***_channel=1_stream=0.sdp", "h")]
    [InlineData("rtsp://h/user=admin&password=ge_heim&channel=1", "rtsp://h/user=admin&password=***&channel=1", "h")]
    [InlineData("rtsp://h/password=ge_heim_channel=1", "rtsp://h/password=***_channel=1", "h")]
    [InlineData("rtsp://h/password=geheim/live", "rtsp://h/password=***/live", "h")]
    [InlineData("rtsp://u:geheim@h/geheim/live", "rtsp://u:***@h/***/live", "h")]
    [InlineData("rtsp://u:ab@h/about", "rtsp://u:***@h/about", "h")]
    public void Secrets_are_masked_and_the_rest_is_readable(string url, string display, string host)
    {
        RedactedUrl redacted = new(url);
        Assert.Equal(display, redacted.Display);
        Assert.Equal(display, redacted.ToString());
        Assert.Equal(display, $"{redacted}");
        Assert.Equal(host, redacted.Host);
        Assert.Equal(url, redacted.Reveal());
        Assert.False(redacted.IsFile);
    }

    [Theory]
    [InlineData("clip.mp4", "clip.mp4")]
    [InlineData("/srv/a:b@c?token=d.mp4", "/srv/a:b@c?token=d.mp4")]
    [InlineData("file:/srv/a.mp4", "/srv/a.mp4")]
    [InlineData("file:///srv/a.mp4", "/srv/a.mp4")]
    [InlineData("concat:a|b", "concat:a|b")]
    public void What_has_no_scheme_is_a_path(string text, string path)
    {
        RedactedUrl url = new(text);
        Assert.True(url.IsFile);
        Assert.Equal(path, url.Reveal());
        Assert.Equal(path, url.Display);
        Assert.Null(url.SecretLines);
    }

    [Fact]
    public void Credentials_of_any_characters_can_be_put_in_and_never_show()
    {
        RedactedUrl url = new RedactedUrl("rtsp://old:gone@camera:8554/s?x=1").WithCredentials("me@home", "p/w:d ?#%&é");
        Assert.Equal("rtsp://me%40home:p%2Fw%3Ad%20%3F%23%25%26%C3%A9@camera:8554/s?x=1", url.Reveal());
        Assert.Equal("rtsp://me%40home:***@camera:8554/s?x=1", url.Display);
        Assert.Equal("login ***, header ***", url.Redact("login p/w:d ?#%&é, header " + Convert.ToBase64String("me@home:p/w:d ?#%&é"u8)));
        Assert.DoesNotContain("gone", url.Redact(url.Reveal()), StringComparison.Ordinal);
    }

    [Fact]
    public void Impossible_input_is_refused()
    {
        Assert.Equal(MediaError.InvalidArgument, Assert.Throws<MediaException>(() => new RedactedUrl(" ")).Error);
        Assert.Equal(MediaError.InvalidArgument, Assert.Throws<MediaException>(() => new RedactedUrl("rtsp://h/\na")).Error);
        Assert.Throws<MediaException>(() => new RedactedUrl("a.mp4").WithCredentials("u", "p"));
        Assert.Throws<MediaException>(() => new RedactedUrl("rtsp://h").WithCredentials("", "p"));
        Assert.Throws<MediaException>(() => new RedactedUrl("rtsp://h").WithCredentials("a:b", "p"));
    }

    /// <summary>Whatever the text, parsing ends with a URL or with our own error, and the password is not in what is shown.</summary>
    [Fact]
    public void Any_text_is_survived()
    {
        const string Alphabet = "ab:/@?#&;=_%[].- ";
        Random random = new(1);
        char[] text = new char[40];
        for (int i = 0; i < 200_000; i++)
        {
            Span<char> part = text.AsSpan(0, random.Next(text.Length));
            random.GetItems(Alphabet.AsSpan(), part);
            string url = (i & 1) == 0 ? $"rtsp://u:Geheimnis@{part}" : part.ToString();
            try
            {
                RedactedUrl redacted = new(url);
                Assert.DoesNotContain("Geheimnis", redacted.Display, StringComparison.Ordinal);
                if (!redacted.IsFile)
                {
                    redacted.WithCredentials("x", "y");
                }
            }
            catch (MediaException e)
            {
                Assert.DoesNotContain("Geheimnis", e.Message, StringComparison.Ordinal);
            }
        }
    }
}
