#include "stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* -- latencies ------------------------------------------------------------ */

void histogram_add(histogram *h, uint64_t value)
{
    size_t at = (size_t)value;
    if (value >= HISTOGRAM_STEPS) {
        int power = 63 - __builtin_clzll(value);
        at = (size_t)(power - 5) * HISTOGRAM_STEPS +
             ((value >> (power - 6)) & (HISTOGRAM_STEPS - 1));
    }
    h->buckets[at]++;
    h->count++;
    if (value > h->max) {
        h->max = value;
    }
}

/* The middle of a bucket. */
static double bucket_value(size_t at)
{
    if (at < HISTOGRAM_STEPS) {
        return (double)at;
    }
    int shift = (int)(at / HISTOGRAM_STEPS) - 1;
    uint64_t low = (HISTOGRAM_STEPS + at % HISTOGRAM_STEPS) << shift;
    return (double)low + (double)((uint64_t)1 << shift) / 2;
}

double histogram_percentile(const histogram *h, double percent)
{
    uint64_t wanted = (uint64_t)(percent / 100 * (double)h->count + 0.999999);
    uint64_t seen = 0;
    if (h->count == 0) {
        return 0;
    }
    for (size_t at = 0; at < HISTOGRAM_BUCKETS; at++) {
        seen += h->buckets[at];
        if (seen >= (wanted == 0 ? 1 : wanted)) {
            double value = bucket_value(at);
            return value < (double)h->max ? value : (double)h->max;
        }
    }
    return (double)h->max;
}

/* -- /proc ---------------------------------------------------------------- */

#define PIDS_MAX 4096

typedef struct pid_list {
    pid_t pids[PIDS_MAX];
    int count;
} pid_list;

static size_t read_file(const char *name, char *out, size_t cap)
{
    FILE *file = fopen(name, "r");
    size_t len = 0;
    if (file != NULL) {
        len = fread(out, 1, cap - 1, file);
        fclose(file);
    }
    out[len] = '\0';
    return len;
}

/* The number behind "KEY:" in a file of such lines, 0 where there is none. */
static long read_field(const char *name, const char *key)
{
    char line[512];
    long value = 0;
    size_t len = strlen(key);
    FILE *file = fopen(name, "r");
    if (file == NULL) {
        return 0;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, key, len) == 0 && line[len] == ':') {
            value = atol(line + len + 1);
            break;
        }
    }
    fclose(file);
    return value;
}

static void list_tree(pid_t pid, pid_list *list)
{
    char name[96], text[8192], *end;
    if (list->count == PIDS_MAX) {
        return;
    }
    list->pids[list->count++] = pid;
    snprintf(name, sizeof(name), "/proc/%d/task/%d/children", pid, pid);
    read_file(name, text, sizeof(text));
    for (char *at = text; *at != '\0'; at = end) {
        long child = strtol(at, &end, 10);
        if (end == at) {
            break;
        }
        if (child > 0) {
            list_tree((pid_t)child, list);
        }
    }
}

static void add_process(usage *sum, pid_t pid, bool with_memory)
{
    char name[96], text[1024];
    double hz = (double)sysconf(_SC_CLK_TCK);
    unsigned long user = 0, sys = 0;

    snprintf(name, sizeof(name), "/proc/%d/stat", pid);
    read_file(name, text, sizeof(text));
    const char *behind_name = strrchr(text, ')');
    if (behind_name != NULL &&
        sscanf(behind_name + 2,
               "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &sys) == 2) {
        sum->user_s += (double)user / hz;
        sum->sys_s += (double)sys / hz;
    }
    snprintf(name, sizeof(name), "/proc/%d/status", pid);
    sum->switches += read_field(name, "voluntary_ctxt_switches");
    sum->forced_switches += read_field(name, "nonvoluntary_ctxt_switches");
    sum->rss_kb += read_field(name, "VmRSS");
    if (with_memory) {
        snprintf(name, sizeof(name), "/proc/%d/smaps_rollup", pid);
        sum->pss_kb += read_field(name, "Pss");
    }
}

usage usage_read(pid_t server, bool with_memory)
{
    static pid_list list;
    char text[1024];
    unsigned long steal = 0;
    usage sum = {0};

    list.count = 0;
    if (server != 0) {
        list_tree(server, &list);
    }
    for (int i = 0; i < list.count; i++) {
        add_process(&sum, list.pids[i], with_memory);
    }
    read_file("/proc/stat", text, sizeof(text));
    if (sscanf(text, "cpu %*u %*u %*u %*u %*u %*u %*u %lu", &steal) == 1) {
        sum.steal_s = (double)steal / (double)sysconf(_SC_CLK_TCK);
    }
    if (with_memory) {
        sum.slab_kb = read_field("/proc/meminfo", "Slab");
    }
    return sum;
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

double usage_own_cpu(void)
{
    struct rusage own;
    getrusage(RUSAGE_SELF, &own);
    return seconds(own.ru_utime) + seconds(own.ru_stime);
}
