import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.ASN1Primitive;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.operator.ContentVerifierProvider;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;

/**
 * Reads certificates as Bouncy Castle does, which encodes what was signed again: what is not DER fails there.
 *
 * Arguments: the file of the CA's certificate, then those of certificates that it issued; all DER.
 */
public class ReadBack {
    public static void main(String[] files) throws Exception {
        X509CertificateHolder ca = new X509CertificateHolder(Files.readAllBytes(Path.of(files[0])));
        ContentVerifierProvider verifier = new JcaContentVerifierProviderBuilder().build(ca);
        boolean isSound = true;
        for (String file : Arrays.copyOfRange(files, 1, files.length)) {
            String fault = fault(Files.readAllBytes(Path.of(file)), verifier);
            if (fault != null) {
                System.err.println(file + ": " + fault);
                isSound = false;
            }
        }
        System.exit(isSound ? 0 : 1);
    }

    private static String fault(byte[] der, ContentVerifierProvider verifier) throws Exception {
        X509CertificateHolder certificate = new X509CertificateHolder(der);
        if (!Arrays.equals(certificate.toASN1Structure().getEncoded("DER"), der)) {
            return "is another one when it is encoded again";
        }
        if (!certificate.isSignatureValid(verifier)) {
            return "its signature is not the CA's";
        }
        for (Object id : certificate.getExtensionOIDs()) {
            Extension extension = certificate.getExtension((ASN1ObjectIdentifier) id);
            byte[] value = extension.getExtnValue().getOctets();
            if (!Arrays.equals(ASN1Primitive.fromByteArray(value).getEncoded("DER"), value)) {
                return "its extension " + id + " is another one when it is encoded again";
            }
        }
        GeneralNames names = GeneralNames.fromExtensions(certificate.getExtensions(), Extension.subjectAlternativeName);
        // Both read their texts.
        return (certificate.getSubject() + " " + names).isEmpty() ? "it has no text" : null;
    }
}
