/* t_index_real.c -- the index of real tables: LoadData CSVs, all of JUMP's metadata, CPJUMP1's plate maps. */
#include "../index_screen.h"

#include <time.h>

static double seconds(void)
{
    struct timespec a;
    clock_gettime(CLOCK_MONOTONIC, &a);
    return (double)a.tv_sec + 1e-9 * (double)a.tv_nsec;
}

static void real_load_data(void)
{
    static const struct {
        const char *file, *channels;
        int illumination;
    } c[] = {{"pilot_BR00115134_load_data.csv.gz", "DNA|ER|RNA|AGP|Mito", 0},
             {"adipocyte_BR00135669_load_data.csv.gz", "DNA|ER|RNA|AGP|Mito", 0},
             {"adipocyte_BR00135669_load_data_with_illum.csv.gz", "DNA|ER|RNA|AGP|Mito", 1},
             {"adipocyte_BR00136520_load_data_with_illum.csv.gz", "DNA|Brightfield_H", 1}};
    text t = {0};
    const char *load_data = tap_shared("loaddata");
    if (!path_exists(load_data)) {
        tap_skip("real LoadData tables", load_data);
        return;
    }
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        screen s;
        begin(&s, c[i].file, NULL, NULL, NULL);
        s.o.dir = load_data;
        names_free(&s.channels), list(&s.channels, c[i].channels);
        screen_index *ix = build(&s);
        ok(ix && index_n_rows(ix) == 3456 && index_n_plates(ix) == 1 && index_plate_at(ix, 0).n == 3456, c[i].file);
        ok(ix && findings_count(index_findings(ix), FINDING_ERROR) == 0, "without errors");
        ok(ix && index_has_illumination(ix) == c[i].illumination, "illumination as given");
        if (i == 2) {
            same(index_cell(ix, 0, INDEX_BATCH), "loaddata", "the batch is the folder");
            same(index_path(ix, 3455, 0, &t),
                 "/home/ubuntu/bucket/cpg0014-jump-adipocyte/broad/images/2022_11_28_Batch1/images/"
                 "BR00135669__2022-09-01T01_55_50-Measurement1/Images/r16c24f09p01-ch5sk1fk1fl1.tiff",
                 "a path");
            same(path_base(index_illumination(ix, 0, 4, &t)), "BR00135669_IllumMito.npy", "an illumination function");
        }
        findings f = {0};
        double t0 = seconds();
        if (ix) index_check_files(ix, 0, 1, false, 0.05, &f);
        printf("# %lld files looked for in %.3f s\n", (long long)findings_count(&f, FINDING_ERROR), seconds() - t0);
        ok(findings_count(&f, FINDING_ERROR) == 3456 * (int64_t)s.channels.n && findings_count(&f, FINDING_WARNING) == 1,
           "all files are missing, and reported");
        text_clear(&t), findings_show(&f, &t);
        ok(strstr(t.s, "Images/r01c01f01p01-ch") && strstr(t.s, "set screen.paths: {from: '/home"), "and what to set");
        findings_free(&f), index_free(&ix), end(&s);
    }
    text_free(&t);
}

/* The real plate, well and compound tables of JUMP, with a made image table of two of its plates. */
static void real_jump(void)
{
    const char *wells = tap_shared("jump/well_81fd6c6.csv.gz");
    if (!path_exists(wells)) {
        tap_skip("the tables of JUMP", wells);
        return;
    }
    screen s;
    text t = {0}, rows = {0};
    text_addf(&t, "%s|%s", tap_shared("jump/JUMPCP_compounds.csv.gz"), tap_shared("jump/perturbation_control.csv"));
    begin(&s, "t.csv", tap_shared("jump/plate_81fd6c6.csv.gz"), wells, t.s);
    text_clear(&t);
    names_free(&s.control), list(&s.control, "JCP2022_033924");
    text_add(&rows, "FileName_OrigDNA,FileName_OrigER,Metadata_Plate,Metadata_Well,Metadata_Site\n");
    for (int p = 0; p < 2; p++)
        for (int w = 0; w < 384; w++)
            for (int site = 1; site <= 2; site++)
                text_addf(&rows, "d,e,%s,%c%02d,%d\n", p ? "Dest210531-152324" : "Dest210531-152149", 'A' + w / 24, w % 24 + 1, site);
    put("t.csv", rows.s);
    double t0 = seconds();
    screen_index *ix = build(&s);
    printf("# joined with 742,825 wells and 116,753 compounds in %.2f s\n", seconds() - t0);
    same(found(ix, &t), "", "two plates of JUMP");
    ok(ix && index_n_rows(ix) == 1536 && index_n_plates(ix) == 2, "their rows");
    text_clear(&t);
    for (int k = 0; ix && k < index_n_cols(ix); k++) text_addf(&t, "%s ", index_cell(ix, 2, k));
    same(
        t.s,
        "source_10 2021_05_31_U2OS_48_hr_run1 Dest210531-152149 A02 1 JCP2022_033924 negcon JCP2022_033924 COMPOUND CS(C)=O DMSO compound ",
        "a control");
    index_free(&ix), end(&s), text_free(&t), text_free(&rows);
}

/* CPJUMP1's list of images: a row an image, its plate column by another name. */
static void real_cpjump1(void)
{
    char *data = NULL;
    size_t n;
    const char *images = tap_shared("cpjump1/images.csv");
    if (path_read(images, &data, &n, 1 << 20) != OK) {
        msg_clear();
        tap_skip("images of CPJUMP1", images);
        return;
    }
    screen s;
    text t = {0}, changed = {0};
    begin(&s, "t.csv", NULL, tap_shared("cpjump1/barcode_platemap.csv"), tap_shared("cpjump1/JUMP-Target-1_compound_metadata_targets.tsv"));
    names_free(&s.channels), list(&s.channels, "DNA|ER|RNA|AGP|Mito");
    for (char *line = data, *next; line && *line; line = next) { /* paths made absolute, the plate's column named */
        next = strchr(line, '\n');
        if (next) *next++ = '\0';
        char *cut = strstr(line, "Metadata_Plate_inferred");
        if (cut)
            text_addf(&changed, "%.*sMetadata_Plate%s\n", (int)(cut - line), line, cut + strlen("Metadata_Plate_inferred"));
        else
            text_addf(&changed, "%s/%s\n", tap_shared("cpjump1"), line);
    }
    put("t.csv", changed.s);
    screen_index *ix = build(&s);
    ok(ix && findings_count(index_findings(ix), FINDING_ERROR) == 0, "without errors");
    ok(ix && index_n_rows(ix) == 5 && index_n_plates(ix) == 3, "5 wells on 3 plates");
    int controls = 0, smiles = ix ? index_col(ix, "Metadata_SMILES") : -1;
    for (int64_t i = 0; ix && i < 5; i++)
        controls += index_kind(ix, i) == WELL_CONTROL && strcmp(index_cell(ix, i, INDEX_COMPOUND), "DMSO") == 0 && smiles >= 0 &&
                    strcmp(index_cell(ix, i, smiles), "CS(=O)C") == 0;
    ok(controls == 1, "the control is known from the plate map's solvent");
    findings f = {0};
    if (ix) index_check_files(ix, 0, 3, false, 0, &f);
    ok(f.n == 0, "all their images are there");
    findings_free(&f), index_free(&ix), end(&s), text_free(&t), text_free(&changed);
    free(data);
}

int main(void)
{
    base = xstrdup(tap_dir());
    real_load_data();
    real_jump();
    real_cpjump1();
    free(base);
    free(folder);
    return tap_done();
}
