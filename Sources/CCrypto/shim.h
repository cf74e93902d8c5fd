#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/md5.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

// Deprecated, but the functions that are not make a context for each digest: that costs as much as
// 100 bytes more.
static inline int msorch_md5(const void *bytes, size_t count, unsigned char *digest) {
    return MD5(bytes, count, digest) != NULL;
}

// A macro that Swift cannot read.
static inline int msorch_public_key_parts(void) { return EVP_PKEY_PUBLIC_KEY; }

// Parameters and their builders keep the names that they are given: literals stay.
static inline int msorch_hash_by_sha256(EVP_MAC_CTX *context) {
    char digest[] = "SHA256";
    OSSL_PARAM parts[] = {OSSL_PARAM_construct_utf8_string("digest", digest, 0), OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(context, parts);
}

static inline int msorch_push_rsa(OSSL_PARAM_BLD *parts, const BIGNUM *n, const BIGNUM *e) {
    return OSSL_PARAM_BLD_push_BN(parts, "n", n) && OSSL_PARAM_BLD_push_BN(parts, "e", e);
}

static inline int msorch_push_point(
    OSSL_PARAM_BLD *parts, const char *curve, const unsigned char *point, size_t count) {
    return OSSL_PARAM_BLD_push_utf8_string(parts, "group", curve, 0)
        && OSSL_PARAM_BLD_push_octet_string(parts, "pub", point, count);
}
