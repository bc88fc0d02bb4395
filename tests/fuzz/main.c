/* main.c -- replays the files of the named folders (or files) through a fuzz target, for builds without libFuzzer. */
#include "../tap.h"

#include <dirent.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) return 0;
    struct stat sb;
    size_t size = stat(path, &sb) == 0 ? (size_t)sb.st_size : 0;
    uint8_t *data = malloc(size + 1);
    size_t n = data ? fread(data, 1, size, f) : 0;
    fclose(f);
    if (data) LLVMFuzzerTestOneInput(data, n); /* a crash or a report of the sanitizer ends the program without its plan */
    free(data);
    return data != NULL && n == size;
}

int main(int argc, char **argv)
{
    int files = 0;
    for (int i = 1; i < argc; i++) {
        DIR *d = opendir(argv[i]);
        if (!d) {
            files += replay(argv[i]);
            continue;
        }
        for (struct dirent *e; (e = readdir(d)) != NULL;) {
            char path[4096];
            if (e->d_name[0] == '.') continue;
            snprintf(path, sizeof path, "%s/%s", argv[i], e->d_name);
            files += replay(path);
        }
        closedir(d);
    }
    printf("# %d files\n", files);
    ok(files > 0, "the corpus was replayed");
    return tap_done();
}
