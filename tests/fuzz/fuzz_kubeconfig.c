/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of k8s_config_parse, for any bytes: it neither crashes nor leaks; what it accepts has
 * a server and a namespace, and only what was allowed; what it refuses has a reason and changes
 * nothing.
 *
 * The first byte chooses what is allowed, the others are the file.
 */
#include "k8s/config.h"

#include "fuzz.h"

#include <string.h>

static void check_accepted(const struct k8s_config *c, bool insecure)
{
    FUZZ_CHECK(c->server && c->ns && *c->ns);
    FUZZ_CHECK(strncmp(c->server, "https://", 8) == 0 ||
               (insecure && strncmp(c->server, "http://", 7) == 0));
    FUZZ_CHECK(c->server[strlen(c->server) - 1] != '/' || strlen(c->server) <= 8);
    FUZZ_CHECK(insecure || !c->insecure);
    FUZZ_CHECK(!c->certificate == !c->key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct k8s_config_options options = {.allow_insecure = len > 0 && (data[0] & 1)};
    struct k8s_config *config = NULL;
    struct error err = {0};

    if (len == 0)
        return 0;
    if (k8s_config_parse((const char *) data + 1, len - 1, "/nonexistent", &options, &config,
                         &err)) {
        check_accepted(config, options.allow_insecure);
        k8s_config_free(config);
    } else {
        CLEANUP(free) char *text = xstrndup((const char *) data + 1, len - 1);

        FUZZ_CHECK(!config);
        fuzz_check_error(&err, text);
    }
    return 0;
}
