/* SPDX-License-Identifier: Apache-2.0 */
#include "model/image.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "test.h"

#define HEX32 "0123456789abcdef0123456789ABCDEF"
#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define A50   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A128  A50 A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A255  A50 A50 A50 A50 A50 "aaaaa"

#define VALID(image)         check_valid(__LINE__, image)
#define INVALID(image, text) check_invalid(__LINE__, image, text)

static void check_valid(int line, const char *image)
{
    struct error err;

    CHECK_OK_AT(line, image_check(image, &err), &err);
}

static void check_invalid(int line, const char *image, const char *text)
{
    struct error err;

    CHECK_ERROR_AT(line, image_check(image, &err), &err, ERROR_INVALID);
    CHECK_HAS_AT(line, err.text, text);
}

/* STYX-CFG-03 */
TEST(valid_images)
{
    VALID("busybox");
    VALID("busybox:1");
    VALID("library/busybox:latest");
    VALID("a/b/c/d_e.f-g");
    VALID("gcr.io/project/image:1.2.3-rc_1");
    VALID("gcr.io/project/image@sha256:" HEX64);
    VALID("gcr.io/project/image:tag@sha256:" HEX64);
    VALID("localhost/busybox");
    VALID("localhost:5000/busybox:1");
    VALID("registry:5000/busybox");
    VALID("registry:0/busybox");
    VALID("registry:65535/busybox");
    VALID("registry:000065535/busybox");
    VALID("10.0.0.1/busybox");
    VALID("10.0.0.1:5000/a/b:c");
    VALID("999.999.999.999/busybox");
    VALID("Registry.Example.COM/busybox");
    VALID("registry.example.com./busybox");
    VALID("my-registry.io/busybox");
    VALID("1.2.3.a/busybox");
    VALID("busybox:_");
    VALID("busybox:" A128);
    VALID("busybox@md5:" HEX32);
    VALID("busybox@a1.b2+c3_d4-e5:" HEX32);
    VALID(A255);
    VALID("registry.example.com/" A255);
    VALID("a/..b_");
}

/* STYX-CFG-03 */
TEST(invalid_tags)
{
    INVALID("busybox:", "Tag cannot be empty");
    INVALID("busybox:@sha256:" HEX64, "Tag cannot be empty");
    INVALID("busybox:-1", "Illegal tag: \"-1\", must match");
    INVALID("busybox:.1", "Illegal tag: \".1\"");
    INVALID("busybox:a b", "Illegal tag: \"a b\"");
    INVALID("busybox:a+b", "Illegal tag: \"a+b\"");
    INVALID("busybox:ä", "Illegal tag: \"ä\"");
    INVALID("busybox:a" A128, "Illegal tag: \"a" A128 "\"");
    INVALID("busybox:1\n", "Illegal tag");
}

/* STYX-CFG-03 */
TEST(invalid_digests)
{
    INVALID("busybox@", "Digest cannot be empty");
    INVALID("busybox:1@", "Digest cannot be empty");
    INVALID("busybox@sha256", "Illegal digest: \"sha256\"");
    INVALID("busybox@sha256:", "Illegal digest: \"sha256:\"");
    INVALID("busybox@sha256:" HEX32, "Illegal digest");
    INVALID("busybox@sha256:a" HEX64, "Illegal digest");
    INVALID("busybox@sha256:" HEX32 HEX32, "Illegal digest");
    INVALID("busybox@sha512:0123", "Illegal digest");
    INVALID("busybox@md5:" HEX32 "g", "Illegal digest");
    INVALID("busybox@:" HEX64, "Illegal digest");
    INVALID("busybox@1a:" HEX64, "Illegal digest");
    INVALID("busybox@a--b:" HEX64, "Illegal digest");
    INVALID("busybox@a-:" HEX64, "Illegal digest");
    INVALID("busybox@a-1:" HEX64, "Illegal digest");
}

/* STYX-CFG-03 */
TEST(invalid_repositories)
{
    INVALID("http://registry.io/busybox", "Invalid repository name (ex:");
    INVALID("busybox/http://x/y", "Invalid repository name (ex:");
    INVALID("registry.io", "Invalid repository name (ex:");
    INVALID("registry.io/", "Invalid repository name (ex:");
    INVALID("localhost", "Invalid repository name (ex:");
    INVALID("localhost:5000/", "Invalid repository name (ex:");
    INVALID("registry.io:5000/", "Invalid repository name (ex:");
    INVALID("registry.io:80:1/", "Invalid repository name (ex:");
    INVALID("-registry.io/busybox", "Invalid domain name: \"-registry.io\"");
    INVALID("registry-.io/busybox", "Invalid domain name: \"registry-.io\"");
    INVALID("regis_try.io/busybox", "Invalid domain name: \"regis_try.io\"");
    INVALID("registry..io/busybox", "Invalid domain name: \"registry..io\"");
    INVALID("./busybox", "Invalid domain name: \".\"");
    INVALID("10.0.0/busybox", "Invalid domain name: \"10.0.0\"");
    INVALID("10.0.0.1.1/busybox", "Invalid domain name: \"10.0.0.1.1\"");
    INVALID("10.0.0.1000/busybox", "Invalid domain name: \"10.0.0.1000\"");
    INVALID(":5000/busybox", "Invalid domain name: \"\"");
    INVALID("registry:/busybox", "Invalid port in endpoint: \"registry:\"");
    INVALID("registry:a/busybox", "Invalid port in endpoint: \"registry:a\"");
    INVALID("registry:-1/busybox", "Invalid port in endpoint: \"registry:-1\"");
    INVALID("registry:65536/busybox", "Invalid port in endpoint: \"registry:65536\"");
    INVALID("registry:99999999999999999999/busybox", "Invalid port in endpoint");
    INVALID("registry:80:90/busybox", "Invalid port in endpoint: \"registry:80:90\"");
}

/* STYX-CFG-03 */
TEST(invalid_names)
{
    INVALID("", "Invalid image name ()");
    INVALID("@sha256:" HEX64, "Invalid image name (");
    INVALID(":1", "Invalid image name (:1)");
    INVALID("Busybox", "Invalid image name (Busybox)");
    INVALID("busybox:tag:1", "Invalid repository name (ex:");
    INVALID("registry.io/Busybox:1", "Invalid image name (registry.io/Busybox:1)");
    INVALID("library/", "Invalid image name (library/)");
    INVALID("/busybox", "Invalid image name (/busybox)");
    INVALID("a//b", "Invalid image name (a//b)");
    INVALID("registry.io//b", "Invalid image name (registry.io//b)");
    INVALID("a b", "Invalid image name (a b)");
    INVALID("a@b@sha256:" HEX64, "Invalid image name (");
    INVALID("a\n", "Invalid image name (");
    INVALID("a" A255, "larger than 255 characters");
    INVALID("registry.io/a" A255, "larger than 255 characters");
}

TEST(random_texts_are_judged)
{
    static const char alphabet[] = "abcA01.:/@-_+sha256 ";
    struct rng rng;
    int valid = 0;

    rng_init(&rng, test_seed());
    for (int i = 0; i < 50000; i++) {
        char image[16];
        size_t n = rng_below(&rng, sizeof(image));
        struct error err;

        for (size_t k = 0; k < n; k++)
            image[k] = alphabet[rng_below(&rng, sizeof(alphabet) - 1)];
        image[n] = '\0';
        valid += image_check(image, &err);
    }
    CHECK(valid > 0 && valid < 50000);
}

#define WITH_TAG(image, want) check_with_tag(__LINE__, image, want)

static void check_with_tag(int line, const char *image, const char *want)
{
    CLEANUP(free) char *got = image_with_tag(image);

    CHECK_STR_AT(line, got, want);
}

/* STYX-POD-03 */
TEST(latest_is_appended_where_there_is_no_colon)
{
    WITH_TAG("busybox", "busybox:latest");
    WITH_TAG("registry.io/a/b", "registry.io/a/b:latest");
    WITH_TAG("busybox:1", "busybox:1");
    WITH_TAG("registry:5000/busybox", "registry:5000/busybox");
    WITH_TAG("busybox@sha256:" HEX64, "busybox@sha256:" HEX64);
}
