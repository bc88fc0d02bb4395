/* t_plate_files.c -- exported images: patterns, the layouts that are known by name, what microscopes' own files say, planes
 * and time points, the tables. */
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

static void put_text(const char *name, const char *content, size_t n)
{
    char path[900];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    char *folder = path_dir(path);
    if (path_make_dirs(folder) != OK || path_write(path, content, n) != OK) printf("# %s\n", msg_get());
    free(folder);
}

static void put(const char *name)
{
    put_text(name, "x", 1);
}

/* The table of what is below a folder; caller frees. "" where it fails. */
static char *table_of(const char *below, const char *pattern, names *notes)
{
    char path[700];
    plate_files f = {0};
    text csv = {0};
    snprintf(path, sizeof path, "%s/%s", dir, below);
    if (plate_files_find(&f, path, pattern) == OK && plate_files_choose(&f, false, notes) == OK) plate_files_csv(&f, &csv);
    plate_files_free(&f);
    return csv.s ? csv.s : xstrdup("");
}

/* The same with a row a plane. */
static char *table_of_planes(const char *below)
{
    char path[700];
    plate_files f = {0};
    names notes = {0};
    text csv = {0};
    snprintf(path, sizeof path, "%s/%s", dir, below);
    if (plate_files_find(&f, path, NULL) == OK && plate_files_choose(&f, true, &notes) == OK) plate_files_csv(&f, &csv);
    ok(notes.n == 1 && strstr(notes.item[0], "a row each: tile.z makes one image of them"), "planes as rows are told of");
    plate_files_free(&f);
    names_free(&notes);
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
    csv = table_of_planes("op");
    ok(has_row(csv, "P7,B03,1,1,r02c03f01p01-ch1sk1fk1fl1.tiff,/") && has_row(csv, "P7,B03,1,3,r02c03f01p03-ch1sk1fk1fl1.tiff,/") &&
           has_row(csv, "P7,AA10,2,1,,,r27c10f02p01") && strstr(csv, "Metadata_Site,Metadata_Z,FileName_OrigCh1,"),
       "a row a plane");
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

/* ---- what microscopes' own files say ---- */

#define HARMONY(version) "<?xml version=\"1.0\"?>\n<EvaluationInputData xmlns=\"http://www.perkinelmer.com/PEHH/Harmony" version "\">"
#define PLATE(name)                                                                                                                        \
    "<Plates><Plate><PlateID>ID</PlateID><Name>" name "</Name></Plate></Plates>"                                                           \
    "<Wells><Well><id>0203</id><Row>2</Row><Col>3</Col><Image id=\"0203K1F1P1R1\" /></Well></Wells>"
#define IMAGE(url, row, col, field, channel, channel_name, type)                                                                           \
    "<Image Version=\"1\"><id>x</id><State>Ok</State><URL>" url "</URL><Row>" row "</Row><Col>" col "</Col><FieldID>" field                \
    "</FieldID><PlaneID>1</PlaneID><TimepointID>0</TimepointID><ChannelID>" channel "</ChannelID>" channel_name "<ImageType>" type         \
    "</ImageType></Image>"

static const char index5[] =
    HARMONY("V5") PLATE("P &amp; 1") "<Images>" IMAGE("a.tiff", "2", "3", "1", "1", "<ChannelName>HOECHST 33342</ChannelName>", "Signal")
        IMAGE("b.tiff", "2", "3", "1", "2", "<ChannelName>Alexa, 488</ChannelName>", "Signal")
            IMAGE("c.tiff", "2", "3", "2", "1", "<ChannelName>HOECHST 33342</ChannelName>", "Signal")
                IMAGE("d.tiff", "2", "3", "2", "2", "<ChannelName>Alexa, 488</ChannelName>", "Signal")
                    IMAGE("flat.tiff", "2", "3", "1", "1", "", "Flatfield")
                        IMAGE("../e.tiff", "2", "3", "3", "1", "", "Signal") "</Images></EvaluationInputData>";
static const char index6[] = HARMONY("V6")
    PLATE("P6") "<Maps><Map><Entry ChannelID=\"1\"><ChannelName>DNA</ChannelName></Entry>"
                "<Entry ChannelID=\"2\"><ChannelName>ER</ChannelName></Entry></Map></Maps><Images>" IMAGE("a.tiff", "1", "1", "1", "1", "",
                                                                                                          "Signal")
                    IMAGE("b.tiff", "1", "1", "1", "2", "", "Signal") "</Images></EvaluationInputData>";
static const char layout[] =
    "<AssayLayout xmlns=\"http://www.perkinelmer.com/PEHH/HarmonyV5\"><Layer><Name>Compound</Name>"
    "<Well><Row>2</Row><Col>3</Col><Value>aspirin</Value></Well><Well><Row>2</Row><Col>4</Col><Value>no image</Value></Well>"
    "<Well><Row>1</Row><Col>1</Col><Value /></Well></Layer><Layer><Name>Cell Type</Name><Well><Row>2</Row><Col>3</Col><Value>U2OS</Value>"
    "</Well></Layer></AssayLayout>";

/* Find and choose; the caller frees f. The LoadData table, "" where it fails; caller frees. */
static char *export_of(const char *below, plate_files *f)
{
    char path[700];
    names notes = {0};
    text csv = {0};
    snprintf(path, sizeof path, "%s/%s", dir, below);
    if (plate_files_find(f, path, NULL) == OK && plate_files_choose(f, false, &notes) == OK) plate_files_csv(f, &csv);
    names_free(&notes);
    return csv.s ? csv.s : xstrdup("");
}

static bool tells(const plate_files *f, const char *what)
{
    for (size_t i = 0; i < f->told.n; i++)
        if (strstr(f->told.item[i], what)) return true;
    return false;
}

static void test_operetta(void)
{
    plate_files f = {0};
    text wells = {0};
    put_text("h5/Images/Index.idx.xml", index5, strlen(index5));
    put_text("h5/Assaylayout/One.xml", layout, strlen(layout));
    put("h5/Images/a.tiff"), put("h5/Images/b.tiff"), put("h5/Images/c.tiff"), put("h5/Images/stray.tiff");
    char *csv = export_of("h5", &f);
    ok(strstr(csv, "FileName_OrigHOECHST 33342") && strstr(csv, "\"FileName_OrigAlexa, 488\""), "Harmony 5: channels by name");
    ok(has_row(csv, "P & 1,B03,1,b.tiff,") && has_row(csv, "P & 1,B03,2,,,c.tiff,"), "the index's plate, row and column");
    ok(tells(&f, "1 of its 4 images are not in the folder, the first is d.tiff") && tells(&f, "2 records left out"),
       "images that are absent or of no well are told of");
    ok(f.unknown.n == 1 && strstr(f.unknown.item[0], "stray.tiff"), "an image that the index does not name");
    ok(plate_files_wells_csv(&f, &wells) == 1, "one well of the layout has images");
    same(text_str(&wells), "Metadata_Plate,Metadata_Well,Metadata_Compound,Metadata_Cell_Type\nP & 1,B03,aspirin,U2OS\n", "the well table");
    free(csv);
    text_free(&wells);
    plate_files_free(&f);
    put_text("h6/Images/Index.xml", index6, strlen(index6));
    put("h6/Images/a.tiff"), put("h6/Images/b.tiff");
    csv = export_of("h6", &f);
    ok(strstr(csv, "FileName_OrigDNA") && has_row(csv, "P6,A01,1,a.tiff,"), "Harmony 6: channels named by the maps");
    free(csv);
    plate_files_free(&f);
}

static void test_yokogawa(void)
{
    static const char mlf[] =
        "<?xml version=\"1.0\"?><bts:MeasurementData xmlns:bts=\"http://www.yokogawa.co.jp/BTS/BTSSchema/1.0\">"
        "<bts:MeasurementRecord bts:Type=\"IMG\" bts:Column=\"8\" bts:Row=\"4\" bts:TimePoint=\"1\" bts:FieldIndex=\"2\" bts:ZIndex=\"1\" "
        "bts:Ch=\"1\">x1.tif</bts:MeasurementRecord>"
        "<bts:MeasurementRecord bts:Type=\"IMG\" bts:Column=\"8\" bts:Row=\"4\" bts:TimePoint=\"1\" bts:FieldIndex=\"2\" bts:ZIndex=\"1\" "
        "bts:Ch=\"3\">x3.tif</bts:MeasurementRecord>"
        "<bts:MeasurementRecord bts:Type=\"ERR\" bts:Column=\"9\" bts:Row=\"4\">out of focus</bts:MeasurementRecord></bts:MeasurementData>";
    static const char mrf[] = "<bts:MeasurementDetail xmlns:bts=\"u\" bts:Title=\"t\" bts:MeasurementSettingFileName=\"s.mes\">"
                              "<bts:MeasurementSamplePlate bts:Name=\"CP-7\" /></bts:MeasurementDetail>";
    static const char mes[] =
        "<bts:MeasurementSetting xmlns:bts=\"u\"><bts:ChannelList><bts:Channel bts:Ch=\"1\" bts:Target=\"405\" "
        "bts:Acquisition=\"BP445/45\" "
        "bts:Fluorophore=\"DNA\" /><bts:Channel bts:Ch=\"3\" bts:Target=\"561\" bts:Fluorophore=\"%s\" /></bts:ChannelList>"
        "</bts:MeasurementSetting>";
    plate_files f = {0};
    char settings[600];
    put_text("cv8/MeasurementData.mlf", mlf, strlen(mlf));
    put_text("cv8/MeasurementDetail.mrf", mrf, strlen(mrf));
    snprintf(settings, sizeof settings, mes, "AGP");
    put_text("cv8/s.mes", settings, strlen(settings));
    put("cv8/x1.tif"), put("cv8/x3.tif");
    char *csv = export_of("cv8", &f);
    ok(strstr(csv, "FileName_OrigAGP,PathName_OrigAGP,FileName_OrigDNA") && has_row(csv, "CP-7,D08,2,x3.tif,"),
       "Yokogawa: dyes name channels");
    ok(tells(&f, "1 records are of no image") && tells(&f, "Ch1 is 405, BP445/45; Ch3 is 561"), "errors and channels are told of");
    free(csv);
    plate_files_free(&f);
    snprintf(settings, sizeof settings, mes, "");
    put_text("cv8/s.mes", settings, strlen(settings));
    csv = export_of("cv8", &f);
    ok(strstr(csv, "FileName_OrigCh1,PathName_OrigCh1,FileName_OrigCh3"), "a channel without a dye: all keep their numbers");
    free(csv);
    plate_files_free(&f);
}

static void test_imagexpress(void)
{
    static const char htd[] =
        "\"HTSInfoFile\", Version 1.0\r\n\"NWavelengths\", 2\r\n\"WaveName1\", \"DAPI\"\r\n\"WaveName2\", \"Cy5 5\xb5m\"\r\n";
    plate_files f = {0};
    put_text("mx/Exp.HTD", htd, strlen(htd));
    put("mx/TimePoint_1/Exp_C07_s1_w1D5F8F51A-3E85-4358-AE51-A465AF87386F.tif");
    put("mx/TimePoint_1/Exp_C07_s1_w2D5F8F51A-3E85-4358-AE51-A465AF87386F.tif");
    char *csv = export_of("mx", &f);
    ok(strstr(csv, "FileName_OrigCy5 5\xc2\xb5m,PathName_OrigCy5 5\xc2\xb5m,FileName_OrigDAPI"), "ImageXpress: names of the HTD, as UTF-8");
    free(csv);
    plate_files_free(&f);
}

/* An index that is cut off anywhere, or wants more than to be read: told of, and names decide. */
static void test_damaged_exports(void)
{
    static const char bomb[] = "<!DOCTYPE a [<!ENTITY b \"cccccccc\"><!ENTITY d \"&b;&b;&b;&b;\">]><a><URL>&d;</URL></a>";
    static const char fetch[] = "<!DOCTYPE a SYSTEM \"http://127.0.0.1:9/a.dtd\"><a/>";
    plate_files f = {0};
    bool good = true;
    char deep[2000] = "", *csv;
    put("bad/P1/Images/r02c03f01p01-ch1sk1fk1fl1.tiff");
    for (size_t n = 1; n < strlen(index5) && good; n += 37) {
        put_text("bad/P1/Images/Index.idx.xml", index5, n);
        csv = export_of("bad", &f);
        good = f.n == 1 && has_row(csv, "P1,B03,1,r02c03") && tells(&f, "; not used");
        if (!good) printf("# cut off at %zu: %s\n", n, csv);
        free(csv);
        plate_files_free(&f);
    }
    ok(good, "an index that is cut off: names decide");
    for (int i = 0; i < 100; i++) snprintf(deep + 3 * i, 4, "<a>");
    const char *const hostile[] = {bomb, fetch, deep};
    const char *const why[] = {"DOCTYPE", "DOCTYPE", "nested more than 64 deep"};
    for (int i = 0; i < 3; i++) {
        put_text("bad/P1/Images/Index.idx.xml", hostile[i], strlen(hostile[i]));
        csv = export_of("bad", &f);
        ok(f.n == 1 && tells(&f, why[i]), why[i]);
        free(csv);
        plate_files_free(&f);
    }
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
    ok(plate_files_choose(&f, false, &notes) == E_FORMAT && strstr(msg_get(), "two/a/P_A01_s1_w1.tif and ") &&
           strstr(msg_get(), "well A01, site 1"),
       "two files for one place");
    msg_clear();
    plate_files_free(&f);
    ok(plate_files_find(&f, "/no/such/folder", NULL) == E_IO, "no such folder");
    msg_clear();
    snprintf(path, sizeof path, "%s/two/b/notes.tif", dir);
    ok(plate_files_find(&f, path, NULL) == E_FAILED && strstr(msg_get(), "is not a folder"), "a file");
    msg_clear();
    ok(plate_files_choose(&f, false, &notes) == OK && f.n == 0, "nothing at all");
    plate_files_free(&f);
    names_free(&notes);
}

int main(void)
{
    snprintf(dir, sizeof dir, "%s", getenv("T") ? getenv("T") : "/tmp/t_plate_files");
    test_patterns();
    test_layouts();
    test_operetta();
    test_yokogawa();
    test_imagexpress();
    test_damaged_exports();
    test_refused();
    return tap_done();
}
