/* plate_files.h -- the images below a folder that a microscope exported: which plate, well, site, channel, plane and time point each is of.
 * Local.
 *
 * A folder with one of these files is read by what it says, and its other TIFF files are not understood:
 *     Index.idx.xml, Index.xml    Operetta, Opera Phenix: images, names of channels, plate; ../Assaylayout/ *.xml the compounds of wells
 *     MeasurementData.mlf         Yokogawa CV7000, CV8000: images; MeasurementDetail.mrf the plate, the .mes that it names the channels
 *     PLATE.HTD                   ImageXpress: the names of the channels of the images below it
 * One that is damaged is told of, and names decide. Known layouts, by file name: Operetta and Opera Phenix
 * (r04c14f05p01-ch1sk1fk1fl1.tiff), Yokogawa CV7000 and CV8000 (PLATE_D08_T0001F002L01A01Z04C01.tif), ImageXpress
 * (PLATE_C07_s1_w1GUID.tif), ScanR (A1--W00001--P00001--Z00000--T00000--DAPI.tif). For others a pattern, which is compared with as many of
 * the last parts of the path as it has itself; then nothing but names decides:
 *     {plate}/{well}_s{site}_{channel}.tif
 * Fields: {plate}, {well} (A1, A01) or {row} and {col} (the row a letter or a number), {site}, {channel}, {z}, {time}, {guid}, {*}
 * (anything without a '/'). A field given twice must be the same text both times. Without {plate} it is the name of the folder that holds
 * the file, folders called Images, TimePoint_N and ZStep_N left out and an Operetta's "__DATE-Measurement N" cut off; without {site} it is
 * 1. */
#ifndef MICON_ACQUISITION_PLATE_FILES_H
#define MICON_ACQUISITION_PLATE_FILES_H
#include "micon/base/status.h"
#include "micon/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    char *path, *plate, *channel; /* path absolute; a channel that is a number is called Ch1 */
    char well[8];
    int64_t site, z, time;
} plate_file;

/* What a layer of an assay's layout says of a well. */
typedef struct {
    char *plate, *value;
    char well[8];
    size_t layer;
} layout_cell;

/* {0} is valid and empty. */
typedef struct {
    plate_file *item;
    size_t n, cap;
    names unknown;        /* TIFF files whose name is not understood */
    int64_t n_thumbnails; /* left out */
    names told;           /* lines about the microscope's own files: what is missing or was left out, what the channels are */
    names layer;          /* Compound, Concentration, ...: as the layouts call them */
    layout_cell *cell;
    size_t n_cells, cells_cap;
    bool planes; /* chosen with all planes, of which there are several: the table has a row a plane and a column Metadata_Z */
} plate_files;
void plate_files_free(plate_files *f);

/* Add the files below a folder. pattern NULL or "": the known layouts. A folder that cannot be read, or a pattern with an unknown field or
 * without {well} or {row}{col}, fails. */
status plate_files_find(plate_files *f, const char *folder, const char *pattern) MUST_USE;

/* One image for each plate, well, site and channel, in this order: the first time point, of several planes the middle one, or with
 * `planes` all of them, by plate, well, site, plane and channel; notes say so. Two files for one place: E_FORMAT names both. */
status plate_files_choose(plate_files *f, bool planes, names *notes) MUST_USE;

/* Names of the channels, in their order; a LoadData table of the chosen files, appended. */
void plate_files_channels(const plate_files *f, names *out);
void plate_files_csv(const plate_files *f, text *out);

/* A well table of the wells that have images and of which a layout says something, appended: Metadata_Plate, Metadata_Well,
 * Metadata_Compound, a column per further layer. Nothing where no layout names a compound. Returns the number of its rows. */
size_t plate_files_wells_csv(plate_files *f, text *out);

#endif
