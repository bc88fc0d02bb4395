/* t_plate_files.c -- names of exported images: patterns, the layouts that are known, planes and time points, the table. */
#include "../../common/acquisition/name_pattern_impl.h"
#include "../tap.h"
#include "micon/acquisition/plate_files.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <stdlib.h>

static char dir[512];

static void matches(const char *pattern, const char *path, field_kind k, const char *want)
{
    name_fields f;
    char got[100] = "(no match)", what[400];
    if (name_pattern_match(pattern, path, &f)) snprintf(got, sizeof got, "%.*s", (int)f.n[k], f.at[k] ? f.at[k] : "");
    snprintf(what, sizeof what, "%s: %s", pattern, path);
    same(got, want, what);
}

static void test_patterns(void)
{
    const char *p = "{plate}/{well}_s{site}_{channel}.tif", *no = "(no match)";
    matches(p, "/data/P1/A01_s3_DNA.tif", FIELD_PLATE, "P1");
    matches(p, "/data/P1/A01_s3_DNA.tif", FIELD_CHANNEL, "DNA");
    matches(p, "/data/P1/A01_s3_DNA.TIF", FIELD_SITE, "3");
    matches(p, "/data/P1/A01_S3_DNA.tif", FIELD_SITE, no);
    matches(p, "/data/P1/A01_s3_DNA.tiff", FIELD_SITE, no);
    matches(p, "P1/af48_s12_x_y.tif", FIELD_CHANNEL, "x_y");
    matches(p, "/data/P1/ZZ99_s3_DNA.tif", FIELD_WELL, no);
    matches(p, "A01_s3_DNA.tif", FIELD_WELL, no);
    matches("{plate}_{well}_{channel}.tif", "/x/A_B02_P_C07_w1.tif", FIELD_PLATE, "A");
    matches("{plate}_{well}_w{channel}.tif", "/x/A_B02_P_C07_w1.tif", FIELD_PLATE, "A_B02_P");
    matches("{plate}/{plate}_{well}.tif", "/x/P1/P1_A1.tif", FIELD_WELL, "A1");
    matches("{plate}/{plate}_{well}.tif", "/x/P1/P2_A1.tif", FIELD_WELL, no);
    matches("{channel}-{*}-{row}-{col}.tif", "/x/Channel1-01-A-02.tif", FIELD_ROW, "A");
    matches("w{channel}{guid}.tif", "/x/w12D5F8F51A-3E85-4358-AE51-A465AF87386F.tif", FIELD_CHANNEL, "12");
    matches("w{channel}{guid}.tif", "/x/w12D5F8F51A-3E85-4358-AE51-A465AF8738.tif", FIELD_CHANNEL, no);
    char long_name[260];
    memset(long_name, 'a', 255);
    long_name[255] = '\0';
    matches("{*}b{*}b{*}b{*}b{*}b{well}.tif", long_name, FIELD_ANY, no);
    memset(long_name, 'b', 255);
    matches("{*}b{*}b{*}b{*}b{*}b{well}.tif", long_name, FIELD_ANY, no); /* in bounded time */
    ok(name_pattern_check("{row}{col}.tif") == OK && name_pattern_check("{well}") == OK, "patterns that are right");
    ok(name_pattern_check("{plate}_{wel}.tif") == E_USAGE && strstr(msg_get(), "a field that is not known"), "a field that there is not");
    msg_clear();
    ok(name_pattern_check("{plate}_{row}.tif") == E_USAGE && strstr(msg_get(), "no {well}"), "no well");
    msg_clear();
    ok(name_pattern_check("{well") == E_USAGE, "a brace that is not closed");
    msg_clear();
}

static void put(const char *name)
{
    char path[900];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    char *folder = path_dir(path);
    if (path_make_dirs(folder) != OK || path_write(path, "x", 1) != OK) printf("# %s\n", msg_get());
    free(folder);
}

/* The table of what is below a folder; caller frees. "" where it fails. */
static char *table_of(const char *below, const char *pattern, names *notes)
{
    char path[700];
    plate_files f = {0};
    text csv = {0};
    snprintf(path, sizeof path, "%s/%s", dir, below);
    if (plate_files_find(&f, path, pattern) == OK && plate_files_choose(&f, notes) == OK) plate_files_csv(&f, &csv);
    plate_files_free(&f);
    return csv.s ? csv.s : xstrdup("");
}

static bool has_row(const char *csv, const char *start)
{
    for (const char *p = csv; (p = strchr(p, '\n')) != NULL;)
        if (strncmp(++p, start, strlen(start)) == 0) return true;
    return false;
}

static void test_layouts(void)
{
    names notes = {0};
    put("op/P7__2026-01-02T10_11_12-Measurement 1/Images/r02c03f01p01-ch1sk1fk1fl1.tiff");
    put("op/P7__2026-01-02T10_11_12-Measurement 1/Images/r02c03f01p02-ch1sk1fk1fl1.tiff");
    put("op/P7__2026-01-02T10_11_12-Measurement 1/Images/r02c03f01p03-ch1sk1fk1fl1.tiff");
    put("op/P7__2026-01-02T10_11_12-Measurement 1/Images/r27c10f02p01-ch10sk1fk1fl1.tiff");
    put("op/P7__2026-01-02T10_11_12-Measurement 1/Images/Index.idx.xml");
    char *csv = table_of("op", NULL, &notes);
    ok(strstr(csv, "Metadata_Plate,Metadata_Well,Metadata_Site,FileName_OrigCh1,PathName_OrigCh1,FileName_OrigCh10,") == csv,
       "columns by channel");
    ok(has_row(csv, "P7,B03,1,r02c03f01p02-ch1sk1fk1fl1.tiff,/"), "Operetta: plate of the folder, row and column, the middle plane");
    ok(has_row(csv, "P7,AA10,2,,,r27c10f02p01-ch10sk1fk1fl1.tiff,/"), "row 27 is AA; a channel that is not there is empty");
    ok(notes.n == 1 && strstr(notes.item[0], "up to 3 planes"), "planes are told of");
    free(csv);
    names_free(&notes);
    notes = (names){0};
    put("cv/AssayPlate_X/AssayPlate_X_D08_T0001F002L01A01Z01C01.tif");
    put("cv/AssayPlate_X/AssayPlate_X_D08_T0001F002L01A02Z01C02.tif");
    csv = table_of("cv", "", &notes);
    ok(has_row(csv, "AssayPlate_X,D08,2,AssayPlate_X_D08_T0001F002L01A01Z01C01.tif,"), "Yokogawa");
    ok(strstr(csv, "FileName_OrigCh2") != NULL, "its channels as numbers");
    free(csv);
    put("ix/2026/1/TimePoint_1/Plate_A_C07_s1_w1D5F8F51A-3E85-4358-AE51-A465AF87386F.tif");
    put("ix/2026/1/TimePoint_2/Plate_A_C07_s1_w1D5F8F51A-3E85-4358-AE51-A465AF873860.tif");
    put("ix/2026/1/TimePoint_1/Plate_A_C07_s1_w1_thumbD5F8F51A-3E85-4358-AE51-A465AF87386F.tif");
    put("ix/2026/1/TimePoint_1/Plate_A_C08_w2D5F8F51A-3E85-4358-AE51-A465AF87386F.TIF");
    csv = table_of("ix", NULL, &notes);
    ok(has_row(csv, "Plate_A,C07,1,Plate_A_C07_s1_w1D5F8F51A-3E85-4358-AE51-A465AF87386F.tif,"), "ImageXpress, the first time point");
    ok(has_row(csv, "Plate_A,C08,1,,,Plate_A_C08_w2"), "without a site it is 1; endings in capitals");
    ok(notes.n == 1 && strstr(notes.item[0], "up to 2 time points"), "time points are told of");
    free(csv);
    put("sr/Run,1/A1--W00001--P00002--Z00000--T00000--DAPI.tif");
    csv = table_of("sr", NULL, &notes);
    ok(has_row(csv, "\"Run,1\",A01,2,A1--W00001--P00002--Z00000--T00000--DAPI.tif,"), "ScanR; a plate's name with a comma");
    free(csv);
    names_free(&notes);
}

static void test_refused(void)
{
    names notes = {0};
    plate_files f = {0};
    char path[700];
    put("two/a/P_A01_s1_w1.tif");
    put("two/b/P_A01_s1_w1.tif");
    put("two/b/notes.tif");
    snprintf(path, sizeof path, "%s/two", dir);
    ok(plate_files_find(&f, path, NULL) == OK && f.n == 2 && f.unknown.n == 1, "what is not understood is kept apart");
    ok(plate_files_choose(&f, &notes) == E_FORMAT && strstr(msg_get(), "two/a/P_A01_s1_w1.tif and ") &&
           strstr(msg_get(), "well A01, site 1"),
       "two files for one place");
    msg_clear();
    plate_files_free(&f);
    ok(plate_files_find(&f, "/no/such/folder", NULL) == E_IO, "no such folder");
    msg_clear();
    snprintf(path, sizeof path, "%s/two/b/notes.tif", dir);
    ok(plate_files_find(&f, path, NULL) == E_FAILED && strstr(msg_get(), "is not a folder"), "a file");
    msg_clear();
    ok(plate_files_choose(&f, &notes) == OK && f.n == 0, "nothing at all");
    plate_files_free(&f);
    names_free(&notes);
}

int main(void)
{
    snprintf(dir, sizeof dir, "%s", getenv("T") ? getenv("T") : "/tmp/t_plate_files");
    test_patterns();
    test_layouts();
    test_refused();
    return tap_done();
}
