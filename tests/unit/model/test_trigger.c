/* SPDX-License-Identifier: Apache-2.0 */
#include "model/trigger.h"

#include "test.h"

/* STYX-TRG-01 */
TEST(ids_have_thirteen_and_five_digits)
{
    char text[TRIGGER_ID_MAX];

    CHECK_STR(trigger_id_adhoc_of(1767225600000, 1234, text), "ad-hoc-cli-1767225600000-01234");
    CHECK_STR(trigger_id_adhoc_of(0, 0, text), "ad-hoc-cli-0000000000000-00000");
    CHECK_STR(trigger_id_adhoc_of(42, 99999, text), "ad-hoc-cli-0000000000042-99999");
    CHECK_STR(trigger_id_adhoc_of(42, 100001, text), "ad-hoc-cli-0000000000042-00001");
    CHECK_STR(trigger_id_adhoc_of(42, UINT64_MAX, text), "ad-hoc-cli-0000000000042-51615");
    CHECK_STR(trigger_id_adhoc_of(INSTANT_MAX, 7, text), "ad-hoc-cli-253402300799999-00007");
}

/* STYX-TRG-01 */
TEST(random_ids)
{
    static bool seen[TRIGGER_ID_NUMBERS];
    struct rng rng;
    int different = 0;

    rng_init(&rng, test_seed());
    for (int i = 0; i < 1000; i++) {
        char text[TRIGGER_ID_MAX], *end;
        const char *prefix = i % 2 ? "backfill-1767225600000-" : "ad-hoc-cli-1767225600000-";

        if (i % 2)
            trigger_id_backfill(1767225600000, &rng, text);
        else
            trigger_id_adhoc(1767225600000, &rng, text);
        CHECK(strncmp(text, prefix, strlen(prefix)) == 0);
        CHECK_INT(strlen(text), strlen(prefix) + 5);
        long number = strtol(text + strlen(prefix), &end, 10);
        CHECK(!*end && number >= 0 && number < TRIGGER_ID_NUMBERS);
        different += !seen[number];
        seen[number] = true;
    }
    CHECK(different > 950);
}
