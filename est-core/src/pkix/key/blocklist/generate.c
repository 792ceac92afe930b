// Makes the keys that Debian's OpenSSL of 2006 to 2008 could make (CVE-2008-0166): see README.md.
//
//   cc -O3 -march=native -o generate generate.c -lgmp
//   ./generate rsa BITS  WORD ENDIAN HISTORY FIRST LAST    prints "pid modulus" in hexadecimal
//   ./generate ec  ORDER WORD ENDIAN HISTORY FIRST LAST    prints "pid scalar"; ORDER is the group's, in hexadecimal
//
// WORD is 64 or 32, ENDIAN le or be. HISTORY says what became of the file of random octets of the one who called: rnd
// (read), noreadrnd (there, but not readable), nornd (not there).
//
// The generator took nothing from its input but how long it was, and the number of the process: 1 to 32767. What it
// hashes is thus known; the rest is OpenSSL's way to make a prime. Needs AVX-512 IFMA: eight processes at a time.

#include <gmp.h>
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POOL = 1023, DIGEST = 20, LANES = 8, LIMBS = 40, PRIMES = 2048 };

static int word, big_endian;
static const char *history;

// SHA-1 (FIPS 180-4) of a message of less than 120 octets.
static void sha1(const uint8_t *message, size_t length, uint8_t digest[DIGEST]) {
    uint8_t padded[128] = {0};
    size_t blocks = length < 56 ? 1 : 2;
    memcpy(padded, message, length);
    padded[length] = 0x80;
    padded[blocks * 64 - 2] = length * 8 >> 8;
    padded[blocks * 64 - 1] = length * 8;
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    for (size_t block = 0; block < blocks; block++) {
        uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
        for (int i = 0; i < 16; i++) {
            memcpy(&w[i], padded + block * 64 + i * 4, 4);
            w[i] = __builtin_bswap32(w[i]);
        }
        for (int i = 16; i < 80; i++) {
            uint32_t x = w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16];
            w[i] = x << 1 | x >> 31;
        }
        for (int i = 0; i < 80; i++) {
            uint32_t f = i < 20   ? (d ^ (b & (c ^ d))) + 0x5a827999
                         : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
                         : i < 60 ? ((b & c) | (d & (b | c))) + 0x8f1bbcdc
                                  : (b ^ c ^ d) + 0xca62c1d6;
            uint32_t next = (a << 5 | a >> 27) + f + e + w[i];
            e = d, d = c, c = b << 30 | b >> 2, b = a, a = next;
        }
        h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
    }
    for (int i = 0; i < 5; i++) {
        uint32_t x = __builtin_bswap32(h[i]);
        memcpy(digest + i * 4, &x, 4);
    }
}

// The generator. `count` is its pair of counters: requests served, and blocks stirred in.
struct generator {
    uint8_t pool[POOL], digest[DIGEST];
    int filled, index, is_polled, is_stirred;
    uint64_t count[2];
    uint32_t pid;
};

static uint8_t *put(uint8_t *to, uint64_t value, int length) {
    for (int i = 0; i < length; i++)
        to[i] = value >> 8 * (big_endian ? length - 1 - i : i);
    return to + length;
}

static uint8_t *put_counters(uint8_t *to, const uint64_t count[2]) {
    return put(put(to, count[0], word / 8), count[1], word / 8);
}

// Stirs in so many octets: which ones makes no difference, which is the flaw.
static void add(struct generator *g, int length) {
    uint8_t local[DIGEST], message[64];
    uint64_t count[2] = {g->count[0], g->count[1]};
    int at = g->index;
    memcpy(local, g->digest, DIGEST);
    g->index += length;
    if (g->index >= POOL) {
        g->index %= POOL;
        g->filled = POOL;
    } else if (g->index > g->filled) {
        g->filled = g->index;
    }
    g->count[1] += (length + DIGEST - 1) / DIGEST;
    for (int i = 0; i < length; i += DIGEST) {
        int block = length - i < DIGEST ? length - i : DIGEST;
        uint8_t *end = message;
        memcpy(end, local, DIGEST);
        end += DIGEST;
        for (int j = 0; j < block; j++)
            *end++ = g->pool[(at + j) % POOL];
        end = put_counters(end, count);
        sha1(message, end - message, local);
        count[1]++;
        for (int j = 0; j < block; j++) {
            g->pool[at] ^= local[j];
            at = (at + 1) % POOL;
        }
    }
    for (int i = 0; i < DIGEST; i++)
        g->digest[i] ^= local[i];
}

// 32 octets from the system, then process, user and time.
static void poll(struct generator *g) {
    if (g->is_polled++)
        return;
    add(g, 32);
    for (int i = 0; i < 3; i++)
        add(g, word / 8);
}

static void take(struct generator *g, uint8_t *to, int length) {
    uint8_t local[DIGEST], message[64];
    poll(g);
    if (!g->is_stirred++)
        for (int left = POOL; left > 0; left -= DIGEST)
            add(g, DIGEST);
    int at = g->index, filled = g->filled, is_first = 1;
    uint64_t count[2] = {g->count[0], g->count[1]};
    memcpy(local, g->digest, DIGEST);
    g->index += (length + 9) / 10 * 10;
    if (g->index > g->filled)
        g->index %= g->filled;
    g->count[0]++;
    for (; length > 0; length -= 10, is_first = 0) {
        uint8_t *end = message;
        if (is_first && g->pid)
            end = put(end, g->pid, 4);
        memcpy(end, local, DIGEST);
        end = put_counters(end + DIGEST, count);
        for (int i = 0; i < 10; i++)
            *end++ = g->pool[(at + i) % filled];
        sha1(message, end - message, local);
        for (int i = 0; i < 10; i++) {
            g->pool[at] ^= local[i];
            at = (at + 1) % filled;
            if (i < length)
                *to++ = local[i + 10];
        }
    }
    uint8_t *end = put_counters(message, count);
    memcpy(end, local, DIGEST);
    memcpy(end + DIGEST, g->digest, DIGEST);
    sha1(message, end + 2 * DIGEST - message, g->digest);
}

// The state of a process when it begins to make a key.
static void start(struct generator *g, uint32_t pid) {
    memset(g, 0, sizeof *g);
    g->pid = pid;
    // What stat() says of the file, then its contents.
    if (strcmp(history, "nornd"))
        add(g, word == 64 ? 144 : 88);
    if (!strcmp(history, "rnd"))
        add(g, 1024);
    else
        poll(g);
}

// A number of so many bits; of a prime, the two highest bits and the lowest are set.
static void number(struct generator *g, mpz_t to, int bits, int for_prime) {
    uint8_t octets[512];
    int length = (bits + 7) / 8, highest = (bits - 1) % 8;
    add(g, word / 8);
    take(g, octets, length);
    octets[0] &= 0xff >> (7 - highest);
    if (for_prime) {
        octets[0] |= 3 << (highest - 1);
        octets[length - 1] |= 1;
    }
    mpz_import(to, length, 1, 1, 1, 0, octets);
}

// A number below `bound`, whose two highest bits are set.
static void below(struct generator *g, mpz_t to, const mpz_t bound) {
    do
        number(g, to, mpz_sizeinbase(bound, 2), 0);
    while (mpz_cmp(to, bound) >= 0);
}

static uint16_t primes[PRIMES];

static void list_primes(void) {
    int length = 0;
    for (int n = 2; length < PRIMES; n++) {
        int is_prime = 1;
        for (int i = 0; i < length && primes[i] * primes[i] <= n; i++)
            is_prime &= n % primes[i] != 0;
        if (is_prime)
            primes[length++] = n;
    }
}

// The next number that no small prime divides, nor the number before it.
static void candidate(struct generator *g, mpz_t to, int bits) {
    enum { WINDOW = 2048 };
    static uint8_t sieve[WINDOW];
    static uint32_t rests[PRIMES];
    number(g, to, bits, 1);
    // Four primes at a time: their product fits into 64 bits.
    for (int i = 0; i < PRIMES; i += 4) {
        uint64_t product = (uint64_t)primes[i] * primes[i + 1] * primes[i + 2] * primes[i + 3];
        uint64_t rest = mpz_fdiv_ui(to, product);
        for (int j = i; j < i + 4; j++)
            rests[j] = rest % primes[j];
    }
    for (;;) {
        memset(sieve, 0, sizeof sieve);
        for (int i = 1; i < PRIMES; i++) {
            // Every delta with (rest + delta) % prime of 0 or 1.
            uint32_t prime = primes[i], zero = rests[i] ? prime - rests[i] : 0;
            uint32_t one = zero + 1 == prime ? 0 : zero + 1;
            for (; zero < WINDOW; zero += prime)
                sieve[zero] = 1;
            for (; one < WINDOW; one += prime)
                sieve[one] = 1;
        }
        int delta = 0;
        while (delta < WINDOW && sieve[delta])
            delta += 2;
        mpz_add_ui(to, to, delta);
        if (delta < WINDOW)
            return;
        for (int i = 0; i < PRIMES; i++)
            rests[i] = (rests[i] + WINDOW) % primes[i];
    }
}

typedef __m512i v;
#define LO(sum, a, b) _mm512_madd52lo_epu64(sum, a, b)
#define HI(sum, a, b) _mm512_madd52hi_epu64(sum, a, b)
#define ADD(a, b) _mm512_add_epi64(a, b)

// x becomes x² / 2^(52 limbs) modulo n, times two where `bit` is set; not reduced quite.
#define SQUARE(NAME, N)                                                                                                \
    static void NAME(v *restrict x, const v *restrict n, v inverse, v bit) {                                           \
        const v zero = _mm512_setzero_si512(), mask = _mm512_set1_epi64((1LL << 52) - 1);                              \
        v m[N], out[N], carry = zero;                                                                                  \
        _Pragma("GCC unroll 128") for (int k = 0; k < 2 * N; k++) {                                                    \
            v lo = zero, hi = zero, mlo = zero, mhi = zero;                                                            \
            _Pragma("GCC unroll 128") for (int i = 0; i < N; i++) {                                                    \
                if (i < k - i && k - i < N)                                                                            \
                    lo = LO(lo, x[i], x[k - i]);                                                                       \
                if (i < k - 1 - i && k - 1 - i < N)                                                                    \
                    hi = HI(hi, x[i], x[k - 1 - i]);                                                                   \
                if (i < k && k - i < N)                                                                                \
                    mlo = LO(mlo, m[i], n[k - i]);                                                                     \
                if (i < k && k - 1 - i < N && k - 1 - i >= 0)                                                          \
                    mhi = HI(mhi, m[i], n[k - 1 - i]);                                                                 \
            }                                                                                                          \
            v sum = _mm512_slli_epi64(ADD(lo, hi), 1);                                                                 \
            sum = k % 2 ? HI(sum, x[k / 2], x[k / 2]) : LO(sum, x[k / 2], x[k / 2]);                                   \
            sum = ADD(sum, ADD(mlo, mhi));                                                                             \
            if (k < N) {                                                                                               \
                sum = ADD(sum, carry);                                                                                 \
                m[k] = LO(zero, sum, inverse);                                                                         \
                carry = _mm512_srli_epi64(LO(sum, m[k], n[0]), 52);                                                    \
            } else {                                                                                                   \
                sum = k == N ? _mm512_sllv_epi64(ADD(sum, carry), bit) : ADD(_mm512_sllv_epi64(sum, bit), carry);      \
                out[k - N] = _mm512_and_si512(sum, mask);                                                              \
                carry = _mm512_srli_epi64(sum, 52);                                                                    \
            }                                                                                                          \
        }                                                                                                              \
        memcpy(x, out, sizeof out);                                                                                    \
    }

SQUARE(square_1024, 20)
SQUARE(square_1536, 30)
SQUARE(square_2048, 40)

static uint64_t limb(const mpz_t number, int index) {
    uint64_t value = 0;
    for (int bit = 0; bit < 52; bit++)
        value |= (uint64_t)mpz_tstbit(number, index * 52 + bit) << bit;
    return value;
}

// Whether 2^(n - 1) is 1 modulo n, of eight numbers.
static void fermat(mpz_t n[LANES], int bits, int is_prime[LANES]) {
    static uint64_t x[LIMBS][LANES] __attribute__((aligned(64))), moduli[LIMBS][LANES] __attribute__((aligned(64)));
    uint64_t inverse[LANES], bit[LANES];
    int limbs = bits == 1024 ? 20 : bits == 1536 ? 30 : 40;
    mpz_t one, r, got;
    mpz_inits(one, r, got, NULL);
    for (int lane = 0; lane < LANES; lane++) {
        mpz_setbit(r, 52 * limbs);
        mpz_mod(one, r, n[lane]);
        mpz_set_ui(r, 0);
        uint64_t low = limb(n[lane], 0), inverted = 1;
        for (int i = 0; i < 6; i++)
            inverted *= 2 - low * inverted;
        inverse[lane] = -inverted & ((1ULL << 52) - 1);
        for (int i = 0; i < limbs; i++) {
            x[i][lane] = limb(one, i);
            moduli[i][lane] = limb(n[lane], i);
        }
    }
    v inverses = _mm512_loadu_si512(inverse);
    for (int at = bits - 1; at >= 0; at--) {
        for (int lane = 0; lane < LANES; lane++)
            bit[lane] = at > 0 && mpz_tstbit(n[lane], at);
        v shift = _mm512_loadu_si512(bit);
        (bits == 1024 ? square_1024 : bits == 1536 ? square_1536 : square_2048)((v *)x, (v *)moduli, inverses, shift);
    }
    for (int lane = 0; lane < LANES; lane++) {
        mpz_set_ui(got, 0);
        for (int i = limbs - 1; i >= 0; i--) {
            mpz_mul_2exp(got, got, 52);
            mpz_add_ui(got, got, x[i][lane]);
        }
        mpz_setbit(r, 52 * limbs);
        mpz_sub(got, got, r);
        mpz_set_ui(r, 0);
        is_prime[lane] = mpz_divisible_p(got, n[lane]);
    }
    mpz_clears(one, r, got, NULL);
}

static void rsa(int bits, int pid, int last) {
    struct { struct generator g; mpz_t p; int is_busy, has_p; } lanes[LANES];
    mpz_t n[LANES], witness, bound;
    int half = bits / 2, busy = 0, checks = half >= 1300 ? 2 : 3, is_prime[LANES];
    mpz_inits(witness, bound, NULL);
    for (int i = 0; i < LANES; i++) {
        mpz_init_set_ui(n[i], 3);
        mpz_init(lanes[i].p);
        lanes[i].is_busy = 0;
    }
    for (;;) {
        for (int i = 0; i < LANES; i++) {
            if (!lanes[i].is_busy && pid <= last) {
                start(&lanes[i].g, pid++);
                lanes[i].is_busy = 1, lanes[i].has_p = 0, busy++;
            }
            if (lanes[i].is_busy)
                candidate(&lanes[i].g, n[i], half);
        }
        if (!busy)
            break;
        fermat(n, half, is_prime);
        for (int i = 0; i < LANES; i++) {
            if (!lanes[i].is_busy)
                continue;
            // Miller and Rabin's test: one witness shows that a number is composite, a prime stands all of them.
            mpz_sub_ui(bound, n[i], 1);
            for (int check = 0; check < (is_prime[i] ? checks : 1); check++)
                below(&lanes[i].g, witness, bound);
            if (!is_prime[i] || mpz_divisible_ui_p(bound, 65537))
                continue;
            if (!lanes[i].has_p) {
                mpz_set(lanes[i].p, n[i]);
                lanes[i].has_p = 1;
            } else {
                mpz_mul(witness, lanes[i].p, n[i]);
                gmp_printf("%d %Zx\n", lanes[i].g.pid, witness);
                lanes[i].is_busy = 0, busy--;
            }
        }
    }
}

static void ec(const char *order, int pid, int last) {
    struct generator g;
    mpz_t bound, scalar;
    mpz_init_set_str(bound, order, 16);
    mpz_init(scalar);
    for (; pid <= last; pid++) {
        start(&g, pid);
        below(&g, scalar, bound);
        gmp_printf("%d %Zx\n", pid, scalar);
    }
}

int main(int count, char **arguments) {
    if (count != 8)
        return fprintf(stderr, "see the first lines of generate.c\n"), 2;
    word = atoi(arguments[3]), big_endian = !strcmp(arguments[4], "be"), history = arguments[5];
    int first = atoi(arguments[6]), last = atoi(arguments[7]);
    list_primes();
    if (!strcmp(arguments[1], "rsa"))
        rsa(atoi(arguments[2]), first, last);
    else
        ec(arguments[2], first, last);
}
