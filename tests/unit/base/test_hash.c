/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "base/rng.h"

#include "test.h"

#define SHA256(text, want)       check_sha256(__LINE__, text, want)
#define SHA1(text, want)         check_sha1(__LINE__, text, want)
#define UUID5(space, name, want) check_uuid5(__LINE__, space, name, want)

#define DNS "6ba7b810-9dad-11d1-80b4-00c04fd430c8" /* RFC 4122, appendix C */

static void check_sha256(int line, const char *text, const char *want)
{
    char got[2 * SHA256_SIZE + 1];

    sha256_hex(text, strlen(text), got);
    CHECK_STR_AT(line, got, want);
}

static void check_sha1(int line, const char *text, const char *want)
{
    uint8_t digest[SHA1_SIZE];
    char got[2 * SHA1_SIZE + 1];

    sha1(text, strlen(text), digest);
    hex_encode(digest, sizeof(digest), got);
    CHECK_STR_AT(line, got, want);
}

static void check_uuid5(int line, const char *space, const char *name, const char *want)
{
    char got[UUID_TEXT_SIZE] = "untouched";

    CHECK_AT(line, uuid5(space, name, got) == (want != NULL));
    CHECK_STR_AT(line, got, want ? want : "untouched");
}

TEST(digests_of_published_vectors)
{
    SHA256("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    SHA256("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    SHA256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
           "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    SHA1("", "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    SHA1("abc", "a9993e364706816aba3e25717850c26c9cd0d89d");
}

TEST(uuids_of_names)
{
    UUID5(DNS, "www.example.com", "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    UUID5("6BA7B810-9DAD-11D1-80B4-00C04FD430C8", "www.example.com",
          "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    UUID5(DNS, "python.org", "886313e1-3b8a-5372-9b90-0c9aee199e5d");
    UUID5("", "x", NULL);
    UUID5("6ba7b810-9dad-11d1-80b4-00c04fd430c", "x", NULL);
    UUID5("6ba7b810-9dad-11d1-80b4-00c04fd430c8a", "x", NULL);
    UUID5("6ba7b810-9dad-11d1-80b4-00c04fd430cg", "x", NULL);
    UUID5("6ba7b81009dad-11d1-80b4-00c04fd430c8", "x", NULL);
    UUID5("6ba7b810-9dad-11d1-80b4-00c04fd4--c8", "x", NULL);
    UUID5("{ba7b810-9dad-11d1-80b4-00c04fd430c}", "x", NULL);
}

TEST(random_uuids_have_their_form_and_differ)
{
    char a[UUID_TEXT_SIZE], b[UUID_TEXT_SIZE], again[UUID_TEXT_SIZE];

    for (int i = 0; i < 100; i++) {
        uuid4(a);
        uuid4(b);
        CHECK(strcmp(a, b) != 0);
        CHECK_INT(strlen(a), 36);
        CHECK_INT(a[14], '4');
        CHECK(strchr("89ab", a[19]) != NULL);
        CHECK(uuid5(a, "", again)); /* which parses it */
    }
}

TEST(random_digits)
{
    char text[70];

    for (size_t n = 0; n <= 64; n++) {
        memset(text, '!', sizeof(text));
        random_hex(text, n);
        CHECK_INT(strlen(text), n);
        CHECK_INT(strspn(text, "0123456789abcdef"), n);
        CHECK_INT(text[n + 1], '!');
    }
}

TEST(randomness_that_repeats)
{
    char first[37], second[37], again[37];
    struct rng rng;

    rng_init(&rng, 7);
    random_redirect(&rng);
    uuid4(first);
    uuid4(second);
    rng_init(&rng, 7);
    uuid4(again);
    CHECK_STR(again, first);
    CHECK(strcmp(first, second) != 0);
    random_redirect(NULL);
    rng_init(&rng, 7);
    uuid4(again);
    CHECK(strcmp(again, first) != 0);
}

TEST(hexadecimal_text)
{
    char text[9];

    hex_encode((const uint8_t[]) {0x00, 0x0F, 0xA0, 0xFF}, 4, text);
    CHECK_STR(text, "000fa0ff");
    hex_encode(NULL, 0, text);
    CHECK_STR(text, "");
}
