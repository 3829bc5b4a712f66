#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles.h"

typedef enum kind {
    KIND_TEXT,   /* const char * */
    KIND_U32,    /* uint32_t */
    KIND_I32,    /* int32_t, not below 0 */
    KIND_I64,    /* int64_t, not below 0 */
    KIND_PORT,   /* uint16_t */
    KIND_NAMES,  /* unsigned, a set of transports */
    KIND_SITE,   /* sio_same_site */
    KIND_RANK,   /* sio_cookie_priority */
    KIND_PARSER, /* sio_parser_kind */
    KIND_MODE,   /* unsigned, permissions, octal */
    KIND_WHAT,   /* sio_proxy_headers */
    KIND_CERTS,  /* sio_tls_client_certs */
    KIND_POLICY, /* sio_rate_policy */
    KIND_ON,     /* bool, true when given */
    KIND_OFF,    /* bool, false when given */
    KIND_NULL    /* const char *, NULL when given */
} kind;

typedef struct row {
    const char *name;
    kind kind;
    size_t at; /* where the value stands in `options` */
} row;

#define AT(member) offsetof(options, member)

// clang-format off
static const row rows[] = {
    {"profile", KIND_TEXT, AT(profile)},
    {"port", KIND_PORT, AT(config.port)},
    {"host", KIND_TEXT, AT(config.host)},
    {"threads", KIND_U32, AT(config.threads)},
    {"ping-interval", KIND_U32, AT(config.ping_interval_ms)},
    {"ping-timeout", KIND_U32, AT(config.ping_timeout_ms)},
    {"connect-timeout", KIND_U32, AT(config.connect_timeout_ms)},
    {"upgrade-timeout", KIND_U32, AT(config.upgrade_timeout_ms)},
    {"max-payload", KIND_U32, AT(config.max_payload)},
    {"path", KIND_TEXT, AT(config.path)},
    {"transports", KIND_NAMES, AT(config.transports)},
    {"no-upgrades", KIND_OFF, AT(config.allow_upgrades)},
    {"eio3", KIND_ON, AT(config.allow_eio3)},
    {"eio-missing-is-3", KIND_ON, AT(config.eio_missing_is_3)},
    {"no-trailing-slash", KIND_OFF, AT(config.add_trailing_slash)},
    {"no-serve-client", KIND_OFF, AT(config.serve_client)},
    {"client-dir", KIND_TEXT, AT(config.client_dir)},
    {"cors-origin", KIND_TEXT, AT(config.cors_origin)},
    {"cors-reflect", KIND_ON, AT(config.cors_reflect)},
    {"cors-ask", KIND_TEXT, AT(cors_ask)},
    {"cors-credentials", KIND_ON, AT(config.cors_credentials)},
    {"cors-enforce", KIND_ON, AT(config.cors_enforce)},
    {"cors-methods", KIND_TEXT, AT(config.cors_methods)},
    {"cors-allowed-headers", KIND_TEXT, AT(config.cors_allowed_headers)},
    {"cors-exposed-headers", KIND_TEXT, AT(config.cors_exposed_headers)},
    {"cors-max-age", KIND_I32, AT(config.cors_max_age_s)},
    {"cookie", KIND_TEXT, AT(config.cookie_name)},
    {"cookie-path", KIND_TEXT, AT(config.cookie_path)},
    {"no-cookie-path", KIND_NULL, AT(config.cookie_path)},
    {"cookie-domain", KIND_TEXT, AT(config.cookie_domain)},
    {"cookie-max-age", KIND_U32, AT(config.cookie_max_age_s)},
    {"cookie-expires", KIND_I64, AT(config.cookie_expires_s)},
    {"no-cookie-http-only", KIND_OFF, AT(config.cookie_http_only)},
    {"cookie-secure", KIND_ON, AT(config.cookie_secure)},
    {"cookie-partitioned", KIND_ON, AT(config.cookie_partitioned)},
    {"cookie-same-site", KIND_SITE, AT(config.cookie_same_site)},
    {"cookie-priority", KIND_RANK, AT(config.cookie_priority)},
    {"initial-packet", KIND_TEXT, AT(config.initial_packet)},
    {"static", KIND_TEXT, AT(static_dir)},
    {"header-timeout", KIND_U32, AT(config.header_timeout_ms)},
    {"body-timeout", KIND_U32, AT(config.body_timeout_ms)},
    {"keep-alive", KIND_U32, AT(config.keep_alive_ms)},
    {"close-timeout", KIND_U32, AT(config.close_timeout_ms)},
    {"stop-timeout", KIND_U32, AT(config.stop_timeout_ms)},
    {"drain-rate", KIND_U32, AT(drain.rate)},
    {"drain-jitter", KIND_U32, AT(drain.jitter)},
    {"drain-backlog", KIND_U32, AT(drain.backlog_ms)},
    {"drain-retry-after", KIND_U32, AT(drain.retry_after_s)},
    {"drain-stop-listening", KIND_ON, AT(drain.stop_listening)},
    {"cleanup-empty", KIND_ON, AT(config.cleanup_empty_child_namespaces)},
    {"max-dynamic", KIND_U32, AT(config.max_dynamic_namespaces)},
    {"max-backlog", KIND_U32, AT(config.max_backlog)},
    {"max-header-bytes", KIND_U32, AT(config.max_header_bytes)},
    {"max-headers", KIND_U32, AT(config.max_headers)},
    {"allow-delay", KIND_U32, AT(allow_delay_ms)},
    {"deny-query", KIND_ON, AT(deny_query)},
    {"destroy-upgrade-timeout", KIND_U32,
     AT(config.destroy_upgrade_timeout_ms)},
    {"no-http-compression", KIND_OFF, AT(config.http_compression)},
    {"http-compression-threshold", KIND_U32,
     AT(config.http_compression_threshold)},
    {"hooks", KIND_ON, AT(hooks)},
    {"parser", KIND_PARSER, AT(config.parser)},
    {"recovery", KIND_ON, AT(config.recovery)},
    {"no-recovery", KIND_OFF, AT(config.recovery)},
    {"recovery-window", KIND_U32, AT(config.recovery_max_disconnection_ms)},
    {"recovery-packets", KIND_U32, AT(config.recovery_max_packets)},
    {"recovery-middlewares", KIND_OFF, AT(config.recovery_skip_middlewares)},
    {"deflate", KIND_ON, AT(config.deflate)},
    {"deflate-threshold", KIND_U32, AT(config.deflate_threshold)},
    {"deflate-server-no-context-takeover", KIND_ON,
     AT(config.deflate_server_no_context_takeover)},
    {"deflate-client-no-context-takeover", KIND_ON,
     AT(config.deflate_client_no_context_takeover)},
    {"deflate-server-bits", KIND_U32, AT(config.deflate_server_max_window_bits)},
    {"deflate-client-bits", KIND_U32, AT(config.deflate_client_max_window_bits)},
    {"deflate-memory", KIND_U32, AT(config.deflate_memory)},
    {"no-destroy-upgrade", KIND_OFF, AT(config.destroy_upgrade)},
    {"ipv6-only", KIND_ON, AT(config.ipv6_only)},
    {"unix", KIND_TEXT, AT(also.unix_path)},
    {"unix-mode", KIND_MODE, AT(also.unix_mode)},
    {"trust", KIND_TEXT, AT(config.trusted_proxies)},
    {"proxy-headers", KIND_WHAT, AT(config.proxy_headers)},
    {"proxy-protocol", KIND_ON, AT(config.proxy_protocol)},
    {"direct", KIND_ON, AT(direct)},
    {"max-connections-per-address", KIND_U32, AT(config.max_connections_per_address)},
    {"max-sessions-per-address", KIND_U32, AT(config.max_sessions_per_address)},
    {"handshakes-per-address", KIND_U32, AT(config.handshakes_per_address_per_s)},
    {"handshakes-per-address-burst", KIND_U32, AT(config.handshakes_per_address_burst)},
    {"handshakes", KIND_U32, AT(config.handshakes_per_s)},
    {"handshakes-burst", KIND_U32, AT(config.handshakes_burst)},
    {"packets", KIND_U32, AT(config.packets_per_s)},
    {"packets-burst", KIND_U32, AT(config.packets_burst)},
    {"bytes", KIND_U32, AT(config.bytes_per_s)},
    {"bytes-burst", KIND_U32, AT(config.bytes_burst)},
    {"rate-policy", KIND_POLICY, AT(config.rate_policy)},
    {"attachment-timeout", KIND_U32, AT(config.attachment_timeout_ms)},
    {"beside", KIND_TEXT, AT(beside)},
    {"mounted", KIND_ON, AT(mounted)},
    {"tls", KIND_TEXT, AT(tls)},
    {"tls-client-ca", KIND_TEXT, AT(tls_options.client_ca_file)},
    {"tls-client-crl", KIND_TEXT, AT(tls_options.client_crl_file)},
    {"tls-client-certs", KIND_CERTS, AT(tls_options.client_certs)},
    {"tls-handshake-timeout", KIND_U32, AT(tls_options.handshake_timeout_ms)},
    {"tls-no-tickets", KIND_OFF, AT(tls_options.session_tickets)},
    {"tls-prefer-chacha20", KIND_ON, AT(tls_options.prefer_chacha20)},
    {"tls-session-cache", KIND_U32, AT(tls_options.session_cache)},
};
// clang-format on

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]), ROW_PROFILE = 0 };

static bool read_number(const char *text, unsigned long max, unsigned long *out)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 ||
        value > max) {
        return false;
    }
    *out = value;
    return true;
}

static bool read_transports(const char *list, unsigned *out)
{
    unsigned set = 0;
    while (*list != '\0') {
        size_t len = strcspn(list, ",");
        if (len == 7 && memcmp(list, "polling", len) == 0) {
            set |= SIO_TRANSPORT_POLLING;
        } else if (len == 9 && memcmp(list, "websocket", len) == 0) {
            set |= SIO_TRANSPORT_WEBSOCKET;
        } else {
            return false;
        }
        list += len;
        list += *list == ',';
    }
    *out = set;
    return set != 0;
}

static bool read_mode(const char *text, unsigned *mode)
{
    char *end;
    unsigned long value = strtoul(text, &end, 8);
    *mode = (unsigned)value;
    return *text >= '0' && *text <= '7' && *end == '\0' && value <= 0777;
}

/* The index of `value` among the names, which end with NULL. */
static bool read_name(const char *const *names, const char *value,
                      unsigned *out)
{
    for (*out = 0; names[*out] != NULL; (*out)++) {
        if (strcmp(names[*out], value) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_value(kind one)
{
    return one != KIND_ON && one != KIND_OFF && one != KIND_NULL;
}

/* `value` is NULL for the kinds that have none. */
static bool set_value(options *opts, const row *one, const char *value)
{
    static const char *const sites[] = {"unset", "lax", "strict", "none", NULL};
    static const char *const ranks[] = {"unset", "low", "medium", "high", NULL};
    static const char *const headers[] = {"x-forwarded", "forwarded", "none",
                                          NULL};
    static const char *const parsers[] = {"json", "msgpack", "own",
                                          "own-binary", NULL};
    static const char *const certs[] = {"none", "optional", "required", NULL};
    static const char *const policies[] = {"throttle", "warn", "disconnect",
                                           NULL};
    void *at = (char *)opts + one->at;
    unsigned long number = 0;
    unsigned index;

    switch (one->kind) {
    case KIND_TEXT:
        *(const char **)at = value;
        return true;
    case KIND_U32:
        if (!read_number(value, UINT32_MAX, &number)) {
            return false;
        }
        *(uint32_t *)at = (uint32_t)number;
        return true;
    case KIND_I32:
        if (!read_number(value, INT32_MAX, &number)) {
            return false;
        }
        *(int32_t *)at = (int32_t)number;
        return true;
    case KIND_I64:
        if (!read_number(value, INT64_MAX, &number)) {
            return false;
        }
        *(int64_t *)at = (int64_t)number;
        return true;
    case KIND_PORT:
        if (!read_number(value, UINT16_MAX, &number)) {
            return false;
        }
        *(uint16_t *)at = (uint16_t)number;
        return true;
    case KIND_NAMES:
        return read_transports(value, (unsigned *)at);
    case KIND_SITE:
        if (!read_name(sites, value, &index)) {
            return false;
        }
        *(sio_same_site *)at = (sio_same_site)index;
        return true;
    case KIND_RANK:
        if (!read_name(ranks, value, &index)) {
            return false;
        }
        *(sio_cookie_priority *)at = (sio_cookie_priority)index;
        return true;
    case KIND_PARSER:
        if (!read_name(parsers, value, &index)) {
            return false;
        }
        *(sio_parser_kind *)at =
            (sio_parser_kind)(index < SIO_PARSER_CUSTOM ? index
                                                        : SIO_PARSER_CUSTOM);
        opts->config.custom_parser =
            index == SIO_PARSER_CUSTOM ? &own_parser : &own_parser_binary;
        return true;
    case KIND_MODE:
        return read_mode(value, (unsigned *)at);
    case KIND_WHAT:
        if (!read_name(headers, value, &index)) {
            return false;
        }
        *(sio_proxy_headers *)at = (sio_proxy_headers)index;
        return true;
    case KIND_CERTS:
        if (!read_name(certs, value, &index)) {
            return false;
        }
        *(sio_tls_client_certs *)at = (sio_tls_client_certs)index;
        return true;
    case KIND_POLICY:
        if (!read_name(policies, value, &index)) {
            return false;
        }
        *(sio_rate_policy *)at = (sio_rate_policy)index;
        return true;
    case KIND_ON:
    case KIND_OFF:
        *(bool *)at = one->kind == KIND_ON;
        return true;
    case KIND_NULL:
        *(const char **)at = NULL;
        return true;
    }
    return false;
}

/* What getopt gives for the first row: above all characters, one of which, the
 * question mark, means something else. */
#define FIRST_ROW 256

/* Goes over the command line once and takes from it the profile's name, or
 * everything. */
static bool walk(int argc, char **argv, options *opts, bool profile_only)
{
    struct option table[ROW_COUNT + 1] = {0};
    for (int i = 0; i < ROW_COUNT; i++) {
        table[i].name = rows[i].name;
        table[i].has_arg =
            has_value(rows[i].kind) ? required_argument : no_argument;
        table[i].val = FIRST_ROW + i;
    }
    optind = 0; /* starts getopt anew */
    int got;
    while ((got = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (got == '?') {
            return false;
        }
        got -= FIRST_ROW;
        if (profile_only && got != ROW_PROFILE) {
            continue;
        }
        if (!set_value(opts, &rows[got], optarg)) {
            fprintf(stderr, "--%s: bad value %s\n", rows[got].name, optarg);
            return false;
        }
    }
    return optind == argc;
}

/* Reads "CHAIN:KEY,CHAIN:KEY", cutting copies of it that stay for good. */
static bool read_certificates(options *opts)
{
    static char text[4096];
    char *rest = text, *one;
    size_t count = 0;
    if (opts->tls == NULL) {
        return true;
    }
    (void)snprintf(text, sizeof(text), "%s", opts->tls);
    while ((one = strsep(&rest, ",")) != NULL) {
        char *colon = strchr(one, ':');
        if (colon == NULL ||
            count == sizeof(opts->certificates) / sizeof(*opts->certificates)) {
            fprintf(stderr, "--tls: bad value %s\n", opts->tls);
            return false;
        }
        *colon = '\0';
        opts->certificates[count].chain_file = one;
        opts->certificates[count].key_file = colon + 1;
        count++;
    }
    opts->tls_options.certificates = opts->certificates;
    opts->tls_options.certificate_count = count;
    opts->config.tls = &opts->tls_options;
    return true;
}

bool options_parse(int argc, char **argv, options *opts)
{
    *opts = (options){.config = sio_server_config_default(),
                      .drain = sio_drain_options_default(),
                      .tls_options = sio_tls_options_default()};
    opts->config.port = 0;
    opts->config.threads = 1;
    if (!walk(argc, argv, opts, true)) {
        return false;
    }
    const profile *found =
        opts->profile == NULL ? NULL : profile_find(opts->profile);
    if (found == NULL) {
        fprintf(stderr, "--profile is missing or unknown\n");
        return false;
    }
    found->defaults(opts);
    return walk(argc, argv, opts, false) && read_certificates(opts);
}
