/* SPDX-License-Identifier: Apache-2.0 */
#include "k8s/selector.h"

#include "base/alloc.h"

#include <string.h>

static const char *label(const json_t *labels, const char *key, size_t len)
{
    return json_string_value(json_object_getn(labels, key, len));
}

static bool equals(const char *value, const char *text, size_t len)
{
    return value && strlen(value) == len && memcmp(value, text, len) == 0;
}

/* One requirement, text[0..len). */
static bool requirement_holds(const json_t *labels, const char *text, size_t len)
{
    if (len > 0 && text[0] == '!')
        return !label(labels, text + 1, len - 1);
    const char *sign = memchr(text, '=', len);
    if (!sign)
        return label(labels, text, len) != NULL;
    const char *value = sign + 1;
    bool negated = sign > text && sign[-1] == '!';
    size_t key_len = (size_t) (sign - text) - negated;
    if (value < text + len && *value == '=')
        value++;
    bool same = equals(label(labels, text, key_len), value, (size_t) (text + len - value));
    return same != negated;
}

bool k8s_selector_matches(const char *selector, const json_t *labels)
{
    while (selector && *selector) {
        size_t len = strcspn(selector, ",");

        if (!requirement_holds(labels, selector, len))
            return false;
        selector += len + (selector[len] == ',');
    }
    return true;
}
