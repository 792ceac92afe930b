// A certification request by Go. Prints PEM.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"net/url"
	"os"
)

func main() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	request := x509.CertificateRequest{
		Subject:        pkix.Name{Organization: []string{"Example"}, CommonName: "go"},
		DNSNames:       []string{"go.example.org"},
		EmailAddresses: []string{"go@example.org"},
		IPAddresses:    []net.IP{net.IPv4(10, 0, 0, 7), net.ParseIP("2001:db8::7")},
		URIs:           []*url.URL{{Scheme: "spiffe", Host: "plant.example", Path: "/go"}},
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &request, key)
	if err != nil {
		panic(err)
	}
	pem.Encode(os.Stdout, &pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}
