/* fuzz_config.c -- any bytes as a configuration. */
#include "micon/config/config.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    config c = {0};
    text shown = {0};
    if (config_parse(&c, "fuzz.yaml", (const char *)data, size, NULL) == OK) config_show(&c, ~0u, &shown);
    msg_clear();
    text_free(&shown);
    config_free(&c);
    return 0;
}
