using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using CuFrames.Interop;

namespace CuFrames.Daemon.Internal.Access;

/// <summary>A certificate with its key, read from PEM files. Immutable.</summary>
internal sealed class TlsCertificate
{
    private const int MaxBytes = 256 << 10;

    private TlsCertificate(string file, string keyFile, X509Certificate2 certificate, SslStreamCertificateContext context) =>
        (File, KeyFile, Thumbprint, Context) = (file, keyFile, certificate.GetCertHashString(HashAlgorithmName.SHA256), context);

    /// <summary>File of the certificate.</summary>
    internal string File { get; }

    /// <summary>File of its key.</summary>
    internal string KeyFile { get; }

    /// <summary>SHA-256 of the certificate.</summary>
    internal string Thumbprint { get; }

    /// <summary>The certificate, its key, and the certificates that lead to one that callers know.</summary>
    internal SslStreamCertificateContext Context { get; }

    /// <summary>Reads a certificate.</summary>
    /// <param name="file">PEM file with the certificate, and after it those that signed it.</param>
    /// <param name="keyFile">PEM file with its key, not encrypted, out of the reach of others (<see cref="SecretFile"/>).</param>
    /// <param name="own">This daemon.</param>
    /// <param name="isKey">Whether the problem is one of the key's file.</param>
    /// <param name="problem">What is wrong, as the beginning of a sentence.</param>
    /// <returns>The certificate, or null.</returns>
    internal static TlsCertificate? Load(string file, string keyFile, PeerCredentials own, out bool isKey, out string problem)
    {
        isKey = false;
        byte[] chainText;
        try
        {
            chainText = System.IO.File.ReadAllBytes(file);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            problem = $"{file} cannot be read: {error.Message.TrimEnd('.')}";
            return null;
        }

        isKey = true;
        if (SecretFile.Read(keyFile, MaxBytes, own, out problem) is not { } keyText)
        {
            return null;
        }

        try
        {
            isKey = false;
            X509Certificate2Collection chain = [];
            chain.ImportFromPem(Encoding.UTF8.GetString(chainText));
            if (chain.Count == 0)
            {
                problem = $"{file} holds no certificate";
                return null;
            }

            isKey = true;
            X509Certificate2 certificate = X509Certificate2.CreateFromPem(Encoding.UTF8.GetString(chainText), Encoding.UTF8.GetString(keyText));
            return new TlsCertificate(file, keyFile, certificate, SslStreamCertificateContext.Create(certificate, chain, offline: true));
        }
        catch (Exception error) when (error is CryptographicException or ArgumentException)
        {
            // No text of the library: it might show a part of the file.
            problem = isKey ? $"{keyFile} holds no key, or not the one of {file}" : $"{file} holds no certificate in PEM form";
            return null;
        }
    }
}
