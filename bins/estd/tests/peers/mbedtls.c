/* An EST client on mbedTLS alone: its TLS, keys, requests, base64 and ASN.1.
 *
 *   mbedtls PORT CA.pem cacerts OUT.pem
 *   mbedtls PORT CA.pem enroll PASSWORD CN KEY.pem OUT.pem
 *   mbedtls PORT CA.pem reenroll OLD.pem OLDKEY.pem CN KEY.pem OUT.pem
 *
 * A key that does not exist is made. */
#include <mbedtls/asn1.h>
#include <mbedtls/base64.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecp.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/pem.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_csr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition, ...) \
    do { if (!(condition)) { fprintf(stderr, __VA_ARGS__); fputc('\n', stderr); exit(1); } } while (0)

static mbedtls_ctr_drbg_context random_context;
static unsigned char answer[65536];
static size_t answer_length;

static void check(int result, const char *what)
{
    char text[200];
    mbedtls_strerror(result, text, sizeof text);
    CHECK(result >= 0, "%s: %s", what, text);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0, "cannot write %s", path);
}

/* A key from a file, or a new one: RSA where the name begins so, else P-256. */
static void load_key(mbedtls_pk_context *key, const char *path)
{
    unsigned char pem[8192];
    mbedtls_pk_init(key);
    FILE *file = fopen(path, "r");
    if (file) {
        fclose(file);
        check(mbedtls_pk_parse_keyfile(key, path, NULL), path);
        return;
    }
    if (strncmp(path, "rsa", 3) == 0) {
        check(mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)), "pk_setup");
        check(mbedtls_rsa_gen_key(mbedtls_pk_rsa(*key), mbedtls_ctr_drbg_random, &random_context, 2048, 65537),
            "rsa_gen_key");
    } else {
        check(mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), "pk_setup");
        check(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), mbedtls_ctr_drbg_random,
            &random_context), "ecp_gen_key");
    }
    check(mbedtls_pk_write_key_pem(key, pem, sizeof pem), "pk_write_key_pem");
    write_file(path, (char *)pem);
}

/* Base64 of a request for CN. */
static size_t make_request(unsigned char *text, size_t room, const char *common_name, const char *key_path)
{
    unsigned char der[4096];
    char subject[200];
    mbedtls_pk_context key;
    mbedtls_x509write_csr request;
    load_key(&key, key_path);
    mbedtls_x509write_csr_init(&request);
    mbedtls_x509write_csr_set_md_alg(&request, MBEDTLS_MD_SHA256);
    mbedtls_x509write_csr_set_key(&request, &key);
    snprintf(subject, sizeof subject, "CN=%s", common_name);
    check(mbedtls_x509write_csr_set_subject_name(&request, subject), "set_subject_name");
    check(mbedtls_x509write_csr_set_key_usage(&request, MBEDTLS_X509_KU_DIGITAL_SIGNATURE), "set_key_usage");
    int length = mbedtls_x509write_csr_der(&request, der, sizeof der, mbedtls_ctr_drbg_random, &random_context);
    check(length, "x509write_csr_der");
    /* It writes to the end of the buffer. */
    check(mbedtls_base64_encode(text, room, &room, der + sizeof der - length, (size_t)length), "base64_encode");
    return room;
}

/* Sends one request and reads the answer to its end. */
static void exchange(mbedtls_ssl_config *config, const char *port, const char *request, size_t length)
{
    mbedtls_ssl_context ssl;
    mbedtls_net_context connection;
    int result;
    mbedtls_ssl_init(&ssl);
    mbedtls_net_init(&connection);
    check(mbedtls_net_connect(&connection, "127.0.0.1", port, MBEDTLS_NET_PROTO_TCP), "net_connect");
    check(mbedtls_ssl_setup(&ssl, config), "ssl_setup");
    check(mbedtls_ssl_set_hostname(&ssl, "localhost"), "ssl_set_hostname");
    mbedtls_ssl_set_bio(&ssl, &connection, mbedtls_net_send, mbedtls_net_recv, NULL);
    check(mbedtls_ssl_handshake(&ssl), "handshake");
    for (size_t sent = 0; sent < length; sent += (size_t)result)
        check(result = mbedtls_ssl_write(&ssl, (const unsigned char *)request + sent, length - sent), "write");
    while ((result = mbedtls_ssl_read(&ssl, answer + answer_length, sizeof answer - 1 - answer_length)) > 0)
        answer_length += (size_t)result;
    if (result != MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
        check(result, "read");
    mbedtls_ssl_free(&ssl);
    mbedtls_net_free(&connection);
}

static unsigned char *enter(unsigned char **at, unsigned char *end, int tag)
{
    size_t length;
    check(mbedtls_asn1_get_tag(at, end, &length, tag), "the message's structure");
    return *at + length;
}

/* Writes the certificates of the answer as PEM. */
static void save_certificates(const char *path)
{
    static unsigned char message[32768], pem[32768];
    const int sequence = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE;
    const int tagged = MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_ASN1_CONSTRUCTED;
    size_t length, written = 0;
    unsigned char *body = (unsigned char *)strstr((char *)answer, "\r\n\r\n");
    CHECK(body && strncmp((char *)answer, "HTTP/1.1 200 ", 13) == 0, "%s", answer);
    body += 4;
    check(mbedtls_base64_decode(message, sizeof message, &length, body, (size_t)(answer + answer_length - body)),
        "base64_decode");
    /* ContentInfo, its type, SignedData, its version, digests and contents (RFC 5652 §5.1). */
    unsigned char *at = message, *end = message + length;
    end = enter(&at, end, sequence);
    at = enter(&at, end, MBEDTLS_ASN1_OID);
    end = enter(&at, end, tagged);
    end = enter(&at, end, sequence);
    at = enter(&at, end, MBEDTLS_ASN1_INTEGER);
    at = enter(&at, end, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SET);
    at = enter(&at, end, sequence);
    end = enter(&at, end, tagged);
    while (at < end) {
        unsigned char *start = at;
        mbedtls_x509_crt certificate;
        at = enter(&at, end, sequence);
        mbedtls_x509_crt_init(&certificate);
        check(mbedtls_x509_crt_parse_der(&certificate, start, (size_t)(at - start)), "x509_crt_parse_der");
        mbedtls_x509_crt_free(&certificate);
        check(mbedtls_pem_write_buffer("-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n", start,
            (size_t)(at - start), pem + written, sizeof pem - written, &length), "pem_write_buffer");
        written += length - 1;
    }
    CHECK(written > 0, "no certificate");
    write_file(path, (char *)pem);
}

int main(int count, char **argument)
{
    static unsigned char body[8192], credential[512];
    static char request[16384];
    mbedtls_entropy_context entropy;
    mbedtls_ssl_config config;
    mbedtls_x509_crt ca, own;
    mbedtls_pk_context own_key;
    int length;
    CHECK(count > 4, "too few arguments");
    const char *operation = argument[3];
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random_context);
    check(mbedtls_ctr_drbg_seed(&random_context, mbedtls_entropy_func, &entropy, NULL, 0), "ctr_drbg_seed");
    mbedtls_ssl_config_init(&config);
    check(mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
        MBEDTLS_SSL_PRESET_DEFAULT), "ssl_config_defaults");
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random_context);
    mbedtls_x509_crt_init(&ca);
    check(mbedtls_x509_crt_parse_file(&ca, argument[2]), argument[2]);
    mbedtls_ssl_conf_ca_chain(&config, &ca, NULL);
    if (strcmp(operation, "cacerts") == 0) {
        length = snprintf(request, sizeof request,
            "GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    } else {
        int renews = strcmp(operation, "reenroll") == 0;
        char **rest = argument + (renews ? 6 : 5), authorization[600] = "";
        CHECK(count == (renews ? 9 : 8), "wrong number of arguments");
        size_t body_length = make_request(body, sizeof body, rest[0], rest[1]);
        if (renews) {
            mbedtls_x509_crt_init(&own);
            mbedtls_pk_init(&own_key);
            check(mbedtls_x509_crt_parse_file(&own, argument[4]), argument[4]);
            check(mbedtls_pk_parse_keyfile(&own_key, argument[5], NULL), argument[5]);
            check(mbedtls_ssl_conf_own_cert(&config, &own, &own_key), "ssl_conf_own_cert");
        } else {
            char pair[256];
            size_t written;
            int pair_length = snprintf(pair, sizeof pair, ":%s", argument[4]);
            check(mbedtls_base64_encode(credential, sizeof credential, &written, (unsigned char *)pair,
                (size_t)pair_length), "base64_encode");
            snprintf(authorization, sizeof authorization, "Authorization: Basic %s\r\n", credential);
        }
        length = snprintf(request, sizeof request,
            "POST /.well-known/est/simple%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s"
            "Content-Type: application/pkcs10\r\nContent-Transfer-Encoding: base64\r\nContent-Length: %zu\r\n\r\n%s",
            operation, authorization, body_length, body);
    }
    exchange(&config, argument[1], request, (size_t)length);
    save_certificates(argument[count - 1]);
    return 0;
}
