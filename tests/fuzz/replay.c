/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzzer's corpus: each file of the folder that is named, whole and cut off at every length.
 * An empty corpus is a failure.
 */
#include "fuzz.h"

#include <dirent.h>
#include <string.h>

#define MAX_FILE 65536

/* A copy of its exact size, so that reading past the end is found. */
static void run(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);

    if (!copy)
        abort();
    memcpy(copy, data, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

static void run_file(const char *folder, const char *name)
{
    static uint8_t data[MAX_FILE];
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "rbe");
    if (!file) {
        perror(path);
        exit(1);
    }
    size_t len = fread(data, 1, sizeof(data), file);
    fclose(file);
    printf("%s: %zu bytes\n", name, len);
    fflush(stdout); /* names the culprit when the run is aborted */
    for (size_t n = 0; n <= len; n++)
        run(data, n);
}

int main(int argc, char **argv)
{
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    int n = 0;

    if (!dir) {
        fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
        return 2;
    }
    for (const struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] != '.') {
            run_file(argv[1], e->d_name);
            n++;
        }
    }
    closedir(dir);
    return n ? 0 : 1;
}
