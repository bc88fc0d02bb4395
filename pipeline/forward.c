/* forward.c -- commands that exec a stage program on finished outputs. */
#include "driver.h"

#include "micon/base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Returns only on failure. */
static status become(const call *c, const char *name, const names *args)
{
    char *program = driver_program(c, name), **argv = xcalloc(args->n + 2, sizeof *argv);
    argv[0] = program;
    for (size_t i = 0; i < args->n; i++) argv[i + 1] = args->item[i];
    status st = driver_has_program(c, name) ? OK : fail(E_FAILED, "micon %s needs the program micon-%s, which is not built", c->name, name);
    if (st == OK) {
        execv(program, argv);
        st = fail(E_FAILED, "cannot start %s: %s", program, strerror(errno));
    }
    free(argv);
    free(program);
    return st;
}

status command_verify(call *c)
{
    names args = {0};
    names_add(&args, c->name);
    for (size_t i = 0; i < c->a.rest.n; i++) names_add(&args, c->a.rest.item[i]);
    status st = become(c, "store", &args);
    names_free(&args);
    return st;
}

/* PROGRAM [COMMAND] screen.yaml [--set ..] [OPTION..] -- the words after screen.yaml. */
static status start_with_all(const call *c, const char *stage, const char *command, const names *options)
{
    names args = {0};
    if (command) names_add(&args, command);
    for (size_t i = 0; i < c->plain.n; i++) names_add(&args, c->plain.item[i]);
    if (c->a.quiet) names_add(&args, "--quiet");
    for (size_t i = 0; i < options->n; i++) names_add(&args, options->item[i]);
    names_add(&args, "--");
    for (size_t i = 1; i < c->a.rest.n; i++) names_add(&args, c->a.rest.item[i]);
    status st = become(c, stage, &args);
    names_free(&args);
    return st;
}

static status start_with(const call *c, const char *stage, const char *command, const char *option)
{
    names options = {0};
    names_add(&options, option);
    status st = start_with_all(c, stage, command, &options);
    names_free(&options);
    return st;
}

static void add_option(names *options, const char *name, const char *value)
{
    char *option = xasprintf("--%s=%s", name, value);
    names_add(options, option);
    free(option);
}

status command_gallery(call *c)
{
    names options = {0};
    const char *usage = "usage: micon gallery screen.yaml --compound NAME -o FILE.png";
    if (!*c->a.picture) return fail(E_USAGE, "missing -o FILE.png; %s", usage);
    if (c->a.rest.n > 1 || (!*c->a.compound && c->a.wells.n == 0))
        return fail(E_USAGE, "name a compound with --compound, or wells with --well PLATE/WELL; %s", usage);
    add_option(&options, "gallery", c->a.picture);
    if (*c->a.compound) add_option(&options, "compound", c->a.compound);
    for (size_t i = 0; i < c->a.wells.n; i++) add_option(&options, "well", c->a.wells.item[i]);
    status st = start_with_all(c, "evaluate", NULL, &options);
    names_free(&options);
    return st;
}

status command_preview(call *c)
{
    names options = {0};
    const char *usage = "usage: micon preview screen.yaml --plate PLATE -o FILE.png";
    if (!*c->a.picture) return fail(E_USAGE, "missing -o FILE.png; %s", usage);
    if (c->a.rest.n > 1 || c->a.plates.n != 1) return fail(E_USAGE, "name one plate with --plate; %s", usage);
    add_option(&options, "preview", c->a.picture);
    add_option(&options, "plate", c->a.plates.item[0]);
    for (size_t i = 0; i < c->a.channels.n; i++) add_option(&options, "channel", c->a.channels.item[i]);
    if (c->a.outlines) names_add(&options, "--outlines");
    char *pixel = xasprintf("%.9g", c->a.pixel);
    add_option(&options, "pixel", pixel);
    free(pixel);
    status st = start_with_all(c, "tile", NULL, &options);
    names_free(&options);
    return st;
}

status command_predict(call *c)
{
    names none = {0};
    if (c->a.rest.n != 2) return fail(E_USAGE, "missing file of structures; usage: micon predict screen.yaml SMILES_FILE");
    return start_with_all(c, "predict", NULL, &none);
}

status command_compare(call *c)
{
    if (c->a.rest.n < 3) return fail(E_USAGE, "name at least two runs; usage: micon compare screen.yaml RUN RUN...");
    return start_with(c, "evaluate", NULL, "--compare");
}

status command_export(call *c)
{
    if (c->a.rest.n != 2) return fail(E_USAGE, "missing folder; usage: micon export screen.yaml FOLDER");
    return start_with(c, "store", "export", c->a.format == 1 ? "--format=parquet" : "--format=csv");
}

status command_store(call *c)
{
    if (c->a.rest.n != 2) return fail(E_USAGE, "missing store; usage: micon store add screen.yaml STORE");
    char *wait = xasprintf("--wait=%lld", (long long)c->a.wait);
    status st = start_with(c, "store", "add", wait);
    free(wait);
    return st;
}
