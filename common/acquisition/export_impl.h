/* export_impl.h -- files in which microscopes say what their images are, for plate_files.c. */
#ifndef MICON_ACQUISITION_EXPORT_IMPL_H
#define MICON_ACQUISITION_EXPORT_IMPL_H
#include "micon/acquisition/plate_files.h"

#include <dirent.h>
#include <stdbool.h>

/* A folder and what is in it, sorted by bytes. */
typedef struct {
    const char *path;
    struct dirent **entry;
    size_t n;
} export_folder;
bool folder_has(const export_folder *d, const char *name);

/* One image that a microscope's file names. */
typedef struct {
    const char *name; /* of the file */
    const char *plate;
    int64_t row, column, site, channel, plane, time; /* row and column from 1 */
} export_image;

/* What one microscope's file came to. */
typedef struct {
    plate_files *f;
    const export_folder *d;
    size_t first;                /* its first image in f */
    int64_t n_absent, n_other;   /* images that are not in the folder; that have no place on a plate, or a name with folders */
    text absent;                 /* the first of them */
    names channel, channel_name; /* "Ch1", and what it is called; "" or absent where nothing says it */
} export_reading;
status export_add(export_reading *r, const export_image *image) MUST_USE;
void export_name_channel(export_reading *r, int64_t number, const char *name); /* the first name given stays */
/* Channels get their names, where these differ; lines about what is missing. file: whose words these are. */
void export_finish(export_reading *r, const char *file);
void export_forget(export_reading *r); /* the images added; memory of r */

/* Each reads its file in a folder; *found: there is one, and it could be read. Damaged ones are told of in f->told. */
status operetta_read(plate_files *f, const export_folder *d, bool *found) MUST_USE;
status yokogawa_read(plate_files *f, const export_folder *d, bool *found) MUST_USE;
/* Names of channels in the HTD of this folder, for the images from `first` on that were found below it. */
status imagexpress_name_channels(plate_files *f, const export_folder *d, size_t first) MUST_USE;

/* What a damaged file is answered with: a line, and OK; anything but E_FORMAT and E_IO stays. */
status export_damaged(plate_files *f, status st) MUST_USE;

/* ---- images and places, for plate_files.c too ---- */
status plate_files_add(plate_files *f, plate_file p) MUST_USE; /* takes its strings */
void plate_file_free(plate_file *p);
bool plate_well_name(int64_t row, int64_t column, char out[8]); /* from 1; false: of no plate */
char *plate_name_of_folder(const char *path);                   /* of an image, or of a file beside it; caller frees */

#endif
