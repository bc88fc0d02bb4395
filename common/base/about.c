/* about.c -- what a program is built from and what it runs on. */
#define _GNU_SOURCE /* dl_iterate_phdr */
#include "micon/base/about.h"

#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void about_build(text *out)
{
#ifdef __clang__
    text_addf(out, "compiler: clang %d.%d.%d\n", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
    text_addf(out, "compiler: gcc %d.%d.%d\n", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
    text_addf(out, "built with: %s\n", MICON_BUILT_WITH);
}

/* The value of the first line "name\t: value" of /proc/cpuinfo; "" if there is none. */
static void cpu_line(const char *name, char *value, size_t size)
{
    char line[8192];
    FILE *f = fopen("/proc/cpuinfo", "r");
    *value = '\0';
    while (f && !*value && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, name, strlen(name)) != 0 || !colon) continue;
        colon += 1 + (colon[1] == ' ');
        colon[strcspn(colon, "\n")] = '\0';
        snprintf(value, size, "%s", colon);
    }
    if (f) fclose(f);
}

void about_machine(text *out)
{
    static const char *const known[] = {"avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16"};
    char model[256], flags[8192], shown[256];
    names has = {0};
    cpu_line("model name", model, sizeof model);
    cpu_line("flags", flags, sizeof flags);
    names_split(&has, flags, ' ');
    text_addf(out, "processor: %s, %ld cores\nvector instructions:", text_show(shown, sizeof shown, model), sysconf(_SC_NPROCESSORS_ONLN));
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (names_find(&has, known[i]) >= 0) text_addf(out, " %s", known[i]);
    text_add(out, "\n");
    names_free(&has);
}

/* Is the file one that the program itself was linked with? Others came with those. */
static bool is_needed(const char *base)
{
    const char *strings = NULL;
    bool is = false;
    for (const ElfW(Dyn) *d = _DYNAMIC; d->d_tag != DT_NULL; d++)
        if (d->d_tag == DT_STRTAB) strings = (const char *)d->d_un.d_ptr;
    for (const ElfW(Dyn) *d = _DYNAMIC; strings && d->d_tag != DT_NULL; d++)
        is |= d->d_tag == DT_NEEDED && strcmp(strings + d->d_un.d_val, base) == 0;
    return is;
}

static int add_library(struct dl_phdr_info *info, size_t size, void *to)
{
    static const char *const of_libc[] = {"ld-linux", "libc.so", "libm.so"};
    char full[PATH_MAX];
    const char *name = info->dlpi_name, *base = name ? strrchr(name, '/') : NULL;
    (void)size;
    if (!base || !is_needed(base + 1)) return 0;
    for (size_t i = 0; i < sizeof of_libc / sizeof *of_libc; i++)
        if (strstr(name, of_libc[i])) return 0;
    text_addf(to, "library: %s\n", realpath(name, full) ? full : name);
    return 0;
}

void about_libraries(text *out)
{
    dl_iterate_phdr(add_library, out);
}
