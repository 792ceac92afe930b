//! The encoders, run.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use est_testkit::peers::{Directory, has_file, is_installed};

/// An encoder, and how it prints a request.
struct Tool {
    name: &'static str,
    /// The program that must be there.
    program: &'static str,
    /// A file that must be there, with the name of what brings it; in `$MODULES` where it is not absolute.
    file: Option<(&'static str, &'static str)>,
    /// For `sh`, with `$MAKERS`: the folder of the sources beside this file.
    command: &'static str,
}

const BOUNCY_CASTLE: Option<(&str, &str)> = Some(("Bouncy Castle", "/usr/share/java/bcpkix.jar"));

const TOOLS: [Tool; 13] = [
    Tool {
        name: "gnutls",
        program: "certtool",
        file: None,
        command: "certtool --generate-privkey --key-type ecdsa --outfile key.pem
            certtool --generate-request --load-privkey key.pem --template $MAKERS/gnutls.cfg",
    },
    Tool {
        name: "nss",
        program: "certutil",
        file: None,
        command: "certutil -N -d sql:. --empty-password && head -c 64 /dev/urandom >noise
            certutil -R -d sql:. -s CN=nss,O=Example,C=DE -k ec -q nistp256 -z noise -8 nss.example.org -a",
    },
    Tool {
        name: "keytool",
        program: "keytool",
        file: None,
        command: "keytool -genkeypair -keyalg EC -groupname secp256r1 -alias k -dname CN=keytool,O=Example \
                -keystore keys.p12 -storepass secret1
            keytool -certreq -alias k -keystore keys.p12 -storepass secret1 \
                -ext SAN=dns:keytool.example.org,ip:10.0.0.7 -ext EKU=clientAuth",
    },
    Tool {
        name: "openssl-text",
        program: "openssl",
        file: None,
        command: "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -text \
                -subj /C=DE/O=Example/CN=openssl -addext subjectAltName=DNS:openssl.example.org",
    },
    Tool {
        name: "mbedtls",
        program: "gcc",
        file: Some(("libmbedtls-dev", "/usr/include/mbedtls/x509_csr.h")),
        command: "gcc $MAKERS/mbedtls.c -o request -lmbedx509 -lmbedcrypto && ./request",
    },
    Tool {
        name: "bouncycastle",
        program: "javac",
        file: BOUNCY_CASTLE,
        command: "java -cp $JARS $MAKERS/BouncyCastle.java attributes",
    },
    Tool {
        name: "bouncycastle-without-attributes",
        program: "javac",
        file: BOUNCY_CASTLE,
        command: "java -cp $JARS $MAKERS/BouncyCastle.java none",
    },
    Tool {
        name: "phpseclib",
        program: "php",
        file: Some(("phpseclib", "/usr/share/php/phpseclib3/autoload.php")),
        command: "php $MAKERS/phpseclib.php",
    },
    Tool { name: "forge", program: "node", file: Some(("node-forge", "node-forge")), command: "node $MAKERS/forge.js" },
    Tool { name: "pkijs", program: "node", file: Some(("PKI.js", "pkijs")), command: "node $MAKERS/pkijs.js ECDSA" },
    Tool {
        name: "pkijs-rsa-pss",
        program: "node",
        file: Some(("PKI.js", "pkijs")),
        command: "node $MAKERS/pkijs.js RSA-PSS",
    },
    Tool { name: "ruby", program: "ruby", file: None, command: "ruby $MAKERS/ruby.rb" },
    Tool { name: "go", program: "go", file: None, command: "go run $MAKERS/request.go" },
];

/// A request of each that is installed, as it writes it.
pub(crate) fn requests() -> Vec<(String, Vec<u8>)> {
    let installed = TOOLS.into_iter().filter(Tool::is_installed);
    // Most of the time is a virtual machine's that starts.
    let made = installed.map(|tool| thread::spawn(move || (tool.name.to_owned(), tool.run())));
    let made: Vec<_> = made.collect();
    made.into_iter().map(|made| made.join().expect("the tool makes a request")).collect()
}

impl Tool {
    fn is_installed(&self) -> bool {
        is_installed(self.program) && self.file.is_none_or(|(brings, file)| has_file(brings, &modules().join(file)))
    }

    fn run(&self) -> Vec<u8> {
        let folder = Directory::new();
        let mut command = Command::new("sh");
        command.args(["-e", "-c", self.command]).current_dir(folder.path()).stdin(Stdio::null());
        command.env("MAKERS", Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/encoders/makers"));
        command
            .env("NODE_PATH", modules())
            .env("JARS", "/usr/share/java/bcprov.jar:/usr/share/java/bcutil.jar:/usr/share/java/bcpkix.jar");
        command.env("GO111MODULE", "off").env("GOCACHE", modules().join("../../go"));
        let output = command.output().expect("sh runs");
        assert!(output.status.success(), "{}: {}", self.name, String::from_utf8_lossy(&output.stderr));
        output.stdout
    }
}

/// The packages for Node: in `OHIA_NODE_MODULES`, or where `test.sh` puts them.
fn modules() -> PathBuf {
    env::var_os("OHIA_NODE_MODULES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers/npm/node_modules"),
        PathBuf::from,
    )
}
