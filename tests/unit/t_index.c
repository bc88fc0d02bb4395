/* t_index.c -- the index: every kind of table, joins, everything that can be wrong with them. Where its images are: t_index_images.c. */
#include "../index_screen.h"

/* ---- kinds of image tables ---- */

#define ROWS "S/B/P A01 1 X 1: img/a1.tif img/e1.tif\nS/B/P B02 2 DMSO 0: img/a2.tif img/e2.tif\n"

static void kinds(void)
{
    static const struct {
        const char *what, *table;
    } kind[] = {
        {"LoadData",
         "FileName_OrigDNA,PathName_OrigDNA,FileName_OrigER,PathName_OrigER,FileName_OrigBF,Metadata_Source,Metadata_Batch,Metadata_Plate,"
         "Metadata_Well,Metadata_Site,Metadata_JCP2022\na2.tif,img,e2.tif,img/,x,S,B,P,B02,2,DMSO\na1.tif,img,e1.tif,img,x,S,B,P,a1,1,X\n"},
        {"LoadData without Orig, URLs",
         "URL_DNA,FileName_ER,PathName_ER,Metadata_Source,Metadata_Batch,Metadata_Plate,Metadata_Well,Metadata_FOV,Metadata_Compound\n"
         "file:img/a1.tif,e1.tif,img,S,B,P,A1,1,X\nimg/a2%2Etif,img/e2.tif,,S,B,P,B02,2,DMSO\n"},
        {"jump_download",
         "Source,Batch,Plate,Well,FOV,JCP2022,dna_path,er_path,rna_path\nS,B,P,A01,1,X,img/a1.tif,img/e1.tif,r\nS,B,P,B02,2,DMSO,img/"
         "a2.tif,img/e2.tif,r\n"},
        {"DeepProfiler",
         "Metadata_Source,Metadata_Batch,Metadata_Plate,Metadata_Well,Metadata_Site,Metadata_broad_sample,DNA,ER\nS,B,P,A01,1,X,img/a1.tif,"
         "img/e1.tif\nS,B,P,B02,2,DMSO,img/a2.tif,img/e2.tif\n"},
        {"nf-core",
         "channel,path,source,batch,plate,well,site,Metadata_Compound\nER,img/e1.tif,S,B,P,A1,1,X\nDNA,img/a2.tif,S,B,P,B2,2,DMSO\n"
         "dna,img/a1.tif,S,B,P,A01,1,X\nBF,img/b.tif,S,B,P,A01,1,X\nER,img/e2.tif,S,B,P,B02,2,DMSO\n"},
    };
    text t = {0};
    for (size_t i = 0; i < sizeof kind / sizeof *kind; i++) {
        screen s;
        begin(&s, "t.csv", NULL, NULL, NULL);
        put("t.csv", kind[i].table);
        screen_index *ix = build(&s);
        if (i == 1) { /* what is no URL is a path as it is */
            same(show(ix, &t), "S/B/P A01 1 X 1: img/a1.tif img/e1.tif\nS/B/P B02 2 DMSO 0: img/a2%2Etif img/e2.tif\n", kind[i].what);
        } else {
            same(show(ix, &t), ROWS, kind[i].what);
        }
        same(found(ix, &t), "", "nothing is wrong with it");
        index_free(&ix);
        end(&s);
    }
    text_free(&t);
}

/* ---- joins ---- */

static const char *const load_data = "FileName_OrigDNA,FileName_OrigER,Metadata_Plate,Metadata_Well,Metadata_Site\n"
                                     "a,b,0012,A01,1\na,b,0012,A01,2\nc,d,0012,A02,1\ne,f,0012,B01,1\ng,h,0012,B02,1\n";

static void joins(void)
{
    screen s;
    text t = {0};
    begin(&s, "*/t.csv", "m/plate.csv", "m/well.csv", "m/compound.csv|m/controls.csv");
    list(&s.treatment, "dose");
    put("b1/t.csv", load_data);
    put("m/plate.csv",
        "Metadata_Source,Metadata_Batch,Metadata_Plate,Metadata_PlateType\nsource_1,batch_1,0012,TARGET2\nsource_1,batch_1,13,DMSO\n");
    put("m/well.csv", "Metadata_Source,Metadata_Plate,Metadata_Well,Metadata_JCP2022,Metadata_dose\n"
                      "source_1,0012,A01,J2,10\nsource_1,0012,A2,J1,10\nsource_1,0012,B01,DMSO,10\nsource_1,0012,B02,JCP2022_999999,"
                      "\nsource_2,0012,A01,no,1\n"
                      "source_1,14,A01,no,1\n");
    put("m/compound.csv", "Metadata_JCP2022,Metadata_InChIKey,smiles,ignored\nJ1,K1,CC,x\nJ2,K2,\"C,\",x\nDMSO,KD,,x\n");
    put("m/controls.csv", "Metadata_JCP2022,Metadata_pert_type\nDMSO,negcon\nJ1,poscon\nJ3,trt\n");
    screen_index *ix = build(&s);
    same(found(ix, &t), "", "plate, well and compound tables: nothing is wrong");
    same(show(ix, &t),
         "source_1/batch_1/0012 A01 1 J2 2: b1/a b1/b\nsource_1/batch_1/0012 A01 2 J2 2: b1/a b1/b\nsource_1/batch_1/0012 A02 1 J1 1: b1/c "
         "b1/d\n"
         "source_1/batch_1/0012 B01 1 DMSO 0: b1/e b1/f\nsource_1/batch_1/0012 B02 1 JCP2022_999999 -1: b1/g b1/h\n",
         "the rows");
    text_clear(&t);
    for (int i = 0; ix && i < index_n_cols(ix); i++) text_addf(&t, "%s=%s ", index_col_name(ix, i) + 9, index_cell(ix, 2, i));
    same(t.s,
         "Source=source_1 Batch=batch_1 Plate=0012 Well=A02 Site=1 Compound=J1 pert_type=poscon JCP2022=J1 dose=10 PlateType=TARGET2 "
         "InChIKey=K1 "
         "SMILES=CC ",
         "all columns of a row");
    ok(index_kind(ix, 0) == WELL_TREATED && index_kind(ix, 3) == WELL_CONTROL && index_kind(ix, 4) == WELL_EMPTY, "what the wells hold");
    same(index_cell(ix, 0, INDEX_PERT_TYPE), "trt", "a pert_type that no table gives");
    same(index_cell(ix, 4, INDEX_PERT_TYPE), "empty", "that of an empty well");
    ok(index_n_classes(ix) == 3 && strcmp(index_class_name(ix, 2), "J2|10") == 0 && strcmp(index_class_name(ix, 0), "DMSO") == 0,
       "classes with a treatment");
    ok(index_well_end(ix, 0) == 2 && index_well_end(ix, 2) == 3 && index_well_end(ix, 4) == 5, "wells are contiguous");
    ok(index_col(ix, "Metadata_SMILES") == 11 && index_col(ix, "ignored") == -1, "columns by name");
    frame f = {0};
    ok(index_frame(ix, 1, 3, &f) == OK && f.n_rows == 3 && f.n_cols == index_n_cols(ix) &&
           strcmp(frame_text(&f, 2, INDEX_WELL), "B01") == 0,
       "as a frame");
    frame_free(&f);
    index_free(&ix);
    end(&s);
    text_free(&t);
}

/* "A01 DMSO, A02 X" of all rows, with the plate in front where it changes; and with a column where one is named. */
static char *holds(const screen_index *ix, const char *column, text *t)
{
    text_clear(t), text_add(t, "");
    for (int64_t i = 0; ix && i < index_n_rows(ix); i++) {
        const char *plate = index_cell(ix, i, INDEX_PLATE);
        if (!i || strcmp(plate, index_cell(ix, i - 1, INDEX_PLATE)) != 0) text_addf(t, "%s%s:", i ? " " : "", plate);
        text_addf(t, " %s %s", index_cell(ix, i, INDEX_WELL), index_cell(ix, i, INDEX_COMPOUND));
        if (column) text_addf(t, " %s", index_col(ix, column) < 0 ? "?" : index_cell(ix, i, index_col(ix, column)));
    }
    return t->s;
}

/* Layouts of plates: named by barcode, in folders of batches; a grid for a plate; a list for all plates. */
static void plate_maps(void)
{
    static const char *const images =
        "DNA,ER,Plate,Well\na,b,P1,A01\na,b,P1,A02\na,b,P1,B01\na,b,P2,A01\na,b,P2,A02\na,b,P3,A01\na,b,P3,B02\n";
    screen s;
    text t = {0}, f = {0};
    begin(&s, "t.csv", NULL, "platemaps/*/barcode_platemap.csv", "compounds.tsv");
    put("t.csv", images);
    put("platemaps/b1/barcode_platemap.csv", "Assay_Plate_Barcode,Plate_Map_Name,Time\nP1,one,24\nP9,not there,24\nP2,one,48\n");
    put("platemaps/b1/platemap/one.txt", "plate_map_name\twell_position\tbroad_sample\tmmoles_per_liter\tsolvent\n"
                                         "one\tA01\tX\t5\tDMSO\none\tA02\t\t\tDMSO\none\tb1\tNA\t\tNA\n");
    put("platemaps/b2/barcode_platemap.csv", "Assay_Plate_Barcode,Plate_Map_Name\nP3,two.csv\n");
    put("platemaps/b2/two.csv", "row,1,2\nA,Y,\nB,,DMSO\n");
    put("compounds.tsv", "broad_sample\tpert_iname\tsmiles\nX\tx\tC\nNA\tDMSO\tCS(C)=O\nY\tyy\tCC\n");
    screen_index *ix = build(&s);
    same(holds(ix, "Metadata_mmoles_per_liter", &t), "P1: A01 X 5 A02 DMSO  B01   P2: A01 X 5 A02 DMSO  P3: A01 Y  B02 DMSO ",
         "barcode_platemap: lists and a grid; the solvent where there is no compound");
    same(holds(ix, "Metadata_Time", &t), "P1: A01 X 24 A02 DMSO 24 B01  24 P2: A01 X 48 A02 DMSO 48 P3: A01 Y  B02 DMSO ",
         "columns of the barcode table belong to its plates");
    same(holds(ix, "Metadata_SMILES", &t), "P1: A01 X C A02 DMSO CS(C)=O B01   P2: A01 X C A02 DMSO CS(C)=O P3: A01 Y CC B02 DMSO CS(C)=O",
         "a compound without identifier has its pert_iname");
    same(found(ix, &f), "", "nothing is wrong: an empty well without images is none of it");
    index_free(&ix);

    char *cache = path_join(folder, "cache");
    ok(index_open(&ix, &s.o, cache) == OK, "kept in a file");
    index_free(&ix);
    put("platemaps/b2/two.csv", "row,1,2\nA,X,\nB,,DMSO\n");
    ok(index_open(&ix, &s.o, cache) == OK && strstr(holds(ix, NULL, &t), "P3: A01 X B02 DMSO"), "a map that changed is read again");
    free(cache);
    index_free(&ix);
    end(&s);

    static const struct {
        const char *what, *well, *name, *map, *want, *wrong;
    } c[] = {
        {"a list for all plates", "layout.tsv", "layout.tsv", "Well\tcompound\nA01\tX\nA02\tDMSO\nB01\tX\nB02\tX\n",
         "P1: A01 X A02 DMSO B01 X P2: A01 X A02 DMSO P3: A01 X B02 X", ""},
        {"a grid for one plate", "P?.csv|w.csv", "P1.csv", ",1,2\nA,DMSO,X\nB,Y,\n",
         "P1: A01 DMSO A02 X B01 Y P2: A01 DMSO A02  P3: A01  B02 ", "in no well table: 3"},
        {"a map of no plate", "*.tsv|w.csv", "P12.tsv", "Well\tcompound\nA01\tX\n", "P1: A01  A02  B01  P2: A01 DMSO A02  P3: A01  B02 ",
         "error: plate maps of no plate: 1\n    P12.tsv: no plate is called 'P12'; a map that"},
        {"no map", "w.csv|b.csv", "b.csv", "Assay_Plate_Barcode,Plate_Map_Name\nP1,m\nP3,\n",
         "P1: A01  A02  B01  P2: A01 DMSO A02  P3: A01  B02 ",
         "error: missing plate maps: 2\n    b.csv:2: no file m.txt, .tsv, .csv or .parquet in the folder platemap beside this table"},
        {"a map of another kind", "w.csv|b.csv", "b.csv", "Assay_Plate_Barcode,Plate_Map_Name\nP1,t.csv\nP2,t.csv\n",
         "P1: A01  A02  B01  P2: A01 DMSO A02  P3: A01  B02 ", "error: unreadable tables: 1\n    t.csv:1: no plate map"},
        {"a map without compounds", "x.csv", "x.csv", "Well,dose\nA01,1\n", "P1: A01  A02  B01  P2: A01  A02  P3: A01  B02 ",
         "x.csv:1: no column 'broad_sample', 'Metadata_JCP2022' or 'compound'"},
        {"cells that name no well", "x.csv", "x.csv", ",1\nA,X\nsum,Y\n", "P1: A01 X A02  B01  P2: A01 X A02  P3: A01 X B02 ",
         "x.csv:3: bad well 'sum1'"},
        {"a well twice", "x.csv", "x.csv", "Well,compound,dose\nA01,X,1\nA01,Y,2\n", "P1: A01 X A02  B01  P2: A01 X A02  P3: A01 X B02 ",
         "error: wells with two compounds: 3\n    x.csv:3: well A01 holds 'Y', but 'X' in x.csv:2\n"},
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        begin(&s, "t.csv", NULL, c[i].well, NULL);
        put("t.csv", images);
        put("w.csv", "Plate,Well,JCP2022\nP2,A01,DMSO\n");
        put(c[i].name, c[i].map);
        ix = build(&s);
        same(holds(ix, NULL, &t), c[i].want, c[i].what);
        ok(strstr(found(ix, &f), c[i].wrong) != NULL, c[i].what);
        if (!strstr(f.s, c[i].wrong)) printf("# %s\n", f.s);
        index_free(&ix);
        end(&s);
    }
    text_free(&t), text_free(&f);
}

/* The image table's own columns suffice; and they win. */
static void own_columns(void)
{
    screen s;
    text t = {0};
    begin(&s, "t.csv", "p.csv", "w.csv", NULL);
    put("t.csv", "DNA,ER,Metadata_Source,Metadata_Batch,Metadata_Plate,Metadata_Well,Metadata_Site,Metadata_PlateType,Metadata_x\n"
                 "a,b,S,B1,P,A01,1,own,1\na,b,S,B2,P,A01,1,,2\n");
    put("p.csv", "Source,Batch,Plate,Metadata_PlateType\nS,B1,P,one\nS,B2,P,two\n");
    put("w.csv", "Metadata_Plate,Metadata_Well,Metadata_JCP2022\nP,A01,J\n"); /* names neither source nor batch: both plates */
    screen_index *ix = build(&s);
    same(found(ix, &t),
         "warning: plates without controls: 2\n    t.csv:2: S/B1/P; no other plate has any either\n"
         "    t.csv:3: S/B2/P; no other plate has any either\nwarning: controls without a well: 1\n"
         "    screen.control: no well holds 'DMSO'\n",
         "plates of one name in two batches");
    same(show(ix, &t), "S/B1/P A01 1 J 1: a b\nS/B2/P A01 1 J 1: a b\n", "their rows");
    int c = index_col(ix, "Metadata_PlateType");
    same(index_cell(ix, 0, c), "own", "the image table wins");
    same(index_cell(ix, 1, c), "two", "the plate table fills");
    int64_t p = -1;
    ok(index_find_plate(ix, "S/B2/P", &p) == OK && p == 1, "a plate by its full name");
    ok(index_find_plate(ix, "P", &p) == E_USAGE, "an ambiguous one");
    same(msg_get(), "plate 'P' could be any of S/B1/P, S/B2/P", "its message");
    msg_clear();
    ok(index_find_plate(ix, "Q", &p) == E_USAGE, "an unknown one");
    msg_clear();
    index_plate at = index_plate_at(ix, 1);
    ok(index_n_plates(ix) == 2 && at.first == 1 && at.n == 1 && strcmp(at.batch, "B2") == 0, "plates");
    index_free(&ix);
    end(&s);
    text_free(&t);
}

static void order(void)
{
    screen s;
    text t = {0};
    begin(&s, "t.csv", NULL, NULL, NULL);
    put("t.csv",
        "DNA,ER,Source,Batch,Plate,Well,Site\na,b,S,B,10,B01,10\na,b,S,B,10,B01,9\na,b,S,B,9,A01,x1\na,b,S,B,9,A01,10\na,b,S,B,9,A01,9\n"
        "a,b,S,B,10,AA01,1\na,b,S,B,10,A10,1\na,b,S,B,10,A2,1.5\na,b,R,B,1,A1,1\n");
    screen_index *ix = build(&s);
    same(show(ix, &t),
         "R/B/1 A01 1  -1: a b\nS/B/10 A02 1.5  -1: a b\nS/B/10 A10 1  -1: a b\nS/B/10 AA01 1  -1: a b\nS/B/10 B01 9  -1: a b\nS/B/10 B01 "
         "10  -1: a b\n"
         "S/B/9 A01 10  -1: a b\nS/B/9 A01 9  -1: a b\nS/B/9 A01 x1  -1: a b\n",
         "names by bytes; sites as numbers where all of a plate's are");
    index_free(&ix);
    end(&s);
    text_free(&t);
}

/* ---- what can be wrong ---- */

#define NO_FILE "only http:, https:, s3: and file: URLs are read; for a copy of these files here set screen.paths: {from: "

#define NO_ZARR                                                                                                                            \
    "write it as TIFF first, with 'raw2ometiff NAME.zarr NAME.ome.tiff', or in Python, for each channel c: tifffile.imwrite('NAME.tif', "  \
    "zarr.open('NAME.zarr')['0'][0, c, 0])\n"

static void wrong(void)
{
    static const struct {
        const char *images, *plate, *well, *compound, *want;
    } c[] = {
        {"", NULL, NULL, NULL, "error: unreadable tables: 1\n    t.csv:1: the file is empty\n"},
        {HEAD, NULL, NULL, NULL, "error: screens without images: 1\n    screen.index: the tables hold no rows\n"},
        {HEAD "a,b,S,B,P,A01,1,DMSO\na,b,S,B,P,A01,1,DMSO\na,b,S,B,P,a1,1,DMSO\n", NULL, NULL, NULL,
         "error: duplicate sites: 2\n    t.csv:3: A01 site 1 of S/B/P is already in t.csv:2\n"
         "    t.csv:4: A01 site 1 of S/B/P is already in t.csv:2\n"},
        {"DNA,ER,Source,Batch,Plate,Well,JCP2022\na,b,S,B,P,A01,DMSO\na,b,S,B,P,A01,DMSO\n", NULL, NULL, NULL,
         "error: duplicate sites: 1\n    t.csv:3: A01 site 1 of S/B/P is already in t.csv:2; the table has no column Metadata_Site, so "
         "each "
         "row is site 1\n"},
        {HEAD "a,b,S,B,P,A01,1,DMSO\na,b,S,B,P,Z99,1,X\na,b,S,B,P,,1,X\n", NULL, NULL, NULL,
         "error: invalid well names: 1\n    t.csv:3: bad well 'Z99'; wells run from A01 to AF48\nerror: empty cells in required columns: "
         "1\n"
         "    t.csv:4: Well is empty\n"},
        {"DNA,Er2,Metadata_Plte,Well,FOV\na,b,P,A01,1\n", NULL, NULL, NULL,
         "error: missing columns: 1\n    t.csv:1: no column 'Metadata_Plate'; did you mean 'Metadata_Plte'?\nerror: missing "
         "channels: 1\n"
         "    t.csv:1: no channel 'ER': no column FileName_OrigER, URL_OrigER, ER_path or ER\n"},
        {"FileName_OrigDNA,FileName_OrigERR,FileName_IllumER,Plate,Well,Site\na,b,c,P,A01,1\n", NULL, NULL, NULL,
         "error: missing channels: 1\n    t.csv:1: no channel 'ER'; did you mean 'ERR'?\n"},
        {"channel,path,plate,well,site,Metadata_Compound\nDNA,a,P,A01,1,DMSO\nDNA,b,P,A01,1,DMSO\nMito,c,P,A01,1,DMSO\n", NULL, NULL, NULL,
         "error: duplicate images: 1\n    t.csv:3: channel DNA of A01 site 1 is already given\nerror: missing channels: 1\n"
         "    t.csv:1: no channel 'ER'; the table has Mito\nerror: plates without a channel: 1\n    t.csv:2: no site of S1/*/P has channel "
         "ER\n"},
        {HEAD "a,b,S,B,P,A01,1,DMSO\na,,S,B,P,A01,2,DMSO\n,b,S,B,Q,A01,1,DMSO\n,b,S,B,Q,A01,2,DMSO\n", NULL, NULL, NULL,
         "error: plates without a channel: 1\n    t.csv:4: no site of S/B/Q has channel DNA\n"
         "warning: sites without a channel: 1\n    t.csv:3: A01 site 2 of S/B/P has no ER\n"},
        {HEAD "a,b,S,B,P,A01,1,DMSO\na,b,S,B,Q,A01,1,X\n", NULL, NULL, NULL,
         "warning: plates without controls: 1\n    t.csv:3: S/B/Q; controls of its batch or source are used instead\n"},
        {HEAD "a,b,S,B,P,A01,1,\n", NULL, NULL, NULL,
         "warning: plates without controls: 1\n    t.csv:2: S/B/P; no other plate has any either\nwarning: controls "
         "without a well: 1\n"
         "    screen.control: no well holds 'DMSO'\nwarning: screens without compounds: 1\n"
         "    t.csv:1: no table has a column Metadata_JCP2022 or Metadata_Compound with identifiers: all wells count as empty\n"},
        {HEAD "a,b,S,B,P,A01,1,DMSO\na,b,S,B,P,A01,2,X\n", NULL, NULL, NULL,
         "error: wells with two compounds: 1\n    t.csv:3: well A01 holds 'X', but 'DMSO' in t.csv:2\n"},
        {HEAD "a,b,S,B,P,A01,1,DMSO\na,b,S,B,P,A02,1,\na,b,S,B,P,A03,1,\n", NULL,
         "Plate,Well,JCP2022\nP,A01,Y\nP,A02,Y\nP,B1,Y\nP,ZZ1,Y\nQ,Q1,Y\n", NULL,
         "error: wells with two compounds: 1\n    w.csv:2: well A01 holds 'Y', but 'DMSO' in t.csv:2\nerror: invalid well names: 1\n"
         "    w.csv:5: bad well 'ZZ1'; wells run from A01 to AF48\nwarning: wells of the well table without images: 1\n    w.csv:4: B01 of "
         "plate 'P'\n"
         "warning: wells with images that are in no well table: 1\n    t.csv:4: A03 of plate 'P'\n"},
        {HEAD "a,a,S,B,P,A01,1,DMSO\na,d/a,S,B,P,A02,1,DMSO\n", NULL, NULL, NULL,
         "warning: sites whose channels share a file: 1\n    t.csv:2: A01 site 1: DNA and ER are both a\n"},
        {HEAD "a,b,S,B,P,A01,1,DMSO\na,b,S,B,P,A02,1,DMSO\n", NULL, "Source,Plate,Well,JCP2022\nT,P,A01,Y\n", NULL,
         "error: well tables without any well of the image tables: 1\n    t.csv:2: plate 'P' of source 'S' and batch 'B' stands in no well "
         "table; a plate "
         "table may have to say its source\n"},
        {HEAD "a,b,S,B,P,A01,1,DMSO\n", NULL, "Plate,JCP2022\nP,Y\n", NULL,
         "error: unreadable tables: 1\n    w.csv:1: no column 'Metadata_Well'\n"},
        {HEAD "a,b,S,B,P,A01,1,DMSO\na,b,S,B,P,A02,1,J1\na,b,S,B,P,A03,1,J2\n", NULL, NULL,
         "JCP2022,Metadata_SMILES\nDMSO,C\nJ1,CC\nJ1,CCC\n",
         "warning: compounds with conflicting rows: 1\n    c.csv:4: Metadata_SMILES of 'J1' differs from c.csv:3; the "
         "first is used\n"
         "warning: compounds missing from the compound tables: 1\n    t.csv:4: 'J2'\n"},
        {HEAD "a,b,S,B,P,A01,1,DMSO\na,b,,,Q,A01,1,DMSO\na,b,,,R,A01,1,DMSO\n", "Source,Batch,Plate\nT,B,P\nS,B1,Q\nS,B2,Q\n", NULL, NULL,
         "error: plates whose source or batch differs between tables: 1\n    t.csv:2: plate 'P' of S/B; the plate table has T/B\n"
         "error: ambiguous plates: 1\n    t.csv:3: plate 'Q' matches S/B1, S/B2; give its source and batch in the image table\n"
         "error: plates missing from the plate tables: 1\n    t.csv:4: plate 'R'\n"},
        {HEAD "a,b,S,B,P,A01,1,DMSO\n", "Plate,Metadata_t\nP,1\nP,2\nP,1\n", NULL, NULL,
         "error: plates with conflicting rows: 1\n    p.csv:3: plate 'P' differs from p.csv:2\n"},
        {HEAD "a,b,S,B,P,A01,1,DMSO\na,b,S,B,P,A01\n", NULL, NULL, NULL,
         "error: unreadable tables: 1\n    t.csv:3: 6 fields, but the header has 8\n"},
        {HEAD "p.zarr/A/1/0/0,s3://b/p.zarr,S,B,P,A01,1,DMSO\na.zarr.tif,b,S,B,P,A01,2,DMSO\n", NULL, NULL, NULL,
         "error: images in OME-Zarr, which is not read: 2\n    t.csv:2: p.zarr/A/1/0/0: " NO_ZARR "    t.csv:2: s3://b/p.zarr: " NO_ZARR
         "warning: sites without a channel: 2\n    t.csv:2: A01 site 1 of S/B/P has no DNA\n"
         "    t.csv:2: A01 site 1 of S/B/P has no ER\n"},
        {HEAD "https://me:pw@h/a.tif,s3://b/,S,B,P,A01,1,DMSO\nhttp://h/a.tif,b,S,B,P,A01,2,DMSO\n", NULL, NULL, NULL,
         "error: URLs that cannot be fetched: 2\n    t.csv:2: 'https://...@h/a.tif' holds a user name or a password: only what everyone "
         "may "
         "read is fetched\n    t.csv:2: 's3://b/' names no file\n"
         "warning: sites without a channel: 2\n    t.csv:2: A01 site 1 of S/B/P has no DNA\n"
         "    t.csv:2: A01 site 1 of S/B/P has no ER\n"},
        {"URL_DNA,ER,Source,Batch,Plate,Well,Site,JCP2022\ngs://x/a,b,S,B,P,A01,1,DMSO\nfile://host/a,b,S,B,P,A01,2,DMSO\nfile:/"
         "a%00b,b,S,B,P,A01,3,DMSO\n"
         "file:/a,b,S,B,P,A01,4,DMSO\n",
         NULL, NULL, NULL,
         "error: URLs that are not local files: 3\n    t.csv:2: 'gs://x/a': " NO_FILE "'gs://x', to: FOLDER}\n"
         "    t.csv:3: 'file://host/a': " NO_FILE "'file://host', to: FOLDER}\n"
         "    t.csv:4: 'file:/a%00b': " NO_FILE
         "'file:/a%00b', to: FOLDER}\nwarning: sites without a channel: 3\n    t.csv:2: A01 site 1 of S/B/P has "
         "no "
         "DNA\n"
         "    t.csv:3: A01 site 2 of S/B/P has no DNA\n    t.csv:4: A01 site 3 of S/B/P has no DNA\n"},
    };
    text t = {0};
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        screen s;
        begin(&s, "t.csv", c[i].plate ? "p.csv" : NULL, c[i].well ? "w.csv" : NULL, c[i].compound ? "c.csv" : NULL);
        put("t.csv", c[i].images);
        if (c[i].plate) put("p.csv", c[i].plate);
        if (c[i].well) put("w.csv", c[i].well);
        if (c[i].compound) put("c.csv", c[i].compound);
        screen_index *ix = build(&s);
        text want = {0};
        for (const char *p = c[i].want; *p; p++) { /* '*': the name of the folder */
            if (*p == '*')
                text_add(&want, path_base(folder));
            else
                text_addn(&want, p, 1);
        }
        char name[40];
        snprintf(name, sizeof name, "wrong tables, case %zu", i);
        same(found(ix, &t), want.s, name);
        text_free(&want);
        index_free(&ix);
        end(&s);
    }
    text_free(&t);
}

static void missing_tables(void)
{
    screen s;
    text t = {0};
    begin(&s, "none.csv|*.tsv", "p.csv", NULL, NULL);
    list(&s.treatment, "dose");
    screen_index *ix = build(&s);
    same(found(ix, &t),
         "error: missing tables: 3\n    screen.index: no such file, and nothing matches it: none.csv\n"
         "    screen.index: no such file, and nothing matches it: *.tsv\n    screen.plate: no such file, and nothing matches it: p.csv\n"
         "error: missing columns: 1\n    screen.treatment: no table has a column 'dose'\n",
         "missing tables");
    ok(ix && index_n_rows(ix) == 0 && index_n_plates(ix) == 0, "an index without rows");
    ok(findings_verdict(index_findings(ix)) == E_FAILED, "is refused");
    text_clear(&t), text_add(&t, msg_get()), strip(&t);
    same(t.s,
         "screen.index: no such file, and nothing matches it: none.csv (missing tables; the first of 4 errors in the inputs; "
         "micon check lists them)",
         "its message");
    msg_clear();
    index_free(&ix);
    end(&s);
    begin(&s, NULL, NULL, NULL, NULL);
    ix = build(&s);
    same(found(ix, &t), "error: missing tables: 1\n    screen.index: names no image table\n", "no table named at all");
    index_free(&ix);
    end(&s);
    text_free(&t);
}

static void many(void)
{
    findings f = {0}, g = {0};
    text t = {0}, bytes = {0};
    for (int i = 0; i < 8; i++) findings_add(&f, FINDING_WARNING, "things", "t.csv:%d: a\nb", i);
    findings_add_n(&f, FINDING_ERROR, "others", 40, "x");
    findings_pack(&f, &bytes);
    ok(findings_unpack(&g, bytes.s, bytes.n) == OK && findings_count(&g, FINDING_WARNING) == 8 && findings_count(&g, FINDING_ERROR) == 40,
       "findings as bytes");
    findings_merge(&g, &f);
    findings_show(&g, &t);
    same(t.s,
         "error: others: 80\n    x\n    x\nwarning: things: 16\n    t.csv:0: a?b\n    t.csv:1: a?b\n    t.csv:2: a?b\n    t.csv:3: a?b\n   "
         " t.csv:4: a?b\n"
         "    ... and 11 more\n",
         "counts and first examples");
    int taken = 0;
    for (size_t cut = 1; cut < bytes.n; cut++) {
        findings h = {0};
        bool whole = strncmp(bytes.s + cut, "1\n40\n", 5) == 0; /* between two kinds */
        taken += findings_unpack(&h, bytes.s, cut) == OK && !whole;
        findings_free(&h), msg_clear();
    }
    ok(taken == 0, "bytes that end early");
    findings_free(&f), findings_free(&g), text_free(&t), text_free(&bytes);
}

int main(void)
{
    base = xstrdup(tap_dir());
    kinds();
    joins();
    plate_maps();
    own_columns();
    order();
    wrong();
    missing_tables();
    many();
    free(base);
    free(folder);
    return tap_done();
}
