/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of names that are made of any text (model/label.h, model/validate.h):
 *
 *  - a label is one that Kubernetes takes, and the label of a label is itself;
 *  - the name of a workflow's object is a name that Kubernetes takes, within our limit, and another
 *    for another pair; if it is the plain one, it can be read back into the pair;
 *  - the name of an instance differs from its parts in case and colons only.
 *
 * The lines are two pairs of component and workflow.
 */
#include "model/label.h"
#include "model/validate.h"

#include "fuzz.h"

#include <ctype.h>
#include <strings.h>

#define SMALL "abcdefghijklmnopqrstuvwxyz0123456789"

static bool among(char c, const char *set)
{
    return c && strchr(set, c);
}

static void check_label(const char *text)
{
    CLEANUP(free) char *label = label_normalise(text);
    CLEANUP(free) char *again = label_normalise(label);
    size_t len = strlen(label);

    FUZZ_CHECK(len <= 63 && strspn(label, SMALL "-_") == len);
    FUZZ_CHECK(!*text == !len);
    FUZZ_CHECK(!len || (among(label[0], SMALL) && among(label[len - 1], SMALL)));
    FUZZ_CHECK(strcmp(again, label) == 0);
}

/* RFC 1123: parts of small letters, digits and inner hyphens. */
static bool is_object_name(const char *name)
{
    for (const char *p = name;; p++) {
        size_t len = strspn(p, SMALL "-");

        if (!len || p[0] == '-' || p[len - 1] == '-')
            return false;
        p += len;
        if (*p != '.')
            return !*p;
    }
}

static void check_plain(const char *name, const char *component, const char *workflow)
{
    size_t len = strcspn(name, ".");

    if (name[len])
        FUZZ_CHECK(strlen(component) == len && memcmp(name, component, len) == 0 &&
                   strcmp(name + len + 1, workflow) == 0);
}

static void check_pairs(char *lines[4])
{
    CLEANUP(free) char *one = workflow_object_name(lines[0], lines[1]);
    CLEANUP(free) char *other = workflow_object_name(lines[2], lines[3]);
    bool same = strcmp(lines[0], lines[2]) == 0 && strcmp(lines[1], lines[3]) == 0;

    FUZZ_CHECK(is_object_name(one) && strlen(one) <= LIMIT_OBJECT_NAME);
    check_plain(one, lines[0], lines[1]);
    if (!strchr(lines[0], '#') && !strchr(lines[2], '#')) /* which validation refuses */
        FUZZ_CHECK((strcmp(one, other) == 0) == same);
}

static void check_instance(const char *workflow, const char *parameter)
{
    CLEANUP(free) char *name = instance_name(workflow, parameter);
    size_t len = strlen(workflow);

    FUZZ_CHECK(strlen(name) == len + 1 + strlen(parameter) && name[len] == '.');
    for (size_t i = 0; i < strlen(parameter); i++) {
        char c = name[len + 1 + i];

        FUZZ_CHECK(parameter[i] == ':'
                       ? c == '-'
                       : tolower((unsigned char) parameter[i]) == (unsigned char) c);
    }
}

/* STYX-POD-02 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *lines[4];

    fuzz_lines(data, len, lines, 4);
    for (size_t i = 0; i < 4; i++)
        check_label(lines[i]);
    check_pairs(lines);
    check_instance(lines[0], lines[1]);
    fuzz_lines_done(lines, 4);
    return 0;
}
