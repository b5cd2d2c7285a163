/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulation as a program: many seeds, one after the other, until the time is up.
 *
 *     sim --seeds=1-100 --hours=24 --faults=all
 *     sim --seeds=random:1000 --seconds=120
 *     sim --seeds=7 --faults=all --trace=/tmp/seven
 *
 * A seed that fails says what broke, when, and the command that does the same again.
 */
#include "base/log.h"
#include "base/options.h"
#include "sim/storm.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct config {
    const char *seeds, *faults, *trace;
    const char *storm;
    int64_t hours, minutes, workflows, seconds, lease_ms;
    bool busy, hash, list, keep_on;
};

static const struct option_row rows[] = {
    {"seeds", OPTION_TEXT, offsetof(struct config, seeds), "A-B", "1-20",
     "Which seeds: `7`, `1-100`, or `random:N` for N fresh ones."},
    {"hours", OPTION_INT, offsetof(struct config, hours), "N", "24",
     "How long each world lives, before it comes to its end.", .high = 1000000},
    {"minutes", OPTION_INT, offsetof(struct config, minutes), "N", "0",
     "The same; instead of `hours`.", .high = 60000000},
    {"workflows", OPTION_INT, offsetof(struct config, workflows), "N", "20", "How many there are.",
     .low = 1, .high = 10000},
    {"busy", OPTION_BOOL, offsetof(struct config, busy), NULL, NULL,
     "Workflows of minutes instead of hours and days."},
    {"faults", OPTION_TEXT, offsetof(struct config, faults), "LIST", "all",
     "What goes wrong: `none`, `all`, or groups and names, perhaps with a rate: "
     "`faults,halt=5,-restore`."},
    {"list-faults", OPTION_BOOL, offsetof(struct config, list), NULL, NULL,
     "Says what can go wrong, and ends."},
    {"storm", OPTION_TEXT, offsetof(struct config, storm), "PERCENT", "10",
     "How much of the time is bad weather: 0.5, 100."},
    {"lease", OPTION_DURATION, offsetof(struct config, lease_ms), "TIME", "0s",
     "How long the operators' lease lasts; 0s: by seed, 6 s to 5 min.", .high = 3600000},
    {"seconds", OPTION_INT, offsetof(struct config, seconds), "N", "0",
     "Begins no other seed after so many seconds; 0: does all.", .high = 10000000},
    {"keep-on", OPTION_BOOL, offsetof(struct config, keep_on), NULL, NULL,
     "Goes on with the next seed after a failure."},
    {"trace", OPTION_TEXT, offsetof(struct config, trace), "FILE", NULL,
     "Writes everything that happens, a line each."},
    {"hash", OPTION_BOOL, offsetof(struct config, hash), NULL, NULL,
     "Prints a number for each seed: two runs are the same if their numbers are."},
};
static const struct options options = {
    "sim", "Runs whole operators in a cluster in memory, on virtual time.", rows, ARRAY_SIZE(rows)};

struct tally_of_runs {
    int passed, failed;
    double hours;
    uint64_t finished, pods, requests, acts;
};

static double seconds_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

static double cpu_seconds(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

static bool parse_seeds(const char *text, uint64_t *ret_first, uint64_t *ret_last)
{
    char *end;

    if (strncmp(text, "random:", 7) == 0) {
        struct rng rng;

        rng_init_from_kernel(&rng);
        *ret_first = rng_below(&rng, UINT64_C(1000000000000)) + 1000;
        *ret_last = *ret_first + strtoull(text + 7, &end, 10) - 1;
        return *end == '\0' && *ret_last >= *ret_first;
    }
    *ret_first = *ret_last = strtoull(text, &end, 10);
    if (*end == '-')
        *ret_last = strtoull(end + 1, &end, 10);
    return *end == '\0' && *text && *ret_last >= *ret_first;
}

static bool parse_percent(const char *text, double *ret)
{
    char *end;

    *ret = strtod(text, &end);
    return end != text && *end == '\0' && *ret >= 0 && *ret <= 100;
}

static void count(struct tally_of_runs *t, const struct storm *s)
{
    t->hours += (double) storm_now(s) / HOUR_MS;
    t->finished += s->o.n_finished;
    t->pods += s->o.n_pods;
    t->requests += s->o.n_requests;
    t->acts += (uint64_t) s->n_acts;
    if (*storm_broken(s))
        t->failed++;
    else
        t->passed++;
}

static bool run_seed(const struct plan *plan, const struct config *config, struct tally_of_runs *t)
{
    static struct storm s;
    FILE *out = config->trace ? fopen(config->trace, "w") : NULL;
    if (out)
        setvbuf(out, NULL, _IOLBF, 0); /* whole, even if it ends by an assertion */
    struct trace *trace = out || config->hash ? trace_new(out) : NULL;

    storm_begin(&s, plan, trace);
    storm_run(&s);
    storm_end(&s);
    count(t, &s);
    bool good = !*storm_broken(&s);
    if (!good) {
        CLEANUP(free) char *command = plan_command(plan);

        printf("FAILED  seed %" PRIu64 "\n  broken: %s\n  replay: %s\n", plan->seed,
               storm_broken(&s), command);
    }
    if (config->hash)
        printf("seed %" PRIu64 ": %016" PRIx64 "\n", plan->seed, trace_hash(trace));
    fflush(stdout);
    storm_done(&s);
    trace_free(trace);
    if (out)
        fclose(out);
    return good;
}

static void summarize(const struct tally_of_runs *t, double wall, double cpu)
{
    printf(
        "%.0f simulated hours in %.1f s of one core (%.1f s in all): %.0f hours a minute; %" PRIu64
        " runs finished, %" PRIu64 " pods, %" PRIu64 " requests, %" PRIu64 " mishaps\n",
        t->hours, cpu, wall, cpu > 0 ? t->hours * 60 / cpu : 0, t->finished, t->pods, t->requests,
        t->acts);
    printf("%d passed, %d failed\n", t->passed, t->failed);
}

int main(int argc, char **argv)
{
    struct config config = {0};
    struct plan plan = {0};
    struct tally_of_runs t = {0};
    struct error err;
    uint64_t first, last;

    struct options_given given;
    int status;

    if (!options_main(&options, argc, argv, &config, &given, &status))
        return status;
    if (config.list) {
        plan_print_mishaps();
        return 0;
    }
    if (!parse_seeds(config.seeds, &first, &last)) {
        fprintf(stderr, "sim: %s: not seeds\n", config.seeds);
        return 2;
    }
    if (!plan_set_faults(&plan, config.faults, &err)) {
        fprintf(stderr, "sim: %s\n", err.text);
        return 2;
    }
    if (!parse_percent(config.storm, &plan.storm_percent)) {
        fprintf(stderr, "sim: %s: not a percentage\n", config.storm);
        return 2;
    }
    plan.ms = config.minutes > 0 ? config.minutes * MINUTE_MS : config.hours * HOUR_MS;
    plan.n_workflows = (int) config.workflows;
    plan.busy = config.busy;
    plan.lease_ms = config.lease_ms;
    log_setup(LOG_TEXT, LOG_ERROR);
    double begin = seconds_now();
    for (uint64_t seed = first; seed <= last; seed++) {
        if (config.seconds > 0 && seconds_now() - begin > (double) config.seconds)
            break;
        plan.seed = seed;
        if (!run_seed(&plan, &config, &t) && !config.keep_on)
            break;
    }
    summarize(&t, seconds_now() - begin, cpu_seconds());
    return t.failed ? 1 : 0;
}
