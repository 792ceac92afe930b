import java.io.BufferedReader;
import java.io.FileReader;
import java.io.FileWriter;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Security;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.Set;

import javax.net.ssl.KeyManagerFactory;

import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.ExtensionsGenerator;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.est.CSRRequestResponse;
import org.bouncycastle.est.ESTAuth;
import org.bouncycastle.est.ESTException;
import org.bouncycastle.est.ESTService;
import org.bouncycastle.est.EnrollmentResponse;
import org.bouncycastle.est.HttpAuth;
import org.bouncycastle.est.jcajce.ChannelBindingProvider;
import org.bouncycastle.est.jcajce.JcaJceUtils;
import org.bouncycastle.est.jcajce.JsseDefaultHostnameAuthorizer;
import org.bouncycastle.est.jcajce.JsseESTServiceBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.jsse.provider.BouncyCastleJsseProvider;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;
import org.bouncycastle.openssl.jcajce.JcaPEMWriter;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.pkcs.PKCS10CertificationRequestBuilder;

/**
 * Makes EST calls, each a line of words on standard input, and answers each with a line:
 *
 *   as NAME|nobody          shows NAME.pem and NAME.key in the handshakes from here on
 *   password USER SECRET    answers challenges by Basic from here on; "password - -" does not
 *   label NAME|-
 *   tls VERSION PROVIDER    TLSv1.2 or TLSv1.3 by SunJSSE or BCJSSE
 *   cacerts | csrattrs      prints how many certificates, or whether there are attributes
 *   key NAME EC|RSA
 *   enroll | reenroll | pop | serverkeygen NAME CN
 *   poll                    sends the request again that had to wait
 *
 * A certificate goes into NAME.pem, a key into NAME.key. Prints "issued", "wait SECONDS" or what the exception says.
 */
public class BouncyCastle {
    private static final JcaX509CertificateConverter CERTIFICATES = new JcaX509CertificateConverter();
    private final String server;
    private final X509Certificate ca;
    private String identity = "nobody", version = "TLSv1.3", provider = "SunJSSE", label;
    private ESTAuth auth;
    private EnrollmentResponse waiting;
    private String waitingName;

    private BouncyCastle(String server, String ca) throws Exception {
        this.server = server;
        this.ca = certificate(Path.of(ca));
    }

    public static void main(String[] arguments) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        Security.addProvider(new BouncyCastleJsseProvider());
        BouncyCastle client = new BouncyCastle(arguments[0], arguments[1]);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            System.out.println(client.run(line.trim().split(" +")));
        }
    }

    private String run(String[] words) throws Exception {
        try {
            switch (words[0]) {
                case "as": identity = words[1]; return "ok";
                case "password":
                    auth = words[2].equals("-") ? null : new HttpAuth(words[1], words[2].toCharArray());
                    return "ok";
                case "label": label = words[1].equals("-") ? null : words[1]; return "ok";
                case "tls": version = words[1]; provider = words[2]; return "ok";
                case "key": return makeKey(words[1], words[2]);
                case "cacerts": return String.valueOf(ESTService.storeToArray(service().getCACerts().getCertificateStore()).length);
                case "csrattrs": {
                    CSRRequestResponse answer = service().getCSRAttributes();
                    return answer.hasAttributesResponse() ? "some" : "none";
                }
                case "enroll": return ended(words[1], service().simpleEnroll(false, request(words).build(signer(words[1])), auth));
                case "reenroll": return ended(words[1], service().simpleEnroll(true, request(words).build(signer(words[1])), auth));
                case "pop": return ended(words[1], service().simpleEnrollPoP(false, request(words), signer(words[1]), auth));
                case "serverkeygen": {
                    PKCS10CertificationRequest request = request(words).build(signer(words[1]));
                    return ended(words[1] + "-made", service().simpleEnrollWithServersideCreation(request, auth));
                }
                case "poll": return ended(waitingName, service().simpleEnroll(waiting));
                default: throw new IllegalArgumentException(words[0]);
            }
        } catch (ESTException refused) {
            InputStream body = refused.getBody();
            String text = body == null ? "" : new String(body.readAllBytes()).trim();
            return "refused " + refused.getStatusCode() + ": " + (text.isEmpty() ? refused.getMessage() : text).replace('\n', ' ');
        } catch (IOException broken) {
            return "broken: " + broken.getMessage();
        }
    }

    private ESTService service() throws Exception {
        Set<TrustAnchor> anchors = Set.of(new TrustAnchor(ca, null));
        JsseESTServiceBuilder builder =
            new JsseESTServiceBuilder(server, JcaJceUtils.getCertPathTrustManager(anchors, null));
        builder.withHostNameAuthorizer(new JsseDefaultHostnameAuthorizer(Set.of()));
        builder.withTLSVersion(version).withProvider(provider).withTimeout(60_000);
        builder.withChannelBindingProvider(new Unique());
        if (label != null) {
            builder.withLabel(label);
        }
        if (!identity.equals("nobody")) {
            KeyStore store = KeyStore.getInstance("PKCS12");
            store.load(null, null);
            X509Certificate own = certificate(Path.of(identity + ".pem"));
            store.setKeyEntry("own", key(identity), new char[0], new X509Certificate[] { own });
            KeyManagerFactory managers = KeyManagerFactory.getInstance("PKIX", provider);
            managers.init(store, new char[0]);
            builder.withKeyManagers(managers.getKeyManagers());
        }
        return builder.build();
    }

    /** What Bouncy Castle's own providers answer in TLS 1.2: tls-unique. */
    private static final class Unique implements ChannelBindingProvider {
        @Override
        public boolean canAccessChannelBinding(Socket socket) {
            return socket instanceof org.bouncycastle.jsse.BCSSLSocket;
        }

        @Override
        public byte[] getChannelBinding(Socket socket, String type) {
            return ((org.bouncycastle.jsse.BCSSLSocket) socket).getConnection().getChannelBinding(type);
        }
    }

    private String ended(String name, EnrollmentResponse answer) throws Exception {
        if (!answer.isCompleted()) {
            waiting = answer;
            waitingName = name;
            return "wait " + Math.round((answer.getNotBefore() - System.currentTimeMillis()) / 1000.0);
        }
        X509CertificateHolder[] issued = ESTService.storeToArray(answer.getStore());
        write(name + ".pem", CERTIFICATES.getCertificate(issued[0]));
        PrivateKeyInfo made = answer.getPrivateKeyInfo();
        if (made != null) {
            write(name + ".key", new JcaPEMKeyConverter().getPrivateKey(made));
        }
        return issued.length == 1 ? "issued" : issued.length + " certificates";
    }

    private String makeKey(String name, String kind) throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance(kind, "BC");
        generator.initialize(kind.equals("EC") ? 256 : 2048);
        KeyPair pair = generator.generateKeyPair();
        write(name + ".key", pair.getPrivate());
        write(name + ".pub", pair.getPublic());
        return "ok";
    }

    private PKCS10CertificationRequestBuilder request(String[] words) throws Exception {
        ExtensionsGenerator extensions = new ExtensionsGenerator();
        GeneralName name = new GeneralName(GeneralName.dNSName, words[2] + ".example");
        extensions.addExtension(Extension.subjectAlternativeName, false, new GeneralNames(name));
        try (PEMParser parser = new PEMParser(new FileReader(words[1] + ".pub"))) {
            var key = (org.bouncycastle.asn1.x509.SubjectPublicKeyInfo) parser.readObject();
            return new PKCS10CertificationRequestBuilder(new X500Name("CN=" + words[2]), key)
                .addAttribute(PKCSObjectIdentifiers.pkcs_9_at_extensionRequest, extensions.generate());
        }
    }

    private static org.bouncycastle.operator.ContentSigner signer(String name) throws Exception {
        PrivateKey key = key(name);
        String algorithm = key.getAlgorithm().equals("RSA") ? "SHA256withRSA" : "SHA256withECDSA";
        return new JcaContentSignerBuilder(algorithm).setProvider("BC").build(key);
    }

    private static PrivateKey key(String name) throws Exception {
        try (PEMParser parser = new PEMParser(new FileReader(name + ".key"))) {
            Object read = parser.readObject();
            PrivateKeyInfo info = read instanceof org.bouncycastle.openssl.PEMKeyPair
                ? ((org.bouncycastle.openssl.PEMKeyPair) read).getPrivateKeyInfo() : (PrivateKeyInfo) read;
            return new JcaPEMKeyConverter().getPrivateKey(info);
        }
    }

    private static X509Certificate certificate(Path path) throws Exception {
        try (PEMParser parser = new PEMParser(Files.newBufferedReader(path))) {
            return CERTIFICATES.getCertificate((X509CertificateHolder) parser.readObject());
        }
    }

    private static void write(String path, Object object) throws Exception {
        try (JcaPEMWriter writer = new JcaPEMWriter(new FileWriter(path))) {
            writer.writeObject(object);
        }
    }
}
