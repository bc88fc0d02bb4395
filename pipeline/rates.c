/* rates.c -- work/status/rates.json: this machine's speed relative to the built-in rates; network.json: sums between ranks. */
#include "driver.h"

#include "micon/base/path.h"
#include "micon/config/file_formats.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#define START_S 1.0

void rates_read(rates *r, const config *c)
{
    char *path = config_work(c, STATUS_RATES);
    json_t *o = driver_json(path), *f = json_object_get(o, "factor");
    const json_t *starts = json_object_get(o, "start_s");
    *r = (rates){.measured = json_is_object(f)};
    for (int i = 0; i < n_stages; i++) {
        double v = json_number_value(json_object_get(f, stage_table[i].name));
        double start = json_number_value(json_object_get(starts, stage_table[i].name));
        r->factor[i] = v > 0 && isfinite(v) ? v : 1;
        r->start_s[i] = start > 0 && isfinite(start) ? start : START_S;
    }
    json_decref(o);
    free(path);
}

static void add_numbers(text *t, const char *key, const double v[MAX_STAGES], const bool measured[MAX_STAGES])
{
    bool any = false;
    text_addf(t, ", \"%s\": {", key);
    for (int i = 0; i < n_stages; i++) {
        if (!measured[i]) continue;
        text_addf(t, "%s\"%s\": %.4g", any ? ", " : "", stage_table[i].name, v[i]);
        any = true;
    }
    text_add(t, "}");
}

status rates_write(const rates *r, const bool measured[MAX_STAGES], const config *c)
{
    text t = {0};
    char *path = config_work(c, STATUS_RATES), host[256] = "";
    gethostname(host, sizeof host - 1);
    text_addf(&t, "{\"format\": %d, \"host\": ", RATES_FORMAT);
    text_add_json(&t, host);
    add_numbers(&t, "start_s", r->start_s, measured);
    add_numbers(&t, "factor", r->factor, measured);
    text_add(&t, "}\n");
    status st = path_write(path, text_str(&t), t.n);
    text_free(&t);
    free(path);
    return st;
}

static double positive(const json_t *o, const char *key)
{
    double v = json_number_value(json_object_get(o, key));
    return v > 0 && isfinite(v) ? v : 0;
}

void network_read(network_rates *n, const config *c)
{
    char *path = config_work(c, STATUS_NETWORK);
    json_t *o = driver_json(path);
    if (json_integer_value(json_object_get(o, "format")) > NETWORK_FORMAT) {
        json_decref(o);
        o = NULL;
    }
    *n = (network_rates){positive(o, "local_hop_s"), positive(o, "local_byte_s"),           positive(o, "net_hop_s"),
                         positive(o, "net_byte_s"),  fmin(1, positive(o, "local_exposed")), fmin(1, positive(o, "net_exposed"))};
    json_decref(o);
    free(path);
}
