/* An EST client on wolfSSL alone: its TLS, keys, requests, base64 and CMS.
 *
 *   wolfssl 1.2|1.3 PORT CA.pem cacerts OUT.pem
 *   wolfssl 1.2|1.3 PORT CA.pem enroll PASSWORD CN KEY.der OUT.pem
 *   wolfssl 1.2|1.3 PORT CA.pem reenroll OLD.pem OLDKEY.der CN KEY.der OUT.pem
 *
 * A key that does not exist is made. */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/error-ssl.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/coding.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/pkcs7.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHECK(condition, ...) \
    do { if (!(condition)) { fprintf(stderr, __VA_ARGS__); fputc('\n', stderr); exit(1); } } while (0)

static byte answer[65536];
static int answer_length;

static void write_file(const char *path, const byte *octets, size_t length)
{
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(octets, 1, length, file) == length && fclose(file) == 0, "cannot write %s", path);
}

/* A P-256 key from a file, or a new one. */
static void load_key(ecc_key *key, WC_RNG *rng, const char *path)
{
    byte der[512];
    word32 at = 0;
    FILE *file = fopen(path, "rb");
    CHECK(wc_ecc_init(key) == 0, "no key");
    if (file) {
        size_t length = fread(der, 1, sizeof der, file);
        fclose(file);
        CHECK(wc_EccPrivateKeyDecode(der, &at, key, (word32)length) == 0, "cannot read %s", path);
    } else {
        CHECK(wc_ecc_make_key_ex(rng, 32, key, ECC_SECP256R1) == 0, "cannot make a key");
        int length = wc_EccKeyToDer(key, der, sizeof der);
        CHECK(length > 0, "cannot encode a key");
        write_file(path, der, (size_t)length);
    }
}

/* Base64 of a request for CN, in wolfSSL's own lines. */
static word32 make_request(byte *text, word32 room, const char *common_name, const char *key_path)
{
    static Cert request;
    byte der[2048];
    ecc_key key;
    WC_RNG rng;
    CHECK(wc_InitRng(&rng) == 0, "no randomness");
    load_key(&key, &rng, key_path);
    wc_InitCert(&request);
    request.version = 0;
    snprintf(request.subject.commonName, CTC_NAME_SIZE, "%s", common_name);
    request.sigType = CTC_SHA256wECDSA;
    int length = wc_MakeCertReq(&request, der, sizeof der, NULL, &key);
    CHECK(length > 0, "wc_MakeCertReq: %d", length);
    length = wc_SignCert(request.bodySz, request.sigType, der, sizeof der, NULL, &key, &rng);
    CHECK(length > 0, "wc_SignCert: %d", length);
    CHECK(Base64_Encode(der, (word32)length, text, &room) == 0, "cannot encode the request");
    return room;
}

/* Sends one request and reads the answer to its end. */
static void exchange(WOLFSSL_CTX *context, int port, const char *request, size_t length)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port) };
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(connection, (struct sockaddr *)&address, sizeof address) == 0, "cannot connect");
    WOLFSSL *ssl = wolfSSL_new(context);
    CHECK(ssl && wolfSSL_check_domain_name(ssl, "localhost") == WOLFSSL_SUCCESS, "no connection");
    wolfSSL_set_fd(ssl, connection);
    int result = wolfSSL_connect(ssl);
    CHECK(result == WOLFSSL_SUCCESS, "handshake: error %d", wolfSSL_get_error(ssl, result));
    CHECK(wolfSSL_write(ssl, request, (int)length) == (int)length, "cannot write");
    while ((result = wolfSSL_read(ssl, answer + answer_length, (int)sizeof answer - 1 - answer_length)) > 0)
        answer_length += result;
    int error = wolfSSL_get_error(ssl, result);
    CHECK(error == WOLFSSL_ERROR_ZERO_RETURN || error == SOCKET_PEER_CLOSED_E, "read: error %d", error);
    wolfSSL_free(ssl);
    close(connection);
}

/* Writes the certificates of the answer as PEM. */
static void save_certificates(const char *path)
{
    static byte message[32768], pem[32768];
    word32 length = sizeof message;
    byte *body = (byte *)strstr((char *)answer, "\r\n\r\n");
    CHECK(body && strncmp((char *)answer, "HTTP/1.1 200 ", 13) == 0, "%s", answer);
    body += 4;
    CHECK(Base64_Decode(body, (word32)(answer + answer_length - body), message, &length) == 0, "not base64");
    PKCS7 *cms = wc_PKCS7_New(NULL, INVALID_DEVID);
    int result = wc_PKCS7_VerifySignedData(cms, message, length);
    CHECK(result == 0, "wc_PKCS7_VerifySignedData: %d", result);
    int written = 0;
    for (int at = 0; at < MAX_PKCS7_CERTS && cms->certSz[at] > 0; at++) {
        int size = wc_DerToPem(cms->cert[at], cms->certSz[at], pem + written, sizeof pem - written, CERT_TYPE);
        CHECK(size > 0, "wc_DerToPem: %d", size);
        written += size;
    }
    CHECK(written > 0, "no certificate");
    write_file(path, pem, (size_t)written);
    wc_PKCS7_Free(cms);
}

int main(int count, char **argument)
{
    static byte body[8192], request[16384], credential[512];
    CHECK(count > 5, "too few arguments");
    int port = atoi(argument[2]);
    const char *operation = argument[4], *out = argument[count - 1];
    wolfSSL_Init();
    WOLFSSL_CTX *context =
        wolfSSL_CTX_new(strcmp(argument[1], "1.3") ? wolfTLSv1_2_client_method() : wolfTLSv1_3_client_method());
    CHECK(wolfSSL_CTX_load_verify_locations(context, argument[3], NULL) == WOLFSSL_SUCCESS, "cannot read the CA");
    int length;
    if (strcmp(operation, "cacerts") == 0) {
        length = snprintf((char *)request, sizeof request,
            "GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    } else {
        int renews = strcmp(operation, "reenroll") == 0;
        char **rest = argument + (renews ? 7 : 6);
        word32 body_length = make_request(body, sizeof body, rest[0], rest[1]);
        char authorization[600] = "";
        if (renews) {
            CHECK(wolfSSL_CTX_use_certificate_file(context, argument[5], WOLFSSL_FILETYPE_PEM) == WOLFSSL_SUCCESS,
                "cannot use %s", argument[5]);
            CHECK(wolfSSL_CTX_use_PrivateKey_file(context, argument[6], WOLFSSL_FILETYPE_ASN1) == WOLFSSL_SUCCESS,
                "cannot use %s", argument[6]);
        } else {
            char pair[256];
            word32 room = sizeof credential - 1;
            int pair_length = snprintf(pair, sizeof pair, ":%s", argument[5]);
            CHECK(Base64_Encode_NoNl((byte *)pair, (word32)pair_length, credential, &room) == 0, "no credential");
            snprintf(authorization, sizeof authorization, "Authorization: Basic %s\r\n", credential);
        }
        length = snprintf((char *)request, sizeof request,
            "POST /.well-known/est/simple%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s"
            "Content-Type: application/pkcs10\r\nContent-Transfer-Encoding: base64\r\nContent-Length: %u\r\n\r\n%.*s",
            operation, authorization, body_length, (int)body_length, body);
    }
    exchange(context, port, (char *)request, (size_t)length);
    save_certificates(out);
    wolfSSL_CTX_free(context);
    wolfSSL_Cleanup();
    return 0;
}
