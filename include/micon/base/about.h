/* about.h -- what a program is built from and what it runs on, for --version --verbose: a line per fact, "name: value". Local. */
#ifndef MICON_BASE_ABOUT_H
#define MICON_BASE_ABOUT_H
#include "micon/base/text.h"

void about_build(text *out);     /* compiler; versions of the packages at build */
void about_machine(text *out);   /* processor, its vector instructions, cores */
void about_libraries(text *out); /* the files of the shared libraries that it is linked with, but the C library's */

#endif
