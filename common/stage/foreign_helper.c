/* foreign_helper.c -- the worker for HDF5 files of others, for the length of a stage. */
#include "micon/stage/foreign_helper.h"

#include "micon/store/foreign.h"

status foreign_helper_start(stage *s)
{
    foreign_reader *r = NULL;
    status st = foreign_start(&r);
    s->keep = r;
    return st;
}

void foreign_helper_stop(stage *s)
{
    foreign_reader *r = s->keep;
    foreign_stop(&r);
    s->keep = NULL;
}
