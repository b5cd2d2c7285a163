/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says about this process; see metrics_add_process. */
#include "base/metrics.h"

#include "base/alloc.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Fields of /proc/self/stat, proc(5), counted from 1. */
enum { STAT_UTIME = 14, STAT_STIME = 15, STAT_START = 22, STAT_VSIZE = 23, STAT_RSS = 24 };

static bool read_whole(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");

    if (!file)
        return false;
    size_t len = fread(text, 1, size - 1, file);
    fclose(file);
    text[len] = '\0';
    return len > 0;
}

/* The second field is the program's name in parentheses and may contain anything. */
static double stat_field(int wanted)
{
    char text[2048];
    const char *at = read_whole("/proc/self/stat", text, sizeof(text)) ? strrchr(text, ')') : NULL;

    for (int field = 2; at && field < wanted; field++) {
        at = strchr(at, ' ');
        if (at)
            at++;
    }
    return at ? strtod(at, NULL) : (double) NAN;
}

static double ticks_to_seconds(double ticks)
{
    return ticks / (double) sysconf(_SC_CLK_TCK);
}

static double cpu_seconds(void *arg)
{
    (void) arg;
    return ticks_to_seconds(stat_field(STAT_UTIME) + stat_field(STAT_STIME));
}

static double resident_bytes(void *arg)
{
    (void) arg;
    return stat_field(STAT_RSS) * (double) sysconf(_SC_PAGESIZE);
}

static double virtual_bytes(void *arg)
{
    (void) arg;
    return stat_field(STAT_VSIZE);
}

static double open_fds(void *arg)
{
    DIR *dir = opendir("/proc/self/fd");
    double n = -1; /* the one that reads the folder */

    (void) arg;
    if (!dir)
        return (double) NAN;
    for (const struct dirent *e; (e = readdir(dir));)
        n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

static double max_fds(void *arg)
{
    struct rlimit limit;

    (void) arg;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return (double) INFINITY;
    return (double) limit.rlim_cur;
}

/* The kernel counts from its own start. */
static double start_time(void)
{
    struct timespec now, boot;

    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    double booted =
        (double) (now.tv_sec - boot.tv_sec) + (double) (now.tv_nsec - boot.tv_nsec) / 1e9;
    return booted + ticks_to_seconds(stat_field(STAT_START));
}

static void add_read(struct metric_family *family, double (*read)(void *arg))
{
    metric_read_from(metric_series(family), read, NULL);
}

void metrics_add_process(struct metrics *m)
{
    add_read(metrics_counter(m, "process_cpu_seconds_total",
                             "User and system CPU time used, in seconds.", NULL),
             cpu_seconds);
    add_read(metrics_gauge(m, "process_resident_memory_bytes", "Resident memory, in bytes.", NULL),
             resident_bytes);
    add_read(metrics_gauge(m, "process_virtual_memory_bytes", "Virtual memory, in bytes.", NULL),
             virtual_bytes);
    add_read(metrics_gauge(m, "process_open_fds", "Open file descriptors.", NULL), open_fds);
    add_read(metrics_gauge(m, "process_max_fds", "How many file descriptors may be open.", NULL),
             max_fds);
    struct metric_family *start = metrics_gauge(
        m, "process_start_time_seconds", "When the process started, in seconds since 1970.", NULL);
    metric_set(metric_series(start), start_time());
}
