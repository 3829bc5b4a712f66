#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "load.h"
#include "traffic.h"

static double per_conn(long from_kb, long to_kb)
{
    return (double)(to_kb - from_kb) * 1024 / opts.conns;
}

static void print_idle(const report *r, double cpu)
{
    printf(",\"open\":%d,\"alive\":%d,\"ramp_s\":%.2f", opened, r->alive,
           r->opening_seconds);
    printf(",\"rss0_kb\":%ld,\"rss_kb\":%ld,\"rss_end_kb\":%ld"
           ",\"rss_closed_kb\":%ld,\"pss_kb\":%ld",
           r->before.rss_kb, r->open.rss_kb, r->held.rss_kb, r->closed.rss_kb,
           r->open.pss_kb);
    printf(",\"rss_per_conn\":%.0f,\"pss_per_conn\":%.0f"
           ",\"rss_end_per_conn\":%.0f,\"kernel_both_ends_per_conn\":%.0f",
           per_conn(r->before.rss_kb, r->open.rss_kb),
           per_conn(r->before.pss_kb, r->open.pss_kb),
           per_conn(r->before.rss_kb, r->held.rss_kb),
           per_conn(r->before.slab_kb, r->open.slab_kb));
    printf(",\"hold_srv_cpu_s\":%.2f,\"pings\":%" PRIu64
           ",\"ws_pings\":%" PRIu64,
           cpu, counts.pings, counts.ws_pings);
}

static double us(const histogram *h, double percent)
{
    return histogram_percentile(h, percent) / 1e3;
}

static void print_load(const report *r, double cpu)
{
    double count =
        (double)(opts.mode == LOAD_CONNECT ? counts.connects : counts.messages);
    printf(",\"msgs\":%.0f,\"per_s\":%.0f,\"per_srv_cpu_s\":%.0f", count,
           count / r->seconds, cpu > 0 ? count / cpu : 0);
    printf(",\"srv_cpu_s\":%.2f,\"srv_user_s\":%.2f,\"srv_sys_s\":%.2f"
           ",\"srv_util\":%.3f,\"gen_util\":%.3f",
           cpu, r->end.user_s - r->begin.user_s, r->end.sys_s - r->begin.sys_s,
           cpu / r->seconds, r->own_cpu / r->seconds);
    printf(",\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f"
           ",\"p999_us\":%.1f,\"max_us\":%.1f",
           us(&latencies, 50), us(&latencies, 90), us(&latencies, 99),
           us(&latencies, 99.9), (double)latencies.max / 1e3);
    printf(",\"vcs\":%ld,\"ics\":%ld,\"rss_kb\":%ld",
           r->end.switches - r->begin.switches,
           r->end.forced_switches - r->begin.forced_switches, r->end.rss_kb);
    if (opts.mode == LOAD_BCAST) {
        printf(",\"senders\":%d,\"rounds\":%" PRIu64
               ",\"full_p50_us\":%.1f,\"full_p99_us\":%.1f",
               opts.senders, round_latencies.count, us(&round_latencies, 50),
               us(&round_latencies, 99));
    }
    if (opts.mode == LOAD_CONNECT) {
        printf(",\"forced\":%" PRIu64, counts.forced);
    }
    if (opts.rate > 0) {
        printf(",\"rate\":%.0f", opts.rate);
    }
    printf(",\"pings\":%" PRIu64, counts.pings + counts.ws_pings);
}

bool report_print(const report *r)
{
    double cpu =
        r->end.user_s + r->end.sys_s - r->begin.user_s - r->begin.sys_s;
    double load = 0;
    bool ok = counts.bad + counts.missed + counts.closed + counts.failed == 0;

    getloadavg(&load, 1);
    printf("{\"label\":\"%s\",\"mode\":\"%s\",\"n\":%d,\"k\":%d,\"size\":%d"
           ",\"filler\":\"%s\",\"secs\":%.3f",
           opts.label, load_mode_names[opts.mode], opts.conns, opts.depth,
           opts.size, opts.filler, r->seconds);
    if (opts.mode == LOAD_IDLE) {
        print_idle(r, cpu);
    } else {
        print_load(r, cpu);
    }
    printf(",\"steal_s\":%.2f,\"load1\":%.2f",
           r->end.steal_s - r->begin.steal_s, load);
    printf(",\"bad\":%" PRIu64 ",\"missed\":%" PRIu64 ",\"closed\":%" PRIu64
           ",\"connfail\":%" PRIu64 ",\"ok\":%s}\n",
           counts.bad, counts.missed, counts.closed, counts.failed,
           ok ? "true" : "false");
    return ok;
}
