#include <string.h>

#include "socketio/server_impl.h"
#include "transport/ws_deflate.h"

static sio_error copy_strings(sio_server *server)
{
    sio_server_config *c = &server->config;
    const char **const strings[] = {
        &c->host,
        &c->path,
        &c->client_dir,
        &c->initial_packet,
        &c->cors_origin,
        &c->cors_methods,
        &c->cors_allowed_headers,
        &c->cors_exposed_headers,
        &c->cookie_name,
        &c->cookie_path,
        &c->cookie_domain,
        &c->trusted_proxies,
    };
    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
        const char **at = strings[i];
        if (*at != NULL) {
            *at = sio_arena_copy(&server->strings, sio_text(*at));
            if (*at == NULL) {
                return SIO_ERR_NO_MEMORY;
            }
        }
    }
    return SIO_OK;
}

/* A value that must lie between two bounds, and what to say when it does
 * not. */
typedef struct bound {
    const char *name;
    uint64_t value, least, most;
} bound;

static bool in_bounds(const sio_server *server)
{
    const sio_server_config *c = &server->config;
    const bound bounds[] = {
        {"backlog", (uint64_t)c->backlog, 1, INT32_MAX},
        {"proxy_headers", c->proxy_headers, SIO_PROXY_HEADERS_X_FORWARDED,
         SIO_PROXY_HEADERS_NONE},
        {"threads", c->threads, 1, c->loop == NULL ? SIO_THREADS_MAX : 1},
        {"transports", c->transports, 1,
         SIO_TRANSPORT_POLLING | SIO_TRANSPORT_WEBSOCKET},
        {"ping_interval_ms", c->ping_interval_ms, 1, INT32_MAX},
        {"ping_timeout_ms", c->ping_timeout_ms, 1, INT32_MAX},
        {"upgrade_timeout_ms", c->upgrade_timeout_ms, 1, INT32_MAX},
        {"connect_timeout_ms", c->connect_timeout_ms, 1, INT32_MAX},
        {"header_timeout_ms", c->header_timeout_ms, 1, INT32_MAX},
        {"body_timeout_ms", c->body_timeout_ms, 1, INT32_MAX},
        {"keep_alive_ms", c->keep_alive_ms, 1, INT32_MAX},
        {"close_timeout_ms", c->close_timeout_ms, 1, INT32_MAX},
        {"stop_timeout_ms", c->stop_timeout_ms, 1, INT32_MAX},
        {"max_payload", c->max_payload, 1, INT32_MAX},
        {"max_header_bytes", c->max_header_bytes, 64, INT32_MAX},
        {"max_headers", c->max_headers, 1, TP_HTTP_HEADERS_MAX},
        {"max_json_depth", c->max_json_depth, 1, SIO_JSON_DEPTH_MAX},
        {"max_attachments", c->max_attachments, 1, UINT16_MAX},
        {"max_packets", c->max_packets, 1, UINT32_MAX},
        {"max_namespaces", c->max_namespaces, 1, UINT32_MAX},
        {"max_rooms", c->max_rooms, 1, UINT32_MAX},
        {"max_backlog", c->max_backlog, 1, UINT32_MAX},
        {"parser", c->parser, SIO_PARSER_JSON, SIO_PARSER_CUSTOM},
        {"max_dynamic_namespaces", c->max_dynamic_namespaces, 1, UINT32_MAX},
        {"rate_policy", c->rate_policy, SIO_RATE_THROTTLE, SIO_RATE_DISCONNECT},
        {"max_pending_acks", c->max_pending_acks, 1, UINT32_MAX},
        {"attachment_timeout_ms", c->attachment_timeout_ms, 1, INT32_MAX},
        {"backlog_policy", c->backlog_policy, SIO_BACKLOG_DISCONNECT,
         SIO_BACKLOG_REFUSE},
        {"recovery_max_disconnection_ms", c->recovery_max_disconnection_ms, 1,
         INT32_MAX},
        {"recovery_max_packets", c->recovery_max_packets, 1, INT32_MAX},
        {"recovery_max_bytes", c->recovery_max_bytes, 1, SIZE_MAX},
        {"deflate_server_max_window_bits", c->deflate_server_max_window_bits,
         TP_WS_BITS_LEAST + 1, TP_WS_BITS_MOST},
        {"deflate_client_max_window_bits", c->deflate_client_max_window_bits,
         TP_WS_BITS_LEAST + 1, TP_WS_BITS_MOST},
        {"deflate_level", c->deflate_level, 1, 9},
        {"deflate_memory_level", c->deflate_memory_level, 1, 9},
        {"deflate_memory", c->deflate_memory,
         c->deflate ? c->threads * TP_DEFLATER_SHARE : 1, SIZE_MAX},
    };
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        const bound *b = &bounds[i];
        if (b->value < b->least || b->value > b->most) {
            sio_log_write(&server->log, SIO_LOG_ERROR, "bad_config",
                          "%s is %llu, not %llu to %llu", b->name,
                          (unsigned long long)b->value,
                          (unsigned long long)b->least,
                          (unsigned long long)b->most);
            return false;
        }
    }
    return true;
}

/* What goes into a header or is compared with a path must be plain. */
static bool is_visible(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text <= 0x20 || *text == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool pointers_are_good(const sio_server *server)
{
    const sio_server_config *c = &server->config;
    if (c->path == NULL || c->path[0] != '/' || !is_visible(c->path)) {
        sio_log_write(&server->log, SIO_LOG_ERROR, "bad_config",
                      "path does not begin with a slash, or holds a blank");
        return false;
    }
    const sio_parser_methods *parser = c->custom_parser;
    if (c->parser == SIO_PARSER_CUSTOM &&
        (parser == NULL || parser->encode == NULL || parser->decode == NULL)) {
        sio_log_write(&server->log, SIO_LOG_ERROR, "bad_config",
                      "custom_parser is missing, or one of its functions");
        return false;
    }
    return true;
}

static sio_error set_trusted(sio_server *server)
{
    const sio_server_config *c = &server->config;
    tp_trusted *trusted = &server->trusted;
    const char *why = "";
    sio_bytes item = {0};
    sio_error err = SIO_OK;
    if (c->trusted_proxies != NULL) {
        err = tp_trusted_parse(c->trusted_proxies, &server->strings, trusted,
                               &why, &item);
        server->front_config.http.trusted = trusted;
    }
    if (err == SIO_ERR_ARGUMENT) {
        sio_log_write(&server->log, SIO_LOG_ERROR, "bad_config",
                      "trusted_proxies: %.*s %s", (int)item.len,
                      (const char *)item.base, why);
    } else if (err == SIO_OK && c->proxy_protocol &&
               !sio_server_trusts_anybody(server)) {
        sio_log_write(&server->log, SIO_LOG_ERROR, "bad_config",
                      "proxy_protocol needs trusted_proxies");
        err = SIO_ERR_ARGUMENT;
    }
    return err;
}

static sio_rate rate_of(uint32_t per_second, uint32_t burst)
{
    return (sio_rate){per_second, burst == 0 ? per_second : burst};
}

static void set_engine(sio_server *server)
{
    const sio_server_config *c = &server->config;
    server->eio_config = (eio_config){
        .ping_interval = c->ping_interval_ms,
        .ping_timeout = c->ping_timeout_ms,
        .upgrade_timeout = c->upgrade_timeout_ms,
        .close_timeout = c->close_timeout_ms,
        .max_payload = c->max_payload,
        .max_packets = c->max_packets,
        .max_backlog = c->max_backlog,
        .backlog_policy = c->backlog_policy,
        .transports = c->transports,
        .allow_upgrades = c->allow_upgrades,
        .initial_packet = c->initial_packet,
        .allow_eio3 = c->allow_eio3,
        .eio_missing_is_3 = c->eio_missing_is_3,
        .rate = {rate_of(c->packets_per_s, c->packets_burst),
                 rate_of(c->bytes_per_s, c->bytes_burst), c->rate_policy},
    };
}

static const sio_parser *parser_of(sio_server *server)
{
    const sio_server_config *c = &server->config;
    switch (c->parser) {
    case SIO_PARSER_MSGPACK:
        return &sio_parser_msgpack;
    case SIO_PARSER_CUSTOM:
        sio_parser_custom_init(&server->custom_parser, c->custom_parser,
                               c->custom_parser_arg, c->max_attachments);
        return &server->custom_parser.parser;
    default:
        return &sio_parser_json;
    }
}

static void set_core(sio_server *server)
{
    const sio_server_config *c = &server->config;
    server->core.parser = parser_of(server);
    server->core.adapter =
        c->adapter == NULL ? &sio_adapter_memory : c->adapter;
    server->core.adapter_arg = c->adapter_arg;
    server->core.data_json = c->on_data_json;
    server->core.data_json_arg = c->arg;
    server->core.limits = (sio_packet_limits){
        .max_depth = c->max_json_depth,
        .max_attachments = c->max_attachments,
        .max_nsp = 4096,
    };
    server->core.connect_timeout = c->connect_timeout_ms;
    server->core.max_namespaces = c->max_namespaces;
    server->core.max_rooms = c->max_rooms;
    server->core.cleanup = c->cleanup_empty_child_namespaces;
    server->core.max_dynamic = c->max_dynamic_namespaces;
    server->core.recovery = (sio_recovery_limits){
        .window = c->recovery ? c->recovery_max_disconnection_ms : 0,
        .skip_middlewares = c->recovery_skip_middlewares,
        .max_packets = (c->recovery_max_packets + c->threads - 1) / c->threads,
        .max_bytes = (size_t)(c->recovery_max_bytes / c->threads),
    };
    server->core.max_acks = c->max_pending_acks;
    server->core.attachment_timeout = c->attachment_timeout_ms;
    server->core.max_binary = (size_t)c->max_payload * c->max_attachments;
}

static void set_front(sio_server *server)
{
    const sio_server_config *c = &server->config;
    tp_front_config *f = &server->front_config;
    f->path = sio_text(c->path);
    if (f->path.base[f->path.len - 1] == '/') {
        f->path.len--;
    }
    f->trailing_slash = c->add_trailing_slash;
    f->destroy_upgrade = c->destroy_upgrade;
    f->destroy_upgrade_timeout = c->destroy_upgrade_timeout_ms;
    f->http = (tp_http_config){
        .limits = {c->max_header_bytes, c->max_headers},
        .header_timeout = c->header_timeout_ms,
        .body_timeout = c->body_timeout_ms,
        .keep_alive = c->keep_alive_ms,
        .max_body = c->max_payload,
        .proxy_headers = c->proxy_headers,
    };
    f->polling = (tp_polling_config){
        .compress = c->http_compression,
        .compress_from = c->http_compression_threshold,
    };
    f->websocket = (tp_websocket_config){
        .limits = {.max_message = c->max_payload, .max_fragments = 16384},
        .close_timeout = c->close_timeout_ms,
    };
    server->admission.limits = (tp_admission_limits){
        .connections = c->max_connections_per_address,
        .sessions = c->max_sessions_per_address,
        .handshakes = rate_of(c->handshakes_per_address_per_s,
                              c->handshakes_per_address_burst),
        .all_handshakes = rate_of(c->handshakes_per_s, c->handshakes_burst),
    };
    server->deflate_budget.cap = c->deflate_memory;
    f->deflate = (tp_ws_deflate_config){
        .enabled = c->deflate,
        .server_no_context_takeover = c->deflate_server_no_context_takeover,
        .client_no_context_takeover = c->deflate_client_no_context_takeover,
        .server_max_window_bits = (uint8_t)c->deflate_server_max_window_bits,
        .client_max_window_bits = (uint8_t)c->deflate_client_max_window_bits,
        .level = (uint8_t)c->deflate_level,
        .memory_level = (uint8_t)c->deflate_memory_level,
        .threshold = c->deflate_threshold,
    };
}

sio_error sio_server_configure(sio_server *server,
                               const sio_server_config *config)
{
    /* A smaller one is of an older header: the rest keeps its defaults. */
    size_t size = config->size < sizeof(server->config)
                      ? config->size
                      : sizeof(server->config);
    server->config = sio_server_config_default();
    memcpy(&server->config, config, size);
    server->config.size = sizeof(server->config);
    if (server->config.threads == 0) {
        server->config.threads =
            server->config.loop != NULL ? 1 : tp_thread_processors();
    }
    server->log = (sio_log){server->config.on_log, server->config.arg,
                            (int)server->config.log_level};
    sio_error err = copy_strings(server);
    if (err != SIO_OK) {
        return err;
    }
    if (!in_bounds(server) || !pointers_are_good(server)) {
        return SIO_ERR_ARGUMENT;
    }
    set_engine(server);
    set_core(server);
    set_front(server);
    err = set_trusted(server);
    if (err == SIO_OK) {
        err = tp_cors_init(&server->front_config.cors, &server->config,
                           &server->strings, &server->log);
    }
    if (err == SIO_OK) {
        err = tp_cookie_init(&server->front_config.cookie, &server->config,
                             &server->strings, &server->log);
    }
    if (err == SIO_OK && server->config.tls != NULL) {
        err = sio_server_add_tls(server, server->config.tls, &server->tls);
        server->config.tls = NULL; /* it was borrowed */
    }
    return err;
}
