/* A certification request by mbedTLS, as its own programs/x509/cert_req makes one. Prints PEM. */
#include <stdio.h>

#include "mbedtls/ctr_drbg.h"
#include "mbedtls/ecp.h"
#include "mbedtls/entropy.h"
#include "mbedtls/pk.h"
#include "mbedtls/x509_csr.h"

int main(void) {
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_pk_context key;
    mbedtls_x509write_csr request;
    unsigned char pem[4096];

    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random);
    mbedtls_pk_init(&key);
    mbedtls_x509write_csr_init(&request);
    if (mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, NULL, 0) != 0 ||
        mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) != 0 ||
        mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key), mbedtls_ctr_drbg_random, &random) != 0) {
        return 1;
    }
    mbedtls_x509write_csr_set_md_alg(&request, MBEDTLS_MD_SHA256);
    mbedtls_x509write_csr_set_key(&request, &key);
    if (mbedtls_x509write_csr_set_subject_name(&request, "C=DE,O=Example,CN=mbedtls") != 0 ||
        mbedtls_x509write_csr_set_key_usage(&request, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) != 0 ||
        mbedtls_x509write_csr_set_ns_cert_type(&request, MBEDTLS_X509_NS_CERT_TYPE_SSL_CLIENT) != 0 ||
        mbedtls_x509write_csr_pem(&request, pem, sizeof pem, mbedtls_ctr_drbg_random, &random) != 0) {
        return 1;
    }
    fputs((const char *) pem, stdout);
    return 0;
}
