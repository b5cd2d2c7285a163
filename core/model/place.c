/* SPDX-License-Identifier: Apache-2.0 */
#include "model/place.h"

#include <string.h>

static bool add_mapping(struct places *p, const char *text, struct error *err)
{
    const char *equals = strchr(text, '=');

    if (!equals || equals == text || !equals[1])
        return error_set(err, ERROR_INVALID, "component-namespaces: %s is not COMPONENT=NAMESPACE",
                         text);
    if (!texts_contain(&p->watched, equals + 1))
        return error_set(err, ERROR_INVALID,
                         "component-namespaces: %s: the namespace is not watched", text);
    CLEANUP(free) char *component = xstrndup(text, (size_t) (equals - text));
    env_set(&p->mapped, component, equals + 1);
    return true;
}

bool places_init(struct places *p, char *const *watched, size_t n_watched, char *const *mapped,
                 size_t n_mapped, const char *installation, struct error *err)
{
    *p = (struct places) {.installation = xstrdup(installation)};
    texts_add(&p->watched, installation);
    for (size_t i = 0; i < n_watched; i++)
        if (!texts_contain(&p->watched, watched[i]))
            texts_add(&p->watched, watched[i]);
    for (size_t i = 0; i < n_mapped; i++) {
        if (!add_mapping(p, mapped[i], err)) {
            places_done(p);
            return false;
        }
    }
    return true;
}

void places_done(struct places *p)
{
    texts_done(&p->watched);
    env_done(&p->mapped);
    free(p->installation);
    p->installation = NULL;
}

const char *place_of(const struct places *p, const char *component)
{
    const char *mapped = env_get(&p->mapped, component);

    if (mapped)
        return mapped;
    return texts_contain(&p->watched, component) ? component : p->installation;
}
